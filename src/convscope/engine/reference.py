"""A network in NumPy and float64, which trains and predicts by the passes of `reference_passes`.

It is written to be read, and as the oracle of the native engine's tests.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture
from convscope.base.metrics import softmax
from convscope.data.datasets import Dataset
from convscope.engine.augmentation import augment
from convscope.engine.loss import Labels, cross_entropy, cross_entropy_backward, loss_factors
from convscope.engine.network import (
    Ablation,
    EpochOptions,
    EpochResult,
    Progress,
    Weights,
    check_ablations,
    check_dlogits,
    check_images,
    float_array,
    image_blocks,
)
from convscope.engine.optimizer_steps import clip_gradients, take_step
from convscope.engine.reference_layers import Array
from convscope.engine.reference_passes import DropoutMasks, Passes
from convscope.engine.rounding import kernel_filters, round_kernel
from convscope.recipes import WeightBits

_VALUE_BYTES = 8  # a float64


class _State(NamedTuple):
    """All values that a step changes, as one object: an interrupt finds the state before a step or after it.

    With averaging, there are two sets of weights, and `_swap_average` exchanges them at both ends of an epoch. The
    network computes with `weights`:

                          within an epoch       between epochs
        weights           the trained ones      their average
        swapped_weights   their average         the trained ones

    With few bits, the kernels in `weights` are rounded, and `unrounded` has them before that. The optimizer changes the
    unrounded ones, and averages are of these. So each exchange also rounds the kernels that come in.
    """

    step: int
    weights: dict[str, Array]  # all weights by name; `m` and `v` have only trained ones
    m: dict[str, Array]
    v: dict[str, Array]
    swapped_weights: dict[str, Array] | None = None  # None without averaging
    unrounded: Mapping[str, Array] = MappingProxyType({})  # empty unless training in few bits rounds the kernels

    @property
    def optimizer_weights(self) -> dict[str, Array]:
        """The weights that the optimizer changes: unrounded kernels in place of rounded ones."""
        return self.weights | dict(self.unrounded)

    def with_trained(self, trained: dict[str, Array], kernels: Mapping[str, int], bits: WeightBits | None) -> "_State":
        """Copy the state with other weights, of which the kernels are rounded to `bits`, if that is not None.

        Args:
            kernels: the number of filters of each kernel to round, by its name.
        """
        if bits is None:
            return self._replace(weights=trained, unrounded=MappingProxyType({}))
        rounded = {name: round_kernel(trained[name], filters, bits) for name, filters in kernels.items()}
        return self._replace(weights=trained | rounded, unrounded={name: trained[name] for name in kernels})


class ReferenceNetwork:
    """A `Network` (see `convscope.engine.network`) in NumPy; everything inside it is float64.

    `weights()` rounds to float32; the remainders are in `optimizer_state()`, so the two together lose nothing.
    """

    def __init__(self, architecture: Architecture, weights: Weights) -> None:
        self._architecture = architecture
        self._passes = Passes(architecture)
        self._kernels = kernel_filters(architecture)
        trained = architecture.trainable_weight_shapes
        self._state = _State(
            step=0,
            weights={n: np.array(float_array(weights[n], np.float64)) for n in architecture.weight_shapes},
            m={name: np.zeros(shape) for name, shape in trained.items()},
            v={name: np.zeros(shape) for name, shape in trained.items()},
        )

    @property
    def architecture(self) -> Architecture:
        return self._architecture

    def weights(self) -> dict[str, NDArray[np.float32]]:
        return {name: float_array(weight) for name, weight in self._state.weights.items()}

    def optimizer_state(self) -> dict[str, NDArray[Any]]:
        state: dict[str, NDArray[Any]] = {"step": np.array(self._state.step, np.int64)}
        for name, weight in self._state.weights.items():
            # The part that `weights` rounds off; without it a continued training would differ from an unbroken one.
            state[f"remainder/{name}"] = weight - float_array(weight)
        parts = {"m": self._state.m, "v": self._state.v, "unaveraged": self._state.swapped_weights or {}}
        for part, arrays in (parts | {"unrounded": dict(self._state.unrounded)}).items():
            state |= {f"{part}/{name}": array.copy() for name, array in arrays.items()}
        return state

    def set_optimizer_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        # The names that each part of the state has: `m/NAME`, `v/NAME`, ...
        trained = list(self._state.m)
        names_by_part = {"m": trained, "v": trained, "remainder": list(self._state.weights)}
        if any(name.startswith("unaveraged/") for name in state):
            # States of earlier versions have no moving statistics here: their average starts from the present ones.
            statistics = [n for n in self._state.weights if n not in self._state.m and f"unaveraged/{n}" in state]
            names_by_part["unaveraged"] = trained + statistics
        if any(name.startswith("unrounded/") for name in state):
            names_by_part["unrounded"] = list(self._kernels)
        # All values by part and name, checked before any is used.
        parts: dict[str, dict[str, Array]] = {part: {} for part in names_by_part}
        for part, arrays in parts.items():
            for name in names_by_part[part]:
                value, weight = state[f"{part}/{name}"], self._state.weights[name]
                if value.shape != weight.shape:
                    raise ValueError(f"optimizer state {part}/{name} is {value.shape}; it must be {weight.shape}")
                arrays[name] = np.array(value, np.float64)
        weights = {name: weight + parts["remainder"][name] for name, weight in self.weights().items()}
        swapped, unrounded = parts.get("unaveraged"), parts.get("unrounded", {})
        self._state = _State(int(state["step"]), weights, parts["m"], parts["v"], swapped, unrounded)

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
        starts = range(0, len(order), batch_size)
        if not len(starts) == len(learning_rates) > 0:
            raise ValueError(
                f"there are {len(learning_rates)} learning rates for {len(starts)} batches; give one per batch"
            )
        self._begin_epoch(options)
        num_done, loss_sum, num_correct = 0, 0.0, 0
        try:
            for start, learning_rate in zip(starts, learning_rates.tolist(), strict=True):
                batch = order[start : start + batch_size]
                labels = dataset.labels[batch]
                weights = None if dataset.weights is None else dataset.weights[batch]
                loss = (options.label_smoothing, loss_factors(labels, options.class_weights, weights))
                images = augment(dataset.images[batch], options.augmentation, options.augmentation_key, start)
                # Both draw by the image's position in the epoch, so batches of any size give the same changes.
                dropout_masks = self._passes.draw_dropout_masks(options.dropout_key, start, len(batch))
                values = self._forward(images, dropout_masks)
                logits = values[-1]
                loss_sum += cross_entropy(logits, labels, *loss) * len(batch)
                num_correct += int((logits.argmax(axis=1) == labels).sum())
                dlogits = cross_entropy_backward(logits, labels, *loss)
                gradients, _ = self._backward(values, dlogits, dropout_masks)
                if options.clip_norm is not None:
                    gradients = clip_gradients(gradients, options.clip_norm)
                statistics = self._passes.move_statistics(self._state.weights, values)
                self._take_step(gradients, statistics, learning_rate, options)
                num_done += len(batch)
                if progress is not None:
                    progress(num_done, loss_sum / num_done, num_correct / num_done)
        finally:  # after an interrupt too: between epochs `weights` has the average
            if options.averaging:
                self._swap_average(options.weight_bits)
        return EpochResult(loss_sum / num_done, num_correct / num_done)

    def _begin_epoch(self, options: EpochOptions) -> None:
        """Round the kernels, and with averaging compute with the trained weights in place of their average."""
        # Rounded anew, since the last epoch may have had another number of bits.
        trained = self._state.weights if options.weight_bits is None else self._state.optimizer_weights
        self._state = self._state.with_trained(trained, self._kernels, options.weight_bits)
        if not options.averaging:
            self._state = self._state._replace(swapped_weights=None)
        else:
            # In the first epoch with averaging, both sets are the present weights. Later these only stand in for what
            # the state of an earlier version lacks.
            unaveraged = self._state.optimizer_weights | (self._state.swapped_weights or {})
            self._state = self._state._replace(swapped_weights=unaveraged)
            self._swap_average(options.weight_bits)

    def _swap_average(self, bits: WeightBits | None) -> None:
        """Exchange the trained weights and their average, see `_State`."""
        present, swapped = self._state.optimizer_weights, self._state.swapped_weights
        assert swapped is not None
        self._state = self._state._replace(swapped_weights=present).with_trained(swapped, self._kernels, bits)

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = self.ablation_logits(images, [()])[0]
        return logits

    def activations(self, images: NDArray[np.uint8], layers: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        check_images(images, self._architecture.input.shape)
        rows = {name: self._architecture.row(name) for name in layers}
        result = {name: np.empty((len(images), *row.output_shape), np.float32) for name, row in rows.items()}
        for block in image_blocks(self._architecture, len(images), _VALUE_BYTES):
            values = self._forward(images[block])
            for name, row in rows.items():
                value = values[self._passes.output_of[name]]
                is_softmax = getattr(row.layer, "activation", "") == "softmax"
                result[name][block] = softmax(value) if is_softmax else value
        return result

    def gradients(
        self, images: NDArray[np.uint8], labels: Labels
    ) -> tuple[float, dict[str, NDArray[np.floating[Any]]]]:
        values = self._forward(images)
        gradients, _ = self._backward(values, cross_entropy_backward(values[-1], labels))
        return cross_entropy(values[-1], labels), dict(gradients)

    def weight_gradients(
        self, images: NDArray[np.uint8], dlogits: NDArray[np.floating[Any]]
    ) -> dict[str, NDArray[np.floating[Any]]]:
        """Compute the gradient of Σ_n Σ_k dlogits[n, k] · logits[n, k] for each trained weight, by name, in float64.

        Raises:
            ValueError: if dlogits are not (N, K) or not finite.
        """
        check_dlogits(self._architecture, dlogits, len(images))
        shapes = self._architecture.trainable_weight_shapes
        result: dict[str, NDArray[Any]] = {name: np.zeros(shape) for name, shape in shapes.items()}
        for block in image_blocks(self._architecture, len(images), _VALUE_BYTES):
            gradients, _ = self._backward(self._forward(images[block]), dlogits[block].astype(np.float64))
            for name, gradient in gradients.items():
                result[name] += gradient
        return result

    def layer_gradients(
        self, images: NDArray[np.uint8], dlogits: NDArray[np.floating[Any]], layers: Sequence[str]
    ) -> dict[str, NDArray[np.floating[Any]]]:
        check_dlogits(self._architecture, dlogits, len(images))
        shapes = {n: images.shape[1:] if n == "input" else self._architecture.row(n).output_shape for n in layers}
        result: dict[str, NDArray[Any]] = {name: np.empty((len(images), *shape)) for name, shape in shapes.items()}
        for block in image_blocks(self._architecture, len(images), _VALUE_BYTES):
            values = self._forward(images[block])
            _, dvalues = self._backward(values, dlogits[block].astype(np.float64))
            for name, gradients in result.items():  # `dvalues` has an array for each step of the passes
                gradients[block] = dvalues[self._passes.output_of[name]]
        return result

    def ablation_logits(self, images: NDArray[np.uint8], ablations: Sequence[Ablation]) -> NDArray[np.float32]:
        check_images(images, self._architecture.input.shape)
        check_ablations(self._architecture, ablations)
        result = np.empty((len(ablations), len(images), self._architecture.num_classes), np.float32)
        for block in image_blocks(self._architecture, len(images), _VALUE_BYTES):
            for logits, ablation in zip(result, ablations, strict=True):
                logits[block] = self._forward(images[block], ablation=ablation)[-1]
        return result

    def _forward(
        self, images: NDArray[np.uint8], masks: DropoutMasks | None = None, ablation: Ablation = ()
    ) -> list[Array]:
        return self._passes.forward(self._state.weights, images, masks, ablation)

    def _backward(
        self, values: list[Array], dlogits: Array, masks: DropoutMasks | None = None
    ) -> tuple[dict[str, Array], list[Array]]:
        return self._passes.backward(self._state.weights, values, dlogits, masks)

    def _take_step(
        self, gradients: dict[str, Array], statistics: dict[str, Array], learning_rate: float, options: EpochOptions
    ) -> None:
        """Change the state by one step of the optimizer; `statistics` are the new moving statistics."""
        old = self._state
        # A new state is filled, and takes the place of the old one in a single assignment at the end.
        new = _State(old.step + 1, {}, {}, {}, None if old.swapped_weights is None else {})
        trained = old.optimizer_weights | statistics
        for name, gradient in gradients.items():
            weight, m, v = trained[name], old.m[name], old.v[name]
            weight, m, v = take_step(name, weight, gradient, m, v, new.step, learning_rate, options.optimizer)
            trained[name], new.m[name], new.v[name] = weight, m, v
        if old.swapped_weights is not None and new.swapped_weights is not None:
            # Weighted so that the average is unbiased from its first step on, as Adam's moments are. With 0.9, the
            # shares of the newest weights are 1, 0.53, 0.37, ..., and 0.1 in the end.
            share = (1 - options.averaging) / (1 - options.averaging**new.step)
            for name, average in old.swapped_weights.items():
                new.swapped_weights[name] = average + share * (trained[name] - average)
        self._state = new.with_trained(trained, self._kernels, options.weight_bits)
