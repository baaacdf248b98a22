"""Rank pictures without labels by what their labels would teach a network."""

import numpy as np
from numpy.typing import NDArray


def rank_by_learning(
    probabilities: NDArray[np.float64], features: NDArray[np.float32], number: int
) -> NDArray[np.int64]:
    """Choose `number` images whose labels would teach a network most, the most useful first.

    Each image is described by the gradient of its loss by the last kernel, as if its predicted class were correct:
    g = (p - e) hᵀ with its probabilities p, the predicted class e (one-hot) and the activations h of the last hidden
    layer. A long g is an uncertain prediction, and g = 0 a certain one; images that are uncertain for other reasons
    have other directions. The first image has the longest g. Each further one is the farthest from 0 and from all that
    were chosen, so that no two ask the same question.

    Source: Ash, Zhang, Krishnamurthy, Langford and Agarwal 2020 (BADGE), section 3. They draw by k-means++; the
    farthest needs no random numbers, and was no worse (benchmarks/README.md, "What to label next").

    Args:
        probabilities: (N, K).
        features: (N, F), the activations of the last hidden layer.

    Returns:
        at most `number` indices of different images; of equal ones the first comes first.

    >>> probabilities = np.array([[0.9, 0.1], [0.5, 0.5], [0.5, 0.5], [0.5, 0.5]])
    >>> features = np.array([[1, 0], [1, 0], [1, 0], [0, 1]], np.float32)
    >>> rank_by_learning(probabilities, features, 3).tolist()  # unsure, unsure for another reason, fairly sure
    [1, 3, 0]
    """
    errors = probabilities.copy()
    errors[np.arange(len(errors)), probabilities.argmax(axis=1)] -= 1
    # distances[i] is the squared distance of image i to 0 and to the chosen images.
    # The K × F numbers of a gradient are never written down: (a hᵀ) · (b kᵀ) = (a · b) (h · k).
    squares = (errors**2).sum(axis=1) * np.einsum("nf,nf->n", features, features, dtype=np.float64)
    distances, chosen = squares.copy(), list[int]()
    for _ in range(min(number, len(errors))):
        index = int(distances.argmax())
        chosen.append(index)
        products = (errors @ errors[index]) * (features @ features[index])
        distances = np.minimum(distances, np.maximum(squares + squares[index] - 2 * products, 0))
        distances[chosen] = -1  # below that of a copy, which is 0
    return np.array(chosen, np.int64)
