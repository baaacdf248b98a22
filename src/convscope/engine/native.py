"""The compiled engine: what `reference` computes, in float32 and C++.

This module checks arguments, translates the architecture into plain numbers, and passes arrays to the C++ code in
native/ and back; it computes nothing. The weights live in the C++ engine, packed for the processor's registers. They
are read and written layer by layer and in pairs (`KernelAndBias`):

    read, write                  kernel and bias, or gamma and beta: "weights", the moments "m" and "v", and the further
                                 weights "unaveraged" and "unrounded" of `EpochOptions`
    read_moving, write_moving    the mean and variance of a batch normalisation; with True those not averaged
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture, Shape
from convscope.data.datasets import Dataset
from convscope.data.datasets.disk.images import blocks, is_on_disk
from convscope.engine import _native
from convscope.engine.native_layers import moving_pairs, plain_layers, trainable_pairs
from convscope.engine.network import (
    Ablation,
    EpochOptions,
    EpochResult,
    Progress,
    Weights,
    check_ablations,
    check_arrays,
    check_dlogits,
    check_images,
    check_weights,
)
from convscope.engine.processor import choose_instruction_set, choose_threads
from convscope.engine.rounding import kernel_filters
from convscope.recipes import Augmentation, Precision


def augment(
    images: NDArray[np.uint8], augmentation: Augmentation, key: int, first: int = 0, instruction_set: str | None = None
) -> NDArray[np.uint8]:
    """Augment images (N, H, W, C) as `convscope.engine.augmentation.augment` does, in float32."""
    images = np.ascontiguousarray(images)
    result, isa = np.empty_like(images), choose_instruction_set(instruction_set, "float32")
    _native.augment(images, _to_native_augmentation(augmentation, key), first, isa, result)
    return result


def training_bytes(
    architecture: Architecture,
    batch_size: int,
    options: EpochOptions,
    threads: int | None = None,
    instruction_set: str | None = None,
    precision: Precision = "float32",
) -> int:
    """Compute the bytes of all arrays that the engine holds while it trains and measures, without the images.

    They are the weights, their copies and moments, and the arrays of one batch.

    Args:
        threads, instruction_set, precision: as `NativeNetwork` takes them.

    Raises:
        ValueError: if batch_size or threads is below 1, or if the instruction set is unknown or not usable here.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; it must be at least 1")
    return _native.training_bytes(
        list(architecture.input.shape),
        plain_layers(architecture, precision),
        choose_threads(threads),
        choose_instruction_set(instruction_set, precision),
        batch_size,
        _to_native_settings(options),
    )


class NativeNetwork:
    """An architecture with weights in the compiled engine; see `convscope.engine.network.Network` for its methods.

    The environment variable CONVSCOPE_ISA forces one of `instruction_sets()`. Results are the same bits for any number
    of threads on one instruction set. Calls from several Python threads wait for each other.

    Args:
        threads: the number of working threads, including the caller's; by default as many as the process may run on.
        instruction_set: one of `instruction_sets()`; by default that of CONVSCOPE_ISA, or else the fastest.
        precision: the type to which the factors of products are rounded; see `Recipe.precision`. For `bfloat16` the
            instruction set is one of `instruction_sets("bfloat16")`.

    Raises:
        ValueError: if the weights do not fit, if threads < 1, or if the instruction set is unknown or not usable here.
        RecipeError: if this processor has no instructions for the precision.
        ArchitectureError: if there is a layer that this engine does not have.
    """

    def __init__(
        self,
        architecture: Architecture,
        weights: Weights,
        threads: int | None = None,
        instruction_set: str | None = None,
        precision: Precision = "float32",
    ) -> None:
        check_weights(architecture, weights)
        threads = choose_threads(threads)
        self._architecture = architecture
        # Attributes, since each call for an image needs them, and a property takes a tenth of a microsecond.
        self._image_shape, self._num_classes = architecture.input.shape, architecture.num_classes
        self._trained, self._moving = trainable_pairs(architecture), moving_pairs(architecture)
        trained, image = architecture.trainable_weight_shapes, architecture.input
        # The shapes of the moving statistics, and of the kernels that training in few bits rounds.
        self._moving_shapes = {name: s for name, s in architecture.weight_shapes.items() if name not in trained}
        self._kernel_shapes = {name: architecture.weight_shapes[name] for name in kernel_filters(architecture)}
        layers, isa = plain_layers(architecture, precision), choose_instruction_set(instruction_set, precision)
        self._core = _native.Core(list(image.shape), image.scale, image.offset, layers, threads, isa)
        self._write("weights", weights)
        for pair in self._moving:
            self._core.write_moving(pair.layer, False, *pair.arrays(weights))
        # Frees the core at the latest when the interpreter ends, because nanobind reports objects that are left then.
        finalize(self, vars(self).clear)

    @property
    def architecture(self) -> Architecture:
        return self._architecture

    @property
    def threads(self) -> int:
        """The largest number of working threads."""
        return self._core.threads

    @property
    def instruction_set(self) -> str:
        """The instruction set of the kernels in use."""
        return self._core.instruction_set

    def weights(self) -> dict[str, NDArray[np.float32]]:
        trained = self._read("weights")
        # In the order of the architecture: the trained weights, and empty arrays for the moving statistics read below.
        values = {name: trained.get(name, empty) for name, empty in _empty(self._architecture.weight_shapes).items()}
        for pair in self._moving:
            self._core.read_moving(pair.layer, False, *pair.arrays(values))
        return values

    def optimizer_state(self) -> dict[str, NDArray[Any]]:
        state: dict[str, NDArray[Any]] = {"step": np.array(self._core.steps, np.int64)}
        for moment in ("m", "v", "unaveraged") if self._core.averaged else ("m", "v"):
            state |= {f"{moment}/{name}": value for name, value in self._read(moment).items()}
        if self._core.averaged:
            statistics = _empty(self._moving_shapes)
            for pair in self._moving:
                self._core.read_moving(pair.layer, True, *pair.arrays(statistics))
            state |= {f"unaveraged/{name}": value for name, value in statistics.items()}
        # A state has unrounded kernels only of layers that were trained in few bits.
        rounded = {pair.kernel for pair in self._trained if self._core.rounded(pair.layer)}
        return state | {
            f"unrounded/{name}": value for name, value in self._read("unrounded").items() if name in rounded
        }

    def set_optimizer_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore a state from `optimizer_state`, bit for bit.

        Raises:
            ValueError: if something is missing, unknown, of another shape, or not a count or finite.
        """
        # All is checked before anything is written, so that a wrong state leaves the network as it was.
        m, v, unaveraged, statistics, kernels = self._check_optimizer_state(state)
        for moment, values in (("m", m), ("v", v), ("unaveraged", unaveraged)):
            if values:
                self._write(moment, values)
        # States of earlier versions have no statistics: their average starts from the present ones.
        for pair in self._moving if statistics else ():
            self._core.write_moving(pair.layer, True, *pair.arrays(statistics))
        # Each kernel is written together with its present bias, which is not rounded.
        present = self.weights() | kernels
        for pair in self._trained:
            if pair.kernel in kernels:
                self._core.write(pair.layer, "unrounded", *pair.arrays(present))
        self._core.steps = int(state["step"])

    def _check_optimizer_state(self, state: Mapping[str, NDArray[Any]]) -> list[dict[str, NDArray[Any]]]:
        """Check a state for `set_optimizer_state`, and divide its arrays, by the names of their weights.

        Returns:
            The arrays of m, v, the unaveraged weights, the unaveraged moving statistics, and the unrounded kernels. The
            last three are empty if the state was stored without averaging or without rounding.
        """
        shapes = self._architecture.trainable_weight_shapes
        # Two groups have one prefix: `unaveraged/NAME` is a trained weight or a moving statistic.
        groups = [(part, shapes) for part in ("m", "v", "unaveraged")]
        groups += [("unaveraged", self._moving_shapes), ("unrounded", self._kernel_shapes)]
        # Those arrays of each group that the state has: for `m`, {"conv2d/kernel": state["m/conv2d/kernel"], ...}.
        arrays = [
            {name: state[f"{part}/{name}"] for name in expected if f"{part}/{name}" in state}
            for part, expected in groups
        ]
        known_names = {f"{part}/{name}" for (part, _), values in zip(groups, arrays, strict=True) for name in values}
        if unknown := sorted(state.keys() - {"step"} - known_names):
            raise ValueError(f"optimizer state {unknown[0]} belongs to no weight of the architecture")
        if "step" not in state or state["step"].shape != () or int(state["step"]) < 0:
            raise ValueError(f"optimizer state step is {state.get('step')}; it must be one whole number from 0")
        for (part, expected), values in zip(groups, arrays, strict=True):
            if values or part in ("m", "v"):
                try:
                    check_arrays(expected, values)
                except ValueError as error:
                    raise ValueError(f"optimizer state {part}: {error}") from error
        return arrays

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
        """Train one step for each batch of `order`; see `Network.train_epoch`.

        Raises:
            ValueError: if the images are of another size, a label has no output, `order` is empty or points outside the
                data set, or there is not one learning rate for each batch.
        """
        check_images(dataset.images, self._image_shape)
        labels = self._check_labels(dataset.labels, len(dataset))
        # Copies: the progress callback and other threads may write to the caller's arrays after they were checked.
        order = np.array(order, np.int64, order="C")
        # The C++ side indexes without checks.
        if order.ndim != 1 or not order.size:
            raise ValueError(f"order has shape {order.shape}; it must list at least one image")
        if order.min() < 0 or order.max() >= len(dataset):
            raise ValueError(f"order runs from {order.min()} to {order.max()}, but there are {len(dataset)} images")
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; it must be at least 1")
        batches = -(-len(order) // batch_size)  # rounded up: the last batch may be short
        rates = np.array(learning_rates, np.float32, order="C")
        if rates.shape != (batches,):
            raise ValueError(f"learning_rates has shape {rates.shape}; it must be ({batches},), one per batch")
        settings, classes = _to_native_settings(options), self._architecture.num_classes
        shape = np.shape(settings.loss.class_weights)
        if options.class_weights is not None and shape != (classes,):
            raise ValueError(f"class_weights has shape {shape}; it must be ({classes},), one per class")
        weights = None if dataset.weights is None else np.ascontiguousarray(dataset.weights)
        pixels = np.ascontiguousarray(dataset.images)
        sums = (0, 0.0, 0)  # images, their loss, and how many are right
        for start, stop in pairwise(sorted({0, *pauses, batches})):
            part = order[start * batch_size : stop * batch_size]
            sums = self._core.train(
                pixels, labels, weights, part, batch_size, rates[start:stop], settings, progress, sums
            )
            if on_pause is not None and stop in pauses:
                on_pause(stop)
        images, loss, correct = sums
        return EpochResult(loss / images, correct / images)

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        check_images(images, self._image_shape)
        logits = np.empty((len(images), self._num_classes), np.float32)
        if is_on_disk(images):  # a block at a time: the whole may be larger than memory
            start = 0
            for block in blocks(images):
                self._core.logits(block, logits[start : start + len(block)])
                start += len(block)
        else:
            self._core.logits(np.ascontiguousarray(images), logits)
        return logits

    def activations(self, images: NDArray[np.uint8], layers: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        check_images(images, self._image_shape)
        table = self._architecture.table
        indices = self._list_indices(layers)
        outputs = [np.empty((len(images), *table[index].output_shape), np.float32) for index in indices]
        self._core.activations(np.ascontiguousarray(images), indices, outputs)
        for index, output in zip(indices, outputs, strict=True):
            # The C++ side ends with the logits, from which it computes the loss.
            if getattr(table[index].layer, "activation", "linear") == "softmax":
                exponentials = np.exp(output - output.max(axis=1, keepdims=True), dtype=np.float64)
                output[:] = exponentials / exponentials.sum(axis=1, keepdims=True)
        return dict(zip(layers, outputs, strict=True))

    def gradients(
        self, images: NDArray[np.uint8], labels: NDArray[np.int64]
    ) -> tuple[float, dict[str, NDArray[np.floating[Any]]]]:
        """Compute the mean cross-entropy over the images, and its gradient with respect to each weight.

        Raises:
            ValueError: if there are no images, they are of another size, or a label has no output.
        """
        check_images(images, self._image_shape)
        if not len(images):
            raise ValueError("there are no images; a mean needs at least one")
        checked = self._check_labels(labels, len(images))
        gradients = _empty(self._architecture.trainable_weight_shapes)
        layers = [pair.layer for pair in self._trained]
        # The C++ side writes into these arrays; that of a layer without a bias is thrown away.
        kernels, biases = zip(*(pair.arrays(gradients) for pair in self._trained), strict=True) if layers else ((), ())
        loss = self._core.gradients(np.ascontiguousarray(images), checked, layers, list(kernels), list(biases))
        return loss / len(images), dict(gradients)

    def layer_gradients(
        self, images: NDArray[np.uint8], dlogits: NDArray[np.floating[Any]], layers: Sequence[str]
    ) -> dict[str, NDArray[np.floating[Any]]]:
        check_images(images, self._image_shape)
        check_dlogits(self._architecture, dlogits, len(images))
        table = self._architecture.table
        indices = [-1 if name == "input" else self._list_indices([name])[0] for name in layers]  # -1: the image
        shapes = [images.shape[1:] if index < 0 else table[index].output_shape for index in indices]
        outputs = [np.empty((len(images), *shape), np.float32) for shape in shapes]
        dlogits = np.ascontiguousarray(dlogits, np.float32)
        self._core.layer_gradients(np.ascontiguousarray(images), dlogits, indices, outputs)
        return dict(zip(layers, outputs, strict=True))

    def ablation_logits(self, images: NDArray[np.uint8], ablations: Sequence[Ablation]) -> NDArray[np.float32]:
        check_images(images, self._image_shape)
        ablations = [tuple(ablation) for ablation in ablations]  # copies, which no thread changes after the check
        check_ablations(self._architecture, ablations)
        index = {row.layer.name: number for number, row in enumerate(self._architecture.table)}
        # All ablations in flat arrays. The replacements of ablation l end at the l-th cumulative sum of their numbers:
        # ablations of a, of b and c, and of nothing have the replacements a b c and the ends 1 3 3.
        all_replacements = [replacement for ablation in ablations for replacement in ablation]
        logits = np.empty((len(ablations), len(images), self._architecture.num_classes), np.float32)
        self._core.ablation_logits(
            np.ascontiguousarray(images),
            np.cumsum([len(ablation) for ablation in ablations], dtype=np.int64),
            np.array([index[replacement.layer] for replacement in all_replacements], np.int64),
            np.array([replacement.filter for replacement in all_replacements], np.int64),
            np.array([replacement.value for replacement in all_replacements], np.float32),
            logits,
        )
        return logits

    def _list_indices(self, layers: Sequence[str]) -> list[int]:
        """List the indices of layers in the table; raises `KeyError` for an unknown one."""
        indices = {row.layer.name: index for index, row in enumerate(self._architecture.table)}
        return [indices[self._architecture.row(name).layer.name] for name in layers]

    def _check_labels(self, labels: NDArray[Any], count: int) -> NDArray[np.int64]:
        """Copy and check the labels."""
        # A copy, which no other thread can change after the check.
        classes = self._architecture.num_classes
        labels = np.array(labels, order="C")
        if labels.shape != (count,) or labels.dtype.kind not in "iu":
            raise ValueError(
                f"labels are {labels.dtype} of shape {labels.shape}; they must be whole numbers ({count},)"
            )
        if labels.min() < 0 or labels.max() >= classes:
            raise ValueError(f"labels run from {labels.min()} to {labels.max()}; the network has {classes} outputs")
        return labels.astype(np.int64, copy=False)

    def _write(self, field: str, values: Mapping[str, NDArray[Any]]) -> None:
        for pair in self._trained:
            self._core.write(pair.layer, field, *pair.arrays(values))

    def _read(self, field: str) -> dict[str, NDArray[np.float32]]:
        values = _empty(self._architecture.trainable_weight_shapes)
        for pair in self._trained:
            self._core.read(pair.layer, field, *pair.arrays(values))
        return values


def _empty(shapes: Mapping[str, Shape]) -> dict[str, NDArray[np.float32]]:
    return {name: np.empty(shape, np.float32) for name, shape in shapes.items()}


def _to_native_settings(options: EpochOptions) -> _native.Settings:
    """Convert the options to the struct of the C++ side, whose fields have the same names."""
    settings = _native.Settings()
    settings.optimizer.kind = type(options.optimizer).__name__
    for name, value in vars(options.optimizer).items():
        if name != "learning_rate":  # each step has its own
            setattr(settings.optimizer, name, value)
    settings.loss.label_smoothing = options.label_smoothing
    if options.class_weights is not None:
        settings.loss.class_weights = [float(weight) for weight in options.class_weights]
    settings.augmentation = _to_native_augmentation(options.augmentation, options.augmentation_key)
    settings.dropout_key = options.dropout_key
    # For the C++ side, 0 stands for None.
    settings.clip_norm = options.clip_norm or 0.0
    settings.averaging = options.averaging
    settings.weight_bits = options.weight_bits or 0
    return settings


def _to_native_augmentation(augmentation: Augmentation, key: int) -> _native.Augmentation:
    result = _native.Augmentation()
    for name, value in vars(augmentation).items():
        setattr(result, name, value)
    result.key = key
    return result
