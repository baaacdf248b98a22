"""Compute gradients as arrays, for research.

They are those of the loss or a logit, with respect to the weights, the input or the output of a layer.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from convscope.base.arguments import checked
from convscope.engine import EngineName, Network, open_network
from convscope.engine.loss import check_labels, dlogits_of_logit, dlogits_of_loss
from convscope.engine.network import check_images
from convscope.training.model import Model


@checked
def gradients(
    model: Model,
    images: NDArray[np.uint8],
    labels: NDArray[np.integer[Any]],
    *,
    of: Literal["loss", "logit"] = "loss",
    by: str | Sequence[str] = "weights",
    engine: EngineName = "native",
) -> dict[str, NDArray[np.floating[Any]]]:
    """Compute the signed gradients of the loss, or of a logit, of `model`.

    The network is as it is when it predicts: nothing is dropped, and batch normalisation uses its moving statistics.

    >>> import numpy as np
    >>> import convscope as cs
    >>> data = cs.load_dataset("mnist").train.take(range(64))
    >>> model, _ = cs.train("cnn", data, cs.Recipe(epochs=1))
    >>> cs.gradients(model, data.images, data.labels)["conv2d/kernel"].shape
    (3, 3, 1, 16)
    >>> cs.gradients(model, data.images, data.labels, of="logit", by=["input", "conv2d"])["input"].shape
    (64, 28, 28, 1)

    Args:
        images: (N, H, W, C) uint8, N at least 1.
        labels: (N,) whole numbers below K. For the loss, the class of each image; for a logit, the logit to
            differentiate.
        of: "loss" is the cross-entropy in nats of the softmax of the logits with `labels`, without label smoothing or
            class weights; "logit" is the logit of each image's label.
        by: "weights" is all trained weights; else the name of a layer, or of several, or "input".
        engine: "reference" is float64 and slower.

    Returns:
        Arrays by name, float32, or float64 from the engine `reference`. For weights they have the weights' shapes and
        are the gradient of the mean over the N images. For "input" and layers they are `(N, *shape)`: for each image
        the gradient of its own loss or logit, not divided by N. "input" is the image as the network reads it,
        byte * scale + offset; multiplied by `model.architecture.input.scale`, its gradient is that with respect to the
        byte. The output of a layer is that after its activation, except for a softmax. Gradients of a logit with
        respect to the weights are always computed by `reference`.

    Raises:
        ValueError: if there is no image, the images are not what the model reads, or a label is no class of it.
        TypeError: if an argument is of a wrong type.
        KeyError: for a layer that the architecture does not have.
    """
    classes = model.architecture.num_classes
    check_images(images, model.architecture.input.shape)
    check_labels(labels, classes)
    if not len(images) or len(labels) != len(images):
        raise ValueError(
            f"there are {len(labels)} labels for {len(images)} images; give one label per image, and at least one image"
        )
    network: Network = model.network if engine == "native" else open_network(model.architecture, model.weights, engine)
    if by == "weights":
        if of == "loss":
            return network.gradients(images, labels.astype(np.int64))[1]
        from convscope.engine.reference import ReferenceNetwork  # SciPy takes its time to load

        return ReferenceNetwork(model.architecture, model.weights).weight_gradients(
            images, dlogits_of_logit(labels, classes) / len(images)
        )
    layers = [by] if isinstance(by, str) else list(by)
    dlogits = dlogits_of_logit(labels, classes) if of == "logit" else dlogits_of_loss(network.logits(images), labels)
    return network.layer_gradients(images, dlogits, layers)
