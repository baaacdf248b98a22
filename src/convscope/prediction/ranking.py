"""Rank pictures without labels by what their labels would teach a network."""

import numpy as np
from numpy.typing import NDArray

from convscope.base.streams import random_stream


def rank_by_learning(
    probabilities: NDArray[np.float64], features: NDArray[np.float32], number: int, seed: int = 0
) -> NDArray[np.int64]:
    """Choose `number` images whose labels would teach a network much, and each something else.

    Each image is described by the gradient of its loss by the last kernel, as if its predicted class were correct:
    g = (p - e) hᵀ with its probabilities p, the predicted class e (one-hot) and the activations h of the last hidden
    layer. A long g is an uncertain prediction, and g = 0 a certain one; images that are uncertain for other reasons
    have other directions. The first image has the longest g. Each further one is drawn in proportion to its squared
    distance to 0 and to all that were chosen, whichever is nearest, so that few ask the same question.

    Source: Ash, Zhang, Krishnamurthy, Langford and Agarwal 2020 (BADGE), section 3, whose draws (k-means++, Arthur and
    Vassilvitskii 2007) do not count 0 as chosen. Always taking the farthest image was no better than chance with a
    hundred classes (benchmarks/README.md, "What to label next").

    Args:
        probabilities: (N, K).
        features: (N, F), the activations of the last hidden layer.
        seed: that of the draws, by the stream "label next".

    Returns:
        at most `number` indices of different images.

    >>> probabilities = np.array([[0.9, 0.1], [0.5, 0.5], [0.5, 0.5], [0.5, 0.5]])
    >>> features = np.array([[1, 0], [1, 0], [1, 0], [0, 1]], np.float32)
    >>> rank_by_learning(probabilities, features, 2).tolist()  # both are unsure, for different reasons
    [1, 3]
    """
    errors = probabilities.copy()
    errors[np.arange(len(errors)), probabilities.argmax(axis=1)] -= 1
    # The K × F numbers of a gradient are never written down: (a hᵀ) · (b kᵀ) = (a · b) (h · k).
    squares = (errors**2).sum(axis=1) * np.einsum("nf,nf->n", features, features, dtype=np.float64)
    # distances[i] is the squared distance of image i to 0 and to the chosen images, whichever is nearest.
    distances, is_left, chosen = squares.copy(), np.ones(len(squares), bool), list[int]()
    stream = random_stream(seed, "label next")
    while len(chosen) < min(number, len(squares)):
        if not chosen:
            index = int(squares.argmax())
        elif (total := distances.sum()) > 0:
            index = int(stream.choice(len(squares), p=distances / total))
        else:  # copies of chosen images, and certain ones
            index = int(is_left.argmax())
        chosen.append(index)
        is_left[index] = False
        products = (errors @ errors[index]) * (features @ features[index])
        distances = np.minimum(distances, np.maximum(squares + squares[index] - 2 * products, 0)) * is_left
    return np.array(chosen, np.int64)
