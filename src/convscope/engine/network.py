"""The contract that every engine keeps: the methods of `Network`, and their common checks of arguments.

images ──▶ logits, activations                             what the network computes
images, labels or dlogits ──▶ gradients, layer_gradients   how it depends on weights and outputs
data set, order, learning rates ──▶ train_epoch            changes the weights and the optimizer's state
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture, Shape
from convscope.base.arguments import describe
from convscope.data.datasets import Dataset
from convscope.recipes import Adam, Augmentation, Optimizer, WeightBits

Weights = Mapping[str, NDArray[Any]]
"""Weights by name, of any type that `float_array` takes."""
Progress = Callable[[int, float, float], None]
"""Called several times within an epoch with the images done and the mean loss and accuracy over them."""


@dataclass(frozen=True)
class EpochResult:
    """Means over the images of one training epoch, each image measured just before the step of its batch."""

    loss: float
    accuracy: float


@dataclass(frozen=True)
class EpochOptions:
    """The settings that all steps of an epoch share.

    Attributes:
        label_smoothing: the share of each label that is spread evenly over the classes, also in the reported loss.
        class_weights: (K,), the factors of the classes' images in the loss; None for ones.
        augmentation: the random changes of the images.
        augmentation_key: 0 to 2^64 - 1, of its random stream; the change of an image depends only on the key and on the
            image's position in the epoch's order.
        dropout_key: 0 to 2^64 - 1, decides which numbers the `Dropout` layers drop; another for each epoch.
        clip_norm: the Euclidean norm to which a longer gradient, of all weights together, is shortened.
        averaging: β of the running average a of the weights: a ← a + (1 - β)/(1 - β^step) · (weights - a). If it is
            above zero, the network's weights between epochs are the average, and training continues from those in
            `Network.optimizer_state` called `unaveraged/NAME`. The moving statistics of batch normalisation are
            averaged too, because those of the last weights do not fit the averaged weights.
        weight_bits: the number of bits of each kernel's weights: each pass, and the network between epochs, uses the
            kernels that `convscope.engine.rounding.round_kernel` returns. Training continues from the unrounded ones in
            `Network.optimizer_state`, called `unrounded/NAME`. An average is one of unrounded kernels, then rounded.
    """

    optimizer: Optimizer = field(default_factory=Adam)
    label_smoothing: float = 0.0
    class_weights: Sequence[float] | None = None
    augmentation: Augmentation = field(default_factory=Augmentation)
    augmentation_key: int = 0
    dropout_key: int = 0
    clip_norm: float | None = None
    averaging: float = 0.0
    weight_bits: WeightBits | None = None


@dataclass(frozen=True)
class Replacement:
    """A filter whose output, after the activation, is the same number everywhere.

    Attributes:
        filter: a channel of the layer's map, or an index of its vector, from 0.
        value: the finite number. In the last layer it replaces a logit.
    """

    layer: str
    filter: int
    value: float = 0.0


Ablation = Sequence[Replacement]
"""Replacements made at the same time, each of another filter; an empty one leaves the network whole."""


class Network(Protocol):
    """An architecture with weights in an engine.

    Images are uint8 (N, H, W, C) as they are in the file; labels are (N,) whole numbers below K. Weights are plain
    named arrays in Keras layout: kernels (rows, columns, in, out) and (in, out), biases (out,), and the four of a batch
    normalisation (C,).
    """

    @property
    def architecture(self) -> Architecture: ...

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """Copy the weights by name."""

    def optimizer_state(self) -> dict[str, NDArray[Any]]:
        """Copy the state that, with the weights, continues the training to the same bits.

        It has `step` () int64, `m/NAME` and `v/NAME` in the shape of each trained weight (for `SGD`, m is the velocity
        and v stays zero), `unaveraged/NAME` of every weight if the weights are averages, `unrounded/NAME` of every
        kernel if kernels are rounded, and perhaps more of the engine's own.
        """

    def set_optimizer_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore a state from `optimizer_state`, bit for bit."""

    def train_epoch(
        self,
        dataset: Dataset,
        *,
        order: NDArray[np.int64],
        batch_size: int,
        learning_rates: NDArray[np.float32],
        options: EpochOptions,
        progress: Progress | None = None,
        pauses: Sequence[int] = (),
        on_pause: Callable[[int], None] | None = None,
    ) -> EpochResult:
        """Train one step for each batch of `order` (indices into `dataset`); the last batch may be short.

        The loss of a batch is the mean over its images, each multiplied by its weight in `dataset` and by its class's.
        A batch normalisation uses the statistics of the batch, and each step moves its own towards them.

        Args:
            learning_rates: (number of batches,), the learning rate of each step.
            options: the settings of all steps.
            pauses: ascending numbers of steps of this epoch, from 1. After each, `on_pause` is called with it, and the
                network's weights are those of an epoch that ends there; what follows has the same bits as without the
                pause. `keras` and `reference` do not pause.

        Raises:
            KeyboardInterrupt: within a second of Ctrl-C; the weights are then those of some step within the epoch.
        """

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute the logits (N, K), the last layer's output before its softmax.

        Raises:
            ValueError: if the images are not uint8, or of another size than the network's.
        """

    def activations(self, images: NDArray[np.uint8], layers: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Compute the output of each of `layers` for each image, (N, *output shape), with the last layer's softmax.

        Raises:
            ValueError: as `logits` does.
        """

    def gradients(
        self, images: NDArray[np.uint8], labels: NDArray[np.int64]
    ) -> tuple[float, dict[str, NDArray[np.floating[Any]]]]:
        """Compute the mean cross-entropy over the images, and its gradient with respect to each trained weight.

        The network is in the mode for predictions: nothing is dropped, and a batch normalisation uses its moving
        statistics as constants. So the gradient of an image does not depend on other images, and that of several is the
        mean of theirs. A training step differs in both.
        """

    def layer_gradients(
        self, images: NDArray[np.uint8], dlogits: NDArray[np.floating[Any]], layers: Sequence[str]
    ) -> dict[str, NDArray[np.floating[Any]]]:
        """Compute for each image the gradient of Σ_k dlogits[n, k] · logits[n, k] with respect to outputs of `layers`.

        The network is in the mode for predictions. An output is that after the layer's activation, as `activations`
        returns it; only of the last layer it is the logits. "input" names the normalised image. At a kink the gradient
        is the one that training uses: relu's derivative at 0 is 0, and of equal values the first is the largest.

        Args:
            dlogits: (N, K) finite, the factor of each logit; `dlogits_of_logit` and `dlogits_of_loss` in
                `convscope.engine.loss` make it for one logit and for the loss.

        Returns:
            By name, (N, *output shape): float32 of `native` and `keras`, float64 of `reference`.

        Raises:
            ValueError: if dlogits are of another shape or not finite.
            KeyError: for a layer that the architecture does not have.
        """

    def ablation_logits(self, images: NDArray[np.uint8], ablations: Sequence[Ablation]) -> NDArray[np.float32]:
        """Compute the logits (L, N, K) of each image with each of L ablations.

        They take 4 · L · N · K bytes; for many ablations pass the images block by block, as
        `convscope.engine.ablations.compute_ablation_effects` does. `native` computes the layers that no ablation
        changes only once.

        Raises:
            ValueError: if a layer has no such filter, an ablation replaces a filter twice, or a value is not finite.
            KeyError: for a layer that the architecture does not have.
        """


def float_array(array: NDArray[Any], dtype: type[np.floating[Any]] = np.float32) -> NDArray[Any]:
    """Convert weights of any float type to `dtype`, without copying those that have it.

    float16 and bfloat16 are exact in float32; float64 is rounded to the nearest, and beyond float32's range infinite.
    bfloat16 is an array of a type of this name, such as that of ml_dtypes, or its bits as uint16.

    Raises:
        ValueError: for any other type.

    >>> float_array(np.array([0x3FC0], np.uint16))
    array([1.5], dtype=float32)
    """
    if array.dtype == np.uint16:  # a bfloat16 is the upper half of a float32
        array = (array.astype(np.uint32) << 16).view(np.float32)
    elif array.dtype.kind != "f" and array.dtype.name != "bfloat16":
        raise ValueError(f"is {array.dtype}; give float16, float32, float64, or bfloat16 (its bits as uint16)")
    with np.errstate(over="ignore"):  # the caller refuses infinite weights, and names them
        return np.asarray(array, dtype)


_BLOCK = 64  # images
_BLOCK_BYTES = 1 << 28


def image_blocks(architecture: Architecture, num_images: int, value_bytes: int) -> list[slice]:
    """Divide the images into blocks whose outputs of all layers fit into memory together.

    A block has 64 images, or fewer if their outputs, of `value_bytes` for each number, would take more than 256 MiB. So
    the memory does not depend on the number of images, nor on their size unless a single one needs more.
    """
    image_bytes = value_bytes * sum(prod(row.output_shape) for row in architecture.table)
    block = max(1, min(_BLOCK, _BLOCK_BYTES // image_bytes))
    return [slice(start, start + block) for start in range(0, num_images, block)]


_UINT8 = np.dtype(np.uint8)  # comparing with this takes half the time, which counts where an image takes microseconds


def check_images(images: NDArray[Any], shape: Shape) -> None:
    """Raise `TypeError` unless `images` are an array, and `ValueError` unless they are uint8 (N, *shape)."""
    if not hasattr(images, "dtype"):
        raise TypeError(f"images is {describe(images)}; it must be an array of uint8 (N, {', '.join(map(str, shape))})")
    if images.dtype != _UINT8 or images.shape[1:] != shape:
        expected = ", ".join(map(str, shape))
        raise ValueError(f"images are {images.dtype} of shape {images.shape}; this model needs uint8 (N, {expected})")


def check_weights(architecture: Architecture, weights: Weights) -> None:
    """Raise `ValueError`, which names the weight and the difference, unless `weights` fit `architecture`.

    They may be of any type that `float_array` takes, and must be finite in float32.
    """
    check_arrays(architecture.weight_shapes, weights)
    for name, weight in weights.items():
        # Its square root would be NaN.
        if name.endswith("/moving_variance") and (float_array(weight) < 0).any():
            raise ValueError(f"weight {name} holds {float_array(weight).min()}; a variance cannot be below zero")


def check_arrays(expected: Mapping[str, Shape], arrays: Weights) -> None:
    """Raise `ValueError`, which names the array and the difference, unless each expected shape has a finite array."""
    for name, shape in expected.items():
        if name not in arrays:
            raise ValueError(f"weight {name} is missing; the architecture needs it with shape {shape}")
        if arrays[name].shape != shape:
            raise ValueError(f"weight {name} has shape {arrays[name].shape}; the architecture needs {shape}")
        try:
            is_finite = np.isfinite(float_array(arrays[name])).all()
        except ValueError as error:
            raise ValueError(f"weight {name} {error}") from error
        if not is_finite:
            raise ValueError(f"weight {name} holds a value that is not finite")
    if unknown := sorted(arrays.keys() - expected.keys()):
        raise ValueError(f"weight {unknown[0]} belongs to no layer of the architecture")


def check_dlogits(architecture: Architecture, dlogits: NDArray[np.floating[Any]], num_images: int) -> None:
    """Raise `ValueError` unless `dlogits` are valid for `Network.layer_gradients` of `num_images` images."""
    shape = (num_images, architecture.num_classes)
    if dlogits.shape != shape:
        raise ValueError(f"dlogits have shape {dlogits.shape}; they must be {shape}, one number per logit")
    if not np.isfinite(dlogits).all():
        raise ValueError("dlogits hold a value that is not finite")


def check_ablations(architecture: Architecture, ablations: Sequence[Ablation]) -> None:
    """Raise the errors of `Network.ablation_logits` unless the architecture has all filters of each ablation."""
    filters = {row.layer.name: row.output_shape[-1] for row in architecture.table}
    for ablation in ablations:
        for replacement in ablation:
            layer, number, value = replacement.layer, replacement.filter, replacement.value
            if layer not in filters:
                architecture.row(layer)  # raises the error that lists the layers
            if not 0 <= number < filters[layer]:
                raise ValueError(f"filter is {number}; {layer} has filters 0 to {filters[layer] - 1}")
            if not abs(value) <= float(np.finfo(np.float32).max):  # also refuses NaN, which compares as false
                raise ValueError(f"the value of filter {number} of {layer} is {value}; it must be a finite number")
        counts = Counter((replacement.layer, replacement.filter) for replacement in ablation)
        for (layer, number), times in counts.most_common(1):  # none for an empty ablation
            if times > 1:
                raise ValueError(f"filter {number} of {layer} is replaced {times} times at once; replace it once")
