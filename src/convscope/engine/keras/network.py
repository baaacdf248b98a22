"""A `Network` (see `convscope.engine.network`) whose layers, losses and steps are Keras's.

Its results are those of `native` and `reference` up to rounding, which tests/interoperability checks on each backend.
There are two differences: `Dropout` drops other numbers, drawn by Keras's own generator, and `GlobalMaxPooling2D`
shares a gradient among equally large values.

The state is in two places. Between calls our side has it: the weights in the model's variables, the optimizer's state
in `_State`. Keras's optimizer exists from the first epoch on. Each epoch goes from one to the other and back:

    train_epoch    keeps weights and state, to restore them after an error
        _fit           _compile       a new optimizer if the options differ; our state into its variables
                       fit_epoch      Keras trains
                       _read_state    its variables into our state
    train_epoch    with averaging, puts the averages into the model and keeps the unaveraged weights in the state

A block is a layer of ours, as Keras's layers: `block(values, x)` computes it from the outputs so far and the last one.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture
from convscope.data.datasets import Dataset
from convscope.engine.keras import backend, fitting
from convscope.engine.keras.builder import connect_blocks, keras_blocks, set_weights, weight_variables
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
    image_blocks,
)
from convscope.engine.optimizer_steps import is_decayed
from convscope.engine.rounding import check_weight_bits

Array = NDArray[np.float32]
_VALUE_BYTES = 4  # a float32


class _State(NamedTuple):
    """The optimizer's state, as arrays by the name of each trained weight."""

    step: int
    m: dict[str, Array]  # Adam's first moments, or the velocities of SGD
    v: dict[str, Array]  # Adam's second moments; zeros for SGD
    # With averaging, the network's weights between epochs are averages, and training continues from these.
    unaveraged: dict[str, Array] | None = None


class KerasNetwork:
    """An architecture with weights as a Keras model, on the backend that `convscope.engine.keras.backend` chooses.

    Args:
        threads: the number for the backend: torch takes it always, tensorflow before it first computes, jax never.
            Results are the same bits for the same number of threads at best.

    Raises:
        MissingPackageError: if Keras or its backend is missing.
        ValueError: if the weights do not fit.
    """

    def __init__(self, architecture: Architecture, weights: Weights, threads: int | None = None) -> None:
        check_weights(architecture, weights)
        backend.set_threads(threads)
        self._architecture = architecture
        self._blocks = keras_blocks(architecture, softmax=False)
        self._model = connect_blocks(architecture, self._blocks)
        set_weights(self._blocks, weights)
        self._variables = weight_variables(self._blocks, architecture.weight_shapes)  # by our names of the weights
        self._trained = {name: self._variables[name] for name in architecture.trainable_weight_shapes}
        # The index of each trained weight among Keras's variables, by which the optimizer has its moments.
        indices = {id(variable): index for index, variable in enumerate(self._model.trainable_variables)}
        self._indices = {name: indices[id(variable)] for name, variable in self._trained.items()}
        self._state = _State(0, _zeros(architecture), _zeros(architecture))
        self._compiled: tuple[Any, ...] | None = None  # the options that the model was compiled for

    @property
    def architecture(self) -> Architecture:
        return self._architecture

    def weights(self) -> dict[str, Array]:
        return {name: self._copy_variable(name, variable) for name, variable in self._variables.items()}

    def _copy_variable(self, name: str, variable: Any) -> Array:
        """Copy a variable in the shape of our weight."""
        # In Keras, the slopes of a PReLU have two more axes, for rows and columns.
        return backend.to_numpy(variable).reshape(self._architecture.weight_shapes[name])

    def optimizer_state(self) -> dict[str, NDArray[Any]]:
        state: dict[str, NDArray[Any]] = {"step": np.array(self._state.step, np.int64)}
        for part, arrays in self._state._asdict().items():
            if part != "step":
                state |= {f"{part}/{name}": array.copy() for name, array in (arrays or {}).items()}
        return state

    def set_optimizer_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore a state from `optimizer_state` of this or the native engine, bit for bit.

        Raises:
            ValueError: if something is missing, unknown, of another shape, or not finite.
        """
        if "step" not in state or state["step"].shape != () or int(state["step"]) < 0:
            raise ValueError(f"optimizer state step is {state.get('step')}; it must be one whole number from 0")
        shapes, names = self._architecture.weight_shapes, {part: list(self._trained) for part in ("m", "v")}
        if any(name.startswith("unaveraged/") for name in state):
            # States of earlier versions have no moving statistics: the average of these starts from the present ones.
            names["unaveraged"] = [n for n in shapes if n in self._trained or f"unaveraged/{n}" in state]
        expected = {f"{part}/{name}": shapes[name] for part, part_names in names.items() for name in part_names}
        try:
            check_arrays(expected, {name: value for name, value in state.items() if name != "step"})
        except ValueError as error:
            raise ValueError(f"optimizer state: {error}") from error
        arrays = {
            part: {name: np.array(state[f"{part}/{name}"], np.float32) for name in part_names}
            for part, part_names in names.items()
        }
        self._state = _State(int(state["step"]), arrays["m"], arrays["v"], arrays.get("unaveraged"))

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
        """Train one step for each batch of `order`, by Keras's `fit`; see `Network.train_epoch`.

        After an interrupt, or any other error, the network is as it was before the epoch.

        Raises:
            RecipeError: if kernels are to be rounded.
            ValueError: if the images are of another size, `order` is empty, or there is not one learning rate for each
                batch.
        """
        check_weight_bits(options.weight_bits, "keras")
        check_images(dataset.images, self._architecture.input.shape)
        num_batches = -(-len(order) // batch_size)  # rounded up: the last batch may be short
        if not len(learning_rates) == num_batches > 0:
            raise ValueError(
                f"there are {len(learning_rates)} learning rates for {num_batches} batches; give one per batch"
            )
        weights, state = self.weights(), self._state
        averages: dict[str, Array] | None = weights if options.averaging else None
        # Training continues from the unaveraged weights; the averages so far are the network's present weights.
        if options.averaging and state.unaveraged is not None:
            self._assign(state.unaveraged)
        try:
            with backend.float32_products():
                result, averages = self._fit(dataset, order, batch_size, learning_rates, options, averages, progress)
        except BaseException:
            # Compiled anew next time, since JAX's trainer may have left the optimizer's variables without values.
            self._state, self._compiled = state, None
            self._assign(weights)
            raise
        if averages is not None:
            self._state = self._state._replace(unaveraged=self.weights())
            self._assign(averages)
        return result

    def _fit(
        self,
        dataset: Dataset,
        order: NDArray[np.int64],
        batch_size: int,
        rates: NDArray[np.float32],
        options: EpochOptions,
        averages: dict[str, Array] | None,
        progress: Progress | None,
    ) -> tuple[EpochResult, dict[str, Array] | None]:
        """Train one epoch, update `self._state`, and return the results and the averaged weights by name.

        Args:
            averages: the averaged weights before the epoch; None without averaging, and then None is returned.
        """
        self._compile(options)
        fitting.seed_dropout(self._blocks, options.dropout_key)
        tensors = None if averages is None else self._to_tensors(averages)
        steps = fitting.Steps(
            self._model, rates, batch_size, len(order), options.averaging, tensors, self._variables, self._state.step,
            progress,
        )  # fmt: skip
        examples = fitting.batches(dataset, order, batch_size, self._architecture.num_classes, options)
        loss, accuracy = fitting.fit_epoch(steps, examples)
        self._read_state()
        if steps.averages is not None:
            averages = {name: backend.to_numpy(average) for name, average in steps.averages.items()}
        return EpochResult(loss, accuracy), averages

    def _compile(self, options: EpochOptions) -> None:
        """Compile the model, unless its options are unchanged, and restore its optimizer's state."""
        # The learning rates, keys and averaging differ between epochs and are no part of the compiled step.
        compiled_options = (options.optimizer, options.label_smoothing, options.clip_norm)
        if compiled_options != self._compiled:
            undecayed = [weight for name, weight in self._trained.items() if not is_decayed(options.optimizer, name)]
            fitting.compile_model(self._model, options, undecayed)
            self._compiled = compiled_options
        optimizer = self._model.optimizer
        optimizer.iterations.assign(self._state.step)
        # Of each weight, m and v: the optimizer's variables, and our arrays by name.
        state = (self._state.m, self._state.v)
        for name, index in self._indices.items():
            for variable, values in zip(fitting.moment_variables(optimizer, index), state, strict=True):
                if variable is not None:  # SGD has no v, and no m without momentum
                    variable.assign(values[name].reshape(variable.shape))

    def _read_state(self) -> None:
        """Copy the optimizer's state to `self._state`."""
        optimizer = self._model.optimizer
        m, v = dict(self._state.m), dict(self._state.v)
        for name, index in self._indices.items():
            for variable, values in zip(fitting.moment_variables(optimizer, index), (m, v), strict=True):
                if variable is not None:
                    values[name] = self._copy_variable(name, variable)
        step = int(backend.load_keras().ops.convert_to_numpy(optimizer.iterations))
        self._state = _State(step, m, v)

    def _to_tensors(self, values: Mapping[str, Array]) -> dict[str, Any]:
        """Convert values by name to tensors in the shapes of the model's variables."""
        convert = backend.load_keras().ops.convert_to_tensor
        return {name: convert(value.reshape(self._variables[name].shape)) for name, value in values.items()}

    def _assign(self, values: Mapping[str, Array]) -> None:
        for name, value in values.items():
            self._variables[name].assign(value.reshape(self._variables[name].shape))

    def logits(self, images: NDArray[np.uint8]) -> Array:
        logits: NDArray[np.float32] = self.ablation_logits(images, [()])[0]  # one ablation, which replaces nothing
        return logits

    def activations(self, images: NDArray[np.uint8], layers: Sequence[str]) -> dict[str, Array]:
        check_images(images, self._architecture.input.shape)
        rows = {name: self._architecture.row(name) for name in layers}
        result = {name: np.empty((len(images), *row.output_shape), np.float32) for name, row in rows.items()}
        with backend.predicting():
            for block in image_blocks(self._architecture, len(images), _VALUE_BYTES):
                values = self._forward(images[block])
                for name, row in rows.items():
                    value = values[name]
                    if getattr(row.layer, "activation", "") == "softmax":
                        value = backend.load_keras().ops.softmax(value)
                    result[name][block] = backend.to_numpy(value)
        return result

    def gradients(
        self, images: NDArray[np.uint8], labels: NDArray[np.int64]
    ) -> tuple[float, dict[str, NDArray[np.floating[Any]]]]:
        """Compute the mean cross-entropy over the images, and its gradient with respect to each trained weight.

        Sums over blocks of images are added up and divided by the number of images. What a backend differentiates is a
        function of the weights, `sum_losses`.

        Raises:
            ValueError: if there are no images, or they are of another size.
        """
        check_images(images, self._architecture.input.shape)
        if not len(images):
            raise ValueError("there are no images; a mean needs at least one")
        keras, last = backend.load_keras(), self._architecture.layers[-1].name
        variables = list(self._trained.values())
        values = [backend.to_numpy(variable) for variable in variables]
        loss, gradients = 0.0, [np.zeros_like(value) for value in values]
        with backend.float32_products():
            for block in image_blocks(self._architecture, len(images), _VALUE_BYTES):
                # `block` is a default argument, so that the function does not depend on the loop's variable.
                def sum_losses(tensors: Sequence[Any], block: slice = block) -> Any:
                    # The variables have the values of `tensors` here, so the gradients are with respect to these.
                    with keras.StatelessScope(state_mapping=list(zip(variables, tensors, strict=True))):
                        logits = self._forward(images[block])[last]
                        targets = keras.ops.convert_to_tensor(np.asarray(labels[block], np.int32))
                        losses = keras.ops.sparse_categorical_crossentropy(targets, logits, from_logits=True)
                        return keras.ops.sum(losses)

                block_loss, block_gradients = backend.value_and_gradients(sum_losses, values)
                loss += block_loss
                for total, gradient in zip(gradients, block_gradients, strict=True):
                    total += gradient  # in place
        means = {name: total / len(images) for name, total in zip(self._trained, gradients, strict=True)}
        return loss / len(images), dict(means)

    def layer_gradients(
        self, images: NDArray[np.uint8], dlogits: NDArray[np.floating[Any]], layers: Sequence[str]
    ) -> dict[str, NDArray[np.floating[Any]]]:
        # For the gradient with respect to a layer's output y, a variable z = 0 is added to y: both have the same. So
        # what is differentiated, `sum_logits`, has such zeros as its arguments. Its value is Σ logits · dlogits, whose
        # gradient with respect to the logits is `dlogits`.
        check_images(images, self._architecture.input.shape)
        check_dlogits(self._architecture, dlogits, len(images))
        keras, last = backend.load_keras(), self._architecture.layers[-1].name
        shapes = {n: images.shape[1:] if n == "input" else self._architecture.row(n).output_shape for n in layers}
        result: dict[str, Array] = {n: np.empty((len(images), *shape), np.float32) for n, shape in shapes.items()}
        with backend.float32_products():
            for block in image_blocks(self._architecture, len(images), _VALUE_BYTES):
                factors = keras.ops.convert_to_tensor(np.asarray(dlogits[block], np.float32))

                def sum_logits(tensors: Sequence[Any], block: slice = block, factors: Any = factors) -> Any:
                    added = dict(zip(result, tensors, strict=True))
                    logits = self._forward(images[block], lambda n, y: y + added[n] if n in added else y)[last]
                    return keras.ops.sum(logits * factors)

                zeros = [np.zeros((len(images[block]), *shape), np.float32) for shape in shapes.values()]
                for name, gradient in zip(result, backend.value_and_gradients(sum_logits, zeros)[1], strict=True):
                    result[name][block] = gradient
        return result

    def ablation_logits(self, images: NDArray[np.uint8], ablations: Sequence[Ablation]) -> Array:
        check_images(images, self._architecture.input.shape)
        check_ablations(self._architecture, ablations)
        last = self._architecture.layers[-1].name
        result = np.empty((len(ablations), len(images), self._architecture.num_classes), np.float32)
        with backend.predicting():
            for block in image_blocks(self._architecture, len(images), _VALUE_BYTES):
                for logits, ablation in zip(result, ablations, strict=True):  # `logits` is a view of `result`
                    logits[block] = backend.to_numpy(self._forward(images[block], _make_replacement(ablation))[last])
        return result

    def _forward(self, images: NDArray[np.uint8], replace: Callable[[str, Any], Any] | None = None) -> dict[str, Any]:
        """Compute the normalised images, "input", and the output of each layer, in the mode for predictions.

        Args:
            replace: called with each of these names and outputs; returns the output to continue with.
        """
        values: dict[str, Any] = {}
        x = backend.load_keras().ops.convert_to_tensor(np.asarray(images, np.float32))
        for block in self._blocks:
            x = block(values, x)
            if replace is not None:
                x = replace(block.name, x)
            values[block.name] = x
        return values


def _make_replacement(ablation: Ablation) -> Callable[[str, Any], Any]:
    """Make the function that applies the replacements of an ablation to the outputs of the layers.

    A replacement sets a filter's channel of a layer's output to a value. Of channels a b c, with b set to 0.5,
    `is_kept` is true false true and `value` 0 0.5 0.
    """
    ops = backend.load_keras().ops

    def replace(name: str, y: Any) -> Any:
        replacements = [replacement for replacement in ablation if replacement.layer == name]
        if not replacements:
            return y
        # Both (C,): they are broadcast over images, rows and columns, as channels are the last axis.
        is_kept, value = np.ones(y.shape[-1], bool), np.zeros(y.shape[-1], np.float32)
        for replacement in replacements:
            is_kept[replacement.filter], value[replacement.filter] = False, replacement.value
        return ops.where(ops.convert_to_tensor(is_kept), y, ops.convert_to_tensor(value))

    return replace


def _zeros(architecture: Architecture) -> dict[str, Array]:
    return {name: np.zeros(shape, np.float32) for name, shape in architecture.trainable_weight_shapes.items()}
