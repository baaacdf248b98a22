"""The contract that every engine keeps."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture, Shape
from convscope.datasets import Dataset
from convscope.recipes import Adam, Augmentation, Optimizer

EngineName = Literal["native", "reference"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)

Weights = Mapping[str, NDArray[np.floating[Any]]]
Progress = Callable[[int, float, float], None]
"""Called now and then within an epoch with the images done and the mean loss and accuracy over them."""


@dataclass(frozen=True)
class EpochResult:
    """Means over the images of one training epoch, each measured just before the step that its batch caused."""

    loss: float
    accuracy: float


@dataclass(frozen=True)
class EpochOptions:
    """How the steps of an epoch are taken: what is the same for all of them.

    Attributes:
        label_smoothing: the share of each label that is spread evenly over the classes; the loss is taken so too.
        class_weights: (K,), by what each class's images are multiplied in the loss; by default one.
        augmentation: what is done to the images before they are seen.
        augmentation_key: 0 to 2^64 - 1, names its random stream; what happens to an image depends on the key and on its
            position in the epoch's order alone.
        dropout_key: 0 to 2^64 - 1, from which follows what the `Dropout` layers drop; another for each epoch.
        clip_norm: to what Euclidean norm a longer gradient, of all weights together, is shortened.
        averaging: β of the running average a of the weights: a ← a + (1 - β)/(1 - β^step) · (weights - a). Where it is
            above zero, the network's weights between epochs are the average, and training goes on from those that
            `Network.optimizer_state` holds as `unaveraged/NAME`. Moving statistics are not averaged once more.
    """

    optimizer: Optimizer = field(default_factory=Adam)
    label_smoothing: float = 0.0
    class_weights: Sequence[float] | None = None
    augmentation: Augmentation = field(default_factory=Augmentation)
    augmentation_key: int = 0
    dropout_key: int = 0
    clip_norm: float | None = None
    averaging: float = 0.0


class Network(Protocol):
    """An architecture with weights in an engine.

    Images are uint8 (N, H, W, C) as they are in the file; labels are (N,) whole numbers below K. Weights are plain
    named arrays in Keras layout: kernels (rows, columns, in, out) and (in, out), biases (out,), and the four of a batch
    normalisation (C,).
    """

    @property
    def architecture(self) -> Architecture: ...

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """Return copies of the weights by name."""

    def optimizer_state(self) -> dict[str, NDArray[Any]]:
        """Return what training needs beside the weights to go on to the same bits.

        `step` () int64, `m/NAME` and `v/NAME` in the shape of each trained weight (of `SGD`, m is the velocity and v
        stays zero), for these also `unaveraged/NAME` where the weights are averages, and what else an engine keeps.
        """

    def set_optimizer_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take up what `optimizer_state` returned, bit for bit."""

    def train_epoch(
        self,
        dataset: Dataset,
        *,
        order: NDArray[np.int64],
        batch_size: int,
        learning_rates: NDArray[np.float32],
        options: EpochOptions,
        progress: Progress | None = None,
    ) -> EpochResult:
        """Take one step for each batch of `order` (indices into `dataset`), the last of which may be short.

        A batch normalisation uses the statistics of the batch, and each step moves its own towards them.

        Args:
            learning_rates: (number of batches,), the learning rate of each step.
            options: how the steps are taken.

        Raises:
            KeyboardInterrupt: within a second of Ctrl-C; the weights are then those of some step within the epoch.
        """

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (N, K), the last layer's output before its softmax.

        Raises:
            ValueError: if the images are not uint8 or not of the size the network reads.
        """

    def activations(self, images: NDArray[np.uint8], layers: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Return the output of each of `layers` for each image, (N, *output shape); the last softmax applied.

        Raises:
            ValueError: as `logits` does.
        """

    def gradients(
        self, images: NDArray[np.uint8], labels: NDArray[np.int64]
    ) -> tuple[float, dict[str, NDArray[np.floating[Any]]]]:
        """Return the mean cross-entropy over the images and its gradient by each trained weight's name.

        The network is as it is when it predicts: nothing is dropped, and a batch normalisation uses its moving
        statistics, which stay constants. So the gradient of one image has a meaning, and that of several is the mean of
        theirs. A training step differs in both.
        """


def open_network(
    architecture: Architecture, weights: Weights, engine: EngineName = "native", threads: int | None = None
) -> Network:
    """Return `architecture` with `weights` in `engine`.

    Args:
        threads: how many threads `native` uses; by default as many as the process may run on. Results are the same bits
            for any number. `reference` has none of its own.

    Raises:
        ValueError: if a weight is missing, unknown, or of another shape; if the engine is unknown; if threads < 1.
    """
    if engine not in ENGINES:
        raise ValueError(f"engine is {engine!r}; it must be one of {', '.join(ENGINES)}")
    if threads is not None and threads < 1:
        raise ValueError(f"threads is {threads}; it must be at least 1")
    check_weights(architecture, weights)
    if engine == "reference":
        from convscope.engine.reference import ReferenceNetwork

        return ReferenceNetwork(architecture, weights)
    from convscope.engine.native import NativeNetwork

    return NativeNetwork(architecture, weights, threads)


_UINT8 = np.dtype(np.uint8)  # comparing with this takes half the time, which counts where an image takes microseconds


def check_images(images: NDArray[Any], shape: Shape) -> None:
    """Raise `ValueError` unless `images` are uint8 (N, *shape)."""
    if images.dtype != _UINT8 or images.shape[1:] != shape:
        expected = ", ".join(map(str, shape))
        raise ValueError(f"images are {images.dtype} of shape {images.shape}; this model reads uint8 (N, {expected})")


def check_weights(architecture: Architecture, weights: Weights) -> None:
    """Raise `ValueError`, saying which weight differs and how, unless `weights` fit `architecture`."""
    check_arrays(architecture.weight_shapes, weights)
    for name, weight in weights.items():
        if name.endswith("/moving_variance") and (weight < 0).any():
            raise ValueError(f"weight {name} holds {weight.min()}; a variance cannot be below zero")


def check_arrays(expected: Mapping[str, Shape], arrays: Weights) -> None:
    """Raise `ValueError`, saying which one differs and how, unless there is a finite array for each expected shape."""
    for name, shape in expected.items():
        if name not in arrays:
            raise ValueError(f"weight {name} is missing; the architecture needs it with shape {shape}")
        if arrays[name].shape != shape:
            raise ValueError(f"weight {name} has shape {arrays[name].shape}; the architecture needs {shape}")
        if not np.isfinite(arrays[name]).all():
            raise ValueError(f"weight {name} holds a value that is not finite")
    if unknown := sorted(arrays.keys() - expected.keys()):
        raise ValueError(f"weight {unknown[0]} belongs to no layer of the architecture")
