"""A network in NumPy and float64, made of the layers whose mathematics `reference_layers` holds, and Adam.

It is written to be read, and to be the oracle that the native engine is held against.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import (
    Add,
    Architecture,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    Layer,
    MaxPooling2D,
)
from convscope.architecture.layers import NON_TRAINABLE_WEIGHTS
from convscope.datasets import Dataset
from convscope.engine.augmentation import augment
from convscope.engine.loss import Labels, cross_entropy, cross_entropy_backward, softmax
from convscope.engine.network import (
    EpochOptions,
    EpochResult,
    Lesion,
    Progress,
    Weights,
    check_dlogits,
    check_images,
    check_lesions,
    float_array,
)
from convscope.engine.reference_layers import (
    ACTIVATIONS,
    Array,
    average_pooling,
    average_pooling_backward,
    batch_normalization,
    batch_normalization_backward,
    batch_statistics,
    batch_statistics_backward,
    convolution,
    convolution_backward,
    dense,
    dense_backward,
    depthwise,
    depthwise_backward,
    dropout,
    dropout_backward,
    dropout_kept,
    max_pooling,
    max_pooling_backward,
    whole_map,
)
from convscope.engine.steps import adam, clipped, momentum
from convscope.recipes import Adam, Optimizer

_BLOCK = 64  # images computed at once when no gradient is asked for, so that memory does not grow with their number


# --- The network ------------------------------------------------------------------------------------------------------


_Kept = dict[str, NDArray[np.bool_]]


class _State(NamedTuple):
    """All that a step changes, as one value: an interrupt finds the state before a step or after it."""

    step: int
    weights: dict[str, Array]  # all of them; the other dicts hold those that are trained
    m: dict[str, Array]
    v: dict[str, Array]
    # The average of the trained weights within an epoch; between epochs that is in `weights`, and training goes on from
    # this.
    other: dict[str, Array] | None = None


class _Step(NamedTuple):
    """What is computed at once: a layer, or behind it the activation that it names."""

    layer: Layer
    activation: str = ""


class ReferenceNetwork:
    """A `Network` (see `convscope.engine.network`) in NumPy; everything inside it is float64.

    `weights()` rounds to float32; what that leaves out is in `optimizer_state()`, so the two together lose nothing.
    """

    def __init__(self, architecture: Architecture, weights: Weights) -> None:
        self._architecture = architecture
        self._steps: list[_Step] = []
        for layer in architecture.layers:
            self._steps.append(_Step(layer))
            if (activation := getattr(layer, "activation", "")) in ACTIVATIONS:
                self._steps.append(_Step(layer, activation))
        # Where among the values of `_forward` a layer's output stands: behind its activation.
        self._output_of = {"input": 0} | {layer.name: number for number, (layer, _) in enumerate(self._steps, 1)}
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
        return {name: weight.astype(np.float32) for name, weight in self._state.weights.items()}

    def optimizer_state(self) -> dict[str, NDArray[Any]]:
        state: dict[str, NDArray[Any]] = {"step": np.array(self._state.step, np.int64)}
        for name, weight in self._state.weights.items():
            # What `weights` rounds away; without it a continued training would differ from an unbroken one.
            state[f"remainder/{name}"] = weight - weight.astype(np.float32)
        for part, arrays in (("m", self._state.m), ("v", self._state.v), ("unaveraged", self._state.other)):
            state |= {f"{part}/{name}": array.copy() for name, array in (arrays or {}).items()}
        return state

    def set_optimizer_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        taken: dict[str, dict[str, Array]] = {"m": {}, "v": {}, "remainder": {}}
        if any(name.startswith("unaveraged/") for name in state):
            taken["unaveraged"] = {}
        for part, arrays in taken.items():
            for name in self._state.weights if part == "remainder" else self._state.m:
                value, weight = state[f"{part}/{name}"], self._state.weights[name]
                if value.shape != weight.shape:
                    raise ValueError(f"optimizer state {part}/{name} is {value.shape}; it must be {weight.shape}")
                arrays[name] = np.array(value, np.float64)
        weights = {name: weight + taken["remainder"][name] for name, weight in self.weights().items()}
        self._state = _State(int(state["step"]), weights, taken["m"], taken["v"], taken.get("unaveraged"))

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
        starts = range(0, len(order), batch_size)
        if not len(starts) == len(learning_rates) > 0:
            raise ValueError(f"{len(learning_rates)} learning rates for {len(starts)} batches; there must be one each")
        if not options.averaging:
            self._state = self._state._replace(other=None)
        elif self._state.other is None:
            self._state = self._state._replace(other={name: self._state.weights[name] for name in self._state.m})
        else:
            self._exchange_average()
        done, loss_sum, num_correct = 0, 0.0, 0
        loss = (options.label_smoothing, options.class_weights)
        try:
            for start, learning_rate in zip(starts, learning_rates.tolist(), strict=True):
                batch = order[start : start + batch_size]
                labels = dataset.labels[batch]
                images = augment(dataset.images[batch], options.augmentation, options.augmentation_key, start)
                kept = self._kept(options.dropout_key, start, len(batch))
                values = self._forward(images, kept)
                logits = values[-1]
                loss_sum += cross_entropy(logits, labels, *loss) * len(batch)
                num_correct += int((logits.argmax(axis=1) == labels).sum())
                gradients, _ = self._backward(values, cross_entropy_backward(logits, labels, *loss), kept)
                if options.clip_norm is not None:
                    gradients = clipped(gradients, options.clip_norm)
                self._take_step(
                    gradients, self._moved_statistics(values), learning_rate, options.optimizer, options.averaging
                )
                done += len(batch)
                if progress is not None:
                    progress(done, loss_sum / done, num_correct / done)
        finally:
            if options.averaging:
                self._exchange_average()
        return EpochResult(loss_sum / done, num_correct / done)

    def _exchange_average(self) -> None:
        weights, other = self._state.weights, self._state.other
        assert other is not None
        self._state = self._state._replace(weights=weights | other, other={name: weights[name] for name in other})

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        check_images(images, self._architecture.input.shape)
        result = np.empty((len(images), self._architecture.num_classes), np.float32)
        for block in _blocks(len(images)):
            result[block] = self._forward(images[block])[-1]
        return result

    def activations(self, images: NDArray[np.uint8], layers: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        check_images(images, self._architecture.input.shape)
        rows = {name: self._architecture.row(name) for name in layers}
        result = {name: np.empty((len(images), *row.output_shape), np.float32) for name, row in rows.items()}
        for block in _blocks(len(images)):
            values = self._forward(images[block])
            for name, row in rows.items():
                value = values[self._output_of[name]]
                is_softmax = getattr(row.layer, "activation", "") == "softmax"
                result[name][block] = softmax(value) if is_softmax else value
        return result

    def gradients(
        self, images: NDArray[np.uint8], labels: Labels
    ) -> tuple[float, dict[str, NDArray[np.floating[Any]]]]:
        values = self._forward(images)
        gradients, _ = self._backward(values, cross_entropy_backward(values[-1], labels))
        return cross_entropy(values[-1], labels), dict(gradients)

    def layer_gradients(
        self, images: NDArray[np.uint8], dlogits: NDArray[np.floating[Any]], layers: Sequence[str]
    ) -> dict[str, NDArray[np.floating[Any]]]:
        check_dlogits(self._architecture, dlogits, len(images))
        shapes = {n: images.shape[1:] if n == "input" else self._architecture.row(n).output_shape for n in layers}
        result: dict[str, NDArray[Any]] = {name: np.empty((len(images), *shape)) for name, shape in shapes.items()}
        for block in _blocks(len(images)):
            _, dvalues = self._backward(self._forward(images[block]), dlogits[block].astype(np.float64))
            for name, gradients in result.items():
                gradients[block] = dvalues[self._output_of[name]]
        return result

    def lesioned_logits(self, images: NDArray[np.uint8], lesions: Sequence[Lesion]) -> NDArray[np.float32]:
        check_lesions(self._architecture, lesions)
        result = np.empty((len(lesions), len(images), self._architecture.num_classes), np.float32)
        for block in _blocks(len(images)):
            for logits, lesion in zip(result, lesions, strict=True):
                logits[block] = self._forward(images[block], lesion=lesion)[-1]
        return result

    def _kept(self, key: int, first: int, images: int) -> _Kept:
        """Return by its name what each `Dropout` keeps of `images` images, from number `first` of the epoch."""
        return {
            row.layer.name: dropout_kept(key, number, first, (images, *row.input_shape), row.layer.dropped)
            for number, row in enumerate(self._architecture.table)
            if isinstance(row.layer, Dropout)
        }

    def _forward(self, images: NDArray[np.uint8], kept: _Kept | None = None, lesion: Lesion = ()) -> list[Array]:
        """Return the normalised images and then the output of every step, the last one's without its softmax.

        While training, `kept` is what `_kept` returned, and normalisation is by the batch's own statistics. Without it
        nothing is dropped, and the moving statistics are used.
        """
        given = self._architecture.input
        values = [images.astype(np.float64) * given.scale + given.offset]
        for layer, activation in self._steps:
            x = values[-1]
            match layer:
                case _ if activation:
                    y = ACTIVATIONS[activation][0](x)
                case Conv2D():
                    y = convolution(x, *self._layer_weights(layer), layer.window)
                case DepthwiseConv2D():
                    y = depthwise(x, *self._layer_weights(layer), layer.window)
                case MaxPooling2D():
                    y = max_pooling(x, layer.window)
                case AveragePooling2D():
                    y = average_pooling(x, layer.window)
                case GlobalMaxPooling2D():
                    y = max_pooling(x, whole_map(x))[:, 0, 0]
                case GlobalAveragePooling2D():
                    y = average_pooling(x, whole_map(x))[:, 0, 0]
                case Dense():
                    y = dense(x, *self._layer_weights(layer))
                case Dropout():
                    y = dropout(x, kept[layer.name], layer.dropped / 2**24) if kept is not None else x
                case BatchNormalization():
                    gamma, beta = self._layer_weights(layer)
                    mean, variance = self._moving_statistics(layer) if kept is None else batch_statistics(x)
                    y = batch_normalization(x, gamma, beta, mean, variance, layer.epsilon)
                case Add():
                    y = x + values[self._output_of[layer.from_layer]]
                case _:
                    y = x.reshape(len(x), -1)
            if self._output_of[layer.name] == len(values):
                y = _lesioned(y, layer, lesion)
            values.append(y)
        return values

    def _backward(
        self, values: list[Array], dlogits: Array, kept: _Kept | None = None
    ) -> tuple[dict[str, Array], list[Array]]:
        """Return the gradients by each trained weight and by each of the values that `_forward` returned."""
        gradients: dict[str, Array] = {}
        added: dict[int, Array] = {}  # to the gradient by one of `values`, by those `Add` layers that read it
        dy = dlogits
        dvalues = [dy]
        for number, ((layer, activation), x) in reversed(list(enumerate(zip(self._steps, values[:-1], strict=True)))):
            match layer:
                case _ if activation:
                    dy = ACTIVATIONS[activation][1](dy, x)
                case Conv2D():
                    kernel, _ = self._layer_weights(layer)
                    dy, dkernel, dbias = convolution_backward(dy, x, kernel, layer.window)
                    gradients |= {f"{layer.name}/kernel": dkernel, f"{layer.name}/bias": dbias}
                case DepthwiseConv2D():
                    kernel, _ = self._layer_weights(layer)
                    dy, dkernel, dbias = depthwise_backward(dy, x, kernel, layer.window)
                    gradients |= {f"{layer.name}/kernel": dkernel, f"{layer.name}/bias": dbias}
                case MaxPooling2D():
                    dy = max_pooling_backward(dy, x, layer.window)
                case AveragePooling2D():
                    dy = average_pooling_backward(dy, x, layer.window)
                case GlobalMaxPooling2D():
                    dy = max_pooling_backward(dy[:, None, None], x, whole_map(x))
                case GlobalAveragePooling2D():
                    dy = average_pooling_backward(dy[:, None, None], x, whole_map(x))
                case Dense():
                    kernel, _ = self._layer_weights(layer)
                    dy, dkernel, dbias = dense_backward(dy, x, kernel)
                    gradients |= {f"{layer.name}/kernel": dkernel, f"{layer.name}/bias": dbias}
                case Dropout():
                    dy = dy if kept is None else dropout_backward(dy, kept[layer.name], layer.dropped / 2**24)
                case BatchNormalization():
                    gamma, _ = self._layer_weights(layer)
                    mean, variance = self._moving_statistics(layer) if kept is None else batch_statistics(x)
                    dy, dgamma, dbeta = batch_normalization_backward(dy, x, gamma, mean, variance, layer.epsilon)
                    dy = dy if kept is None else batch_statistics_backward(dy, x, layer.epsilon)
                    gradients |= {f"{layer.name}/gamma": dgamma, f"{layer.name}/beta": dbeta}
                case Add():  # y = x + other, so both are given dy
                    other = self._output_of[layer.from_layer]
                    added[other] = added.get(other, 0) + dy
                case _:
                    dy = dy.reshape(x.shape)
            dy = dy + added.pop(number, 0)
            dvalues.append(dy)
        return {name: gradients[name] for name in self._state.m}, dvalues[::-1]

    def _layer_weights(self, layer: Layer) -> tuple[Array, Array]:
        """Return kernel and bias, or gamma and beta; where a layer has no bias, one that is zero."""
        weights = self._state.weights
        if isinstance(layer, BatchNormalization):
            return weights[f"{layer.name}/gamma"], weights[f"{layer.name}/beta"]
        return weights[f"{layer.name}/kernel"], weights.get(f"{layer.name}/bias", np.zeros(1))

    def _moving_statistics(self, layer: BatchNormalization) -> tuple[Array, Array]:
        mean, variance = (self._state.weights[f"{layer.name}/{name}"] for name in NON_TRAINABLE_WEIGHTS)
        return mean, variance

    def _moved_statistics(self, values: list[Array]) -> dict[str, Array]:
        """Return the moving statistics by name after a step over the batch for which `_forward` returned `values`.

        moving ← moving · momentum + batch · (1 - momentum)
        """
        moved = {}
        for (layer, activation), x in zip(self._steps, values[:-1], strict=True):
            if isinstance(layer, BatchNormalization) and not activation:
                statistics = zip(self._moving_statistics(layer), batch_statistics(x), strict=True)
                for name, (moving, batch) in zip(NON_TRAINABLE_WEIGHTS, statistics, strict=True):
                    moved[f"{layer.name}/{name}"] = moving * layer.momentum + batch * (1 - layer.momentum)
        return moved

    def _take_step(
        self,
        gradients: dict[str, Array],
        statistics: dict[str, Array],
        learning_rate: float,
        optimizer: Optimizer,
        averaging: float,
    ) -> None:
        old = self._state
        new = _State(old.step + 1, old.weights | statistics, {}, {}, None if old.other is None else {})
        for name, gradient in gradients.items():
            weight, m, v = old.weights[name], old.m[name], old.v[name]
            if isinstance(optimizer, Adam):
                weight, m, v = adam(weight, gradient, m, v, new.step, learning_rate, optimizer)
            else:
                weight, m = momentum(weight, gradient, m, learning_rate, optimizer)
            new.weights[name], new.m[name], new.v[name] = weight, m, v
            if old.other is not None and new.other is not None:
                average = old.other[name]
                new.other[name] = average + (1 - averaging) / (1 - averaging**new.step) * (weight - average)
        self._state = new


def _lesioned(y: Array, layer: Layer, lesion: Lesion) -> Array:
    """Return a layer's output with the lesion's replacements in it, if there are any."""
    replacements = [replacement for replacement in lesion if replacement.layer == layer.name]
    if replacements:
        y = y.copy()
    for replacement in replacements:
        y[..., replacement.filter] = replacement.value
    return y


def _blocks(num_images: int) -> list[slice]:
    return [slice(start, start + _BLOCK) for start in range(0, num_images, _BLOCK)]
