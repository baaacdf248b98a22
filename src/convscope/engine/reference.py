"""The mathematics of a convolutional network in NumPy and float64: each layer forward and backward beside its formula.

It is written to be read, and to be the oracle that the native engine is held against. It is tens of times slower, and
makes no attempt not to be.

Letters: n image, i j output row and column, c input channel, f filter (output channel), u v row and column within a
window, s t row and column strides. x is a layer's input, y its output. A backward function is given dy, the gradient of
the loss by y, and returns the gradients of the loss by everything that y was computed from (the chain rule).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from convscope.architecture import Architecture, Conv2D, Dense, Layer, MaxPooling2D
from convscope.architecture.layers import Pair, Window, padding_before
from convscope.datasets import Dataset
from convscope.engine.augmentation import augment
from convscope.engine.loss import cross_entropy, cross_entropy_backward, softmax
from convscope.engine.network import EpochResult, Progress, Weights
from convscope.engine.steps import adam, clipped, momentum
from convscope.recipes import Adam, Augmentation, Optimizer

Array = NDArray[np.float64]
Labels = NDArray[np.uint8] | NDArray[np.int64]

_BLOCK = 64  # images computed at once when no gradient is asked for, so that memory does not grow with their number


# --- Convolution ------------------------------------------------------------------------------------------------------


def convolution(x: Array, kernel: Array, bias: Array, window: Window) -> Array:
    """Return the convolution of x (N, H, W, C) by kernel (U, V, C, F) with bias (F,): y (N, H', W', F).

    y[n,i,j,f] = bias[f] + Σ_u Σ_v Σ_c x̂[n, i·s+u, j·t+v, c] · kernel[u,v,c,f]

    where x̂ is x with the zeros of `same` padding around it. (Mathematicians call this a cross-correlation.)
    """
    return bias + np.tensordot(_windows(_padded(x, window), window), kernel, axes=([4, 5, 3], [0, 1, 2]))


def convolution_backward(dy: Array, x: Array, kernel: Array, window: Window) -> tuple[Array, Array, Array]:
    """Return dx (N, H, W, C), dkernel (U, V, C, F) and dbias (F,) for dy (N, H', W', F).

    dkernel[u,v,c,f]          = Σ_n Σ_i Σ_j x̂[n, i·s+u, j·t+v, c] · dy[n,i,j,f]
    dbias[f]                  = Σ_n Σ_i Σ_j dy[n,i,j,f]
    dx̂[n, i·s+u, j·t+v, c]  += Σ_f dy[n,i,j,f] · kernel[u,v,c,f]      for all u, v, i, j

    and dx is dx̂ without the padding: nobody wants to know how the zeros should change.
    """
    padded = _padded(x, window)
    dkernel = np.tensordot(_windows(padded, window), dy, axes=([0, 1, 2], [0, 1, 2])).transpose(1, 2, 0, 3)
    dbias = dy.sum(axis=(0, 1, 2))
    dpadded = np.zeros_like(padded)
    for u, v, pixels in _positions(window, dy.shape[1:3]):
        dpadded[pixels] += dy @ kernel[u, v].T
    (top, _), (left, _) = _padding(x, window)
    return dpadded[:, top : top + x.shape[1], left : left + x.shape[2]], dkernel, dbias


# --- Max pooling ------------------------------------------------------------------------------------------------------


def max_pooling(x: Array, window: Window) -> Array:
    """Return the largest value of each window of each map of x (N, H, W, C): y (N, H', W', C).

    y[n,i,j,c] = max over u, v of x[n, i·s+u, j·t+v, c]
    """
    return np.asarray(_windows(x, window).max(axis=(4, 5)))


def max_pooling_backward(dy: Array, x: Array, window: Window) -> Array:
    """Return dx (N, H, W, C) for dy (N, H', W', C): only the winner of a window is given its gradient.

    dx[n, i·s+u, j·t+v, c] += dy[n,i,j,c]    where (u, v) is the first largest of the window, row by row

    Equal values happen often (a relu makes zeros), so which of them wins has to be said.
    """
    windows = _windows(x, window)
    winner = windows.reshape(*windows.shape[:4], -1).argmax(axis=4)
    dx = np.zeros_like(x)
    for u, v, pixels in _positions(window, dy.shape[1:3]):
        dx[pixels] += dy * (winner == u * window.size[1] + v)
    return dx


# --- Dense layer and activations --------------------------------------------------------------------------------------


def dense(x: Array, kernel: Array, bias: Array) -> Array:
    """Return y (N, units) for x (N, inputs), kernel (inputs, units) and bias (units,).

    y[n,k] = bias[k] + Σ_i x[n,i] · kernel[i,k]
    """
    return x @ kernel + bias


def dense_backward(dy: Array, x: Array, kernel: Array) -> tuple[Array, Array, Array]:
    """Return dx (N, inputs), dkernel (inputs, units) and dbias (units,) for dy (N, units).

    dx[n,i]      = Σ_k dy[n,k] · kernel[i,k]
    dkernel[i,k] = Σ_n x[n,i] · dy[n,k]
    dbias[k]     = Σ_n dy[n,k]
    """
    return dy @ kernel.T, x.T @ dy, dy.sum(axis=0)


def relu(x: Array) -> Array:
    """Return y = max(x, 0), number by number."""
    return np.maximum(x, 0)


def relu_backward(dy: Array, y: Array) -> Array:
    """Return dx = dy where y > 0, else 0 (at x = 0, where there is a kink, 0 as everywhere in the field)."""
    return np.where(y > 0, dy, 0)


# --- The network ------------------------------------------------------------------------------------------------------


class _State(NamedTuple):
    """All that a step changes, as one value: an interrupt finds the state before a step or after it."""

    step: int
    weights: dict[str, Array]
    m: dict[str, Array]
    v: dict[str, Array]
    # The average of the weights within an epoch; between epochs that is `weights`, and training goes on from this.
    other: dict[str, Array] | None = None


class ReferenceNetwork:
    """A `Network` (see `convscope.engine.network`) in NumPy; everything inside it is float64.

    `weights()` rounds to float32; what that leaves out is in `optimizer_state()`, so the two together lose nothing.
    """

    def __init__(self, architecture: Architecture, weights: Weights) -> None:
        self._architecture = architecture
        names = architecture.weight_shapes
        self._state = _State(
            step=0,
            weights={name: np.array(weights[name], np.float64) for name in names},
            m={name: np.zeros(weights[name].shape) for name in names},
            v={name: np.zeros(weights[name].shape) for name in names},
        )

    @property
    def architecture(self) -> Architecture:
        return self._architecture

    def weights(self) -> dict[str, NDArray[np.float32]]:
        return {name: weight.astype(np.float32) for name, weight in self._state.weights.items()}

    def optimizer_state(self) -> dict[str, NDArray[Any]]:
        state: dict[str, NDArray[Any]] = {"step": np.array(self._state.step, np.int64)}
        for name in self._state.weights:
            state[f"m/{name}"] = self._state.m[name].copy()
            state[f"v/{name}"] = self._state.v[name].copy()
            # What `weights` rounds away; without it a continued training would differ from an unbroken one.
            weight = self._state.weights[name]
            state[f"remainder/{name}"] = weight - weight.astype(np.float32)
            if self._state.other is not None:
                state[f"unaveraged/{name}"] = self._state.other[name].copy()
        return state

    def set_optimizer_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        taken: dict[str, dict[str, Array]] = {"m": {}, "v": {}, "remainder": {}}
        if any(name.startswith("unaveraged/") for name in state):
            taken["unaveraged"] = {}
        for name, weight in self._state.weights.items():
            for part, arrays in taken.items():
                value = state[f"{part}/{name}"]
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
        optimizer: Optimizer,
        learning_rates: NDArray[np.float32],
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | None = None,
        augmentation: Augmentation | None = None,
        augmentation_key: int = 0,
        clip_norm: float | None = None,
        averaging: float = 0.0,
        progress: Progress | None = None,
    ) -> EpochResult:
        starts = range(0, len(order), batch_size)
        if not len(starts) == len(learning_rates) > 0:
            raise ValueError(f"{len(learning_rates)} learning rates for {len(starts)} batches; there must be one each")
        if not averaging:
            self._state = self._state._replace(other=None)
        elif self._state.other is None:
            self._state = self._state._replace(other=self._state.weights)
        else:
            self._exchange_average()
        done, loss_sum, num_correct = 0, 0.0, 0
        loss = (label_smoothing, class_weights)
        try:
            for start, learning_rate in zip(starts, learning_rates.tolist(), strict=True):
                batch = order[start : start + batch_size]
                labels = dataset.labels[batch]
                images = dataset.images[batch]
                if augmentation is not None:
                    images = augment(images, augmentation, augmentation_key, start)
                values = self._forward(images)
                logits = values[-1]
                loss_sum += cross_entropy(logits, labels, *loss) * len(batch)
                num_correct += int((logits.argmax(axis=1) == labels).sum())
                gradients, _ = self._backward(values, cross_entropy_backward(logits, labels, *loss))
                if clip_norm is not None:
                    gradients = clipped(gradients, clip_norm)
                self._take_step(gradients, learning_rate, optimizer, averaging)
                done += len(batch)
                if progress is not None:
                    progress(done, loss_sum / done, num_correct / done)
        finally:
            if averaging:
                self._exchange_average()
        return EpochResult(loss_sum / done, num_correct / done)

    def _exchange_average(self) -> None:
        assert self._state.other is not None
        self._state = self._state._replace(weights=self._state.other, other=self._state.weights)

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        result = np.empty((len(images), self._architecture.num_classes), np.float32)
        for block in _blocks(len(images)):
            result[block] = self._forward(images[block])[-1]
        return result

    def activations(self, images: NDArray[np.uint8], layers: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        rows = {name: self._architecture.row(name) for name in layers}
        result = {name: np.empty((len(images), *row.output_shape), np.float32) for name, row in rows.items()}
        for block in _blocks(len(images)):
            values = self._forward(images[block])
            for row, value in zip(self._architecture.table, values[1:], strict=True):
                if row.layer.name in result:
                    is_softmax = getattr(row.layer, "activation", "") == "softmax"
                    result[row.layer.name][block] = softmax(value) if is_softmax else value
        return result

    def gradients(
        self, images: NDArray[np.uint8], labels: Labels
    ) -> tuple[float, dict[str, NDArray[np.floating[Any]]]]:
        values = self._forward(images)
        gradients, _ = self._backward(values, cross_entropy_backward(values[-1], labels))
        return cross_entropy(values[-1], labels), dict(gradients)

    def input_gradients(self, images: NDArray[np.uint8], dlogits: Array) -> Array:
        """Return (N, H, W, C), the gradient of Σ logits · dlogits by the normalised pixels, for dlogits (N, K).

        With a one in one column it is the gradient of one logit; with `cross_entropy_backward`, that of the loss.
        """
        return self._backward(self._forward(images), dlogits)[1]

    def _forward(self, images: NDArray[np.uint8]) -> list[Array]:
        """Return the normalised images and then every layer's output, the last one's without its softmax."""
        given = self._architecture.input
        values = [images.astype(np.float64) * given.scale + given.offset]
        for layer in self._architecture.layers:
            x = values[-1]
            match layer:
                case Conv2D():
                    y = convolution(x, *self._layer_weights(layer), layer.window)
                case MaxPooling2D():
                    y = max_pooling(x, layer.window)
                case Dense():
                    y = dense(x, *self._layer_weights(layer))
                case _:
                    y = x.reshape(len(x), -1)
            values.append(relu(y) if getattr(layer, "activation", "") == "relu" else y)
        return values

    def _backward(self, values: list[Array], dlogits: Array) -> tuple[dict[str, Array], Array]:
        """Return the gradients by each weight and by the normalised images, for what `_forward` returned."""
        gradients: dict[str, Array] = {}
        dy = dlogits
        for layer, x, y in reversed(list(zip(self._architecture.layers, values, values[1:], strict=False))):
            if getattr(layer, "activation", "") == "relu":
                dy = relu_backward(dy, y)
            match layer:
                case Conv2D():
                    kernel, _ = self._layer_weights(layer)
                    dy, dkernel, dbias = convolution_backward(dy, x, kernel, layer.window)
                    gradients |= {f"{layer.name}/kernel": dkernel, f"{layer.name}/bias": dbias}
                case MaxPooling2D():
                    dy = max_pooling_backward(dy, x, layer.window)
                case Dense():
                    kernel, _ = self._layer_weights(layer)
                    dy, dkernel, dbias = dense_backward(dy, x, kernel)
                    gradients |= {f"{layer.name}/kernel": dkernel, f"{layer.name}/bias": dbias}
                case _:
                    dy = dy.reshape(x.shape)
        return {name: gradients[name] for name in self._state.weights}, dy

    def _layer_weights(self, layer: Layer) -> tuple[Array, Array]:
        weights = self._state.weights
        return weights[f"{layer.name}/kernel"], weights[f"{layer.name}/bias"]

    def _take_step(
        self, gradients: dict[str, Array], learning_rate: float, optimizer: Optimizer, averaging: float
    ) -> None:
        old = self._state
        new = _State(old.step + 1, {}, {}, {}, None if old.other is None else {})
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


# --- Windows ----------------------------------------------------------------------------------------------------------


def _padding(x: Array, window: Window) -> tuple[Pair, Pair]:
    """Return how many zeros stand (above, below) and (left of, right of) the maps."""
    pairs = []
    for size, kernel, stride in zip(x.shape[1:3], window.size, window.strides, strict=True):
        before = padding_before(size, kernel, stride, window.padding)
        needed = (-(-size // stride) - 1) * stride + kernel - size if window.padding == "same" else 0
        pairs.append((before, max(needed - before, 0)))
    return pairs[0], pairs[1]


def _padded(x: Array, window: Window) -> Array:
    rows, columns = _padding(x, window)
    return np.pad(x, ((0, 0), rows, columns, (0, 0)))


def _windows(x: Array, window: Window) -> Array:
    """Return every window of x (N, H, W, C) as a view, (N, H', W', C, U, V)."""
    s, t = window.strides
    return sliding_window_view(x, window.size, axis=(1, 2))[:, ::s, ::t]


def _positions(window: Window, windows: Sequence[int]) -> Iterator[tuple[int, int, tuple[slice, slice, slice]]]:
    """Yield each position (u, v) of a window with the pixels that lie there, over all windows (rows, columns)."""
    s, t = window.strides
    rows, columns = windows
    for u in range(window.size[0]):
        for v in range(window.size[1]):
            pixels = (slice(None), slice(u, u + s * (rows - 1) + 1, s), slice(v, v + t * (columns - 1) + 1, t))
            yield u, v, pixels


def _blocks(num_images: int) -> list[slice]:
    return [slice(start, start + _BLOCK) for start in range(0, num_images, _BLOCK)]
