"""Train an epoch by Keras's `compile` and `fit`: the loss, the optimizer, the batches, and the work at each step.

`EpochOptions` are translated to Keras's own, by which it computes the steps. Only the running average of the weights is
computed here, because Keras's is not corrected for its start.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.data.datasets import Dataset
from convscope.engine.keras.backend import load_keras
from convscope.engine.loss import loss_factors
from convscope.engine.native import augment
from convscope.engine.network import EpochOptions, Progress
from convscope.recipes import Adam, Augmentation

_GOLDEN_RATIO = 0x9E3779B9  # 2^32 / 1.618...: its multiples are spread evenly over the 32-bit numbers


def compile_model(model: Any, options: EpochOptions, undecayed: list[Any]) -> None:
    """Compile `model` for the options, with a new optimizer.

    Args:
        undecayed: the variables that weight decay leaves as they are.
    """
    keras = load_keras()
    optimizer, common = options.optimizer, {"global_clipnorm": options.clip_norm}
    if optimizer.weight_decay:
        common["weight_decay"] = optimizer.weight_decay
    if isinstance(optimizer, Adam):
        optimizer_class = keras.optimizers.AdamW if optimizer.weight_decay else keras.optimizers.Adam
        settings = {"beta_1": optimizer.beta_1, "beta_2": optimizer.beta_2, "epsilon": optimizer.epsilon}
    else:
        optimizer_class = keras.optimizers.SGD
        settings = {"momentum": optimizer.momentum, "nesterov": optimizer.nesterov}
    model.compile(
        optimizer=optimizer_class(optimizer.learning_rate, **settings, **common),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=options.label_smoothing),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
    )
    if optimizer.weight_decay:
        model.optimizer.exclude_from_weight_decay(undecayed)
    model.optimizer.build(model.trainable_variables)  # makes its variables now, so that a state can be assigned


def moment_variables(optimizer: Any, position: int) -> tuple[Any, Any]:
    """Find the variables m and v that a Keras optimizer has for the weight at `position`; None for each it lacks."""
    # Adam's have no public name in Keras.
    if hasattr(optimizer, "_momentums"):
        return optimizer._momentums[position], optimizer._velocities[position]
    return (optimizer.momentums[position] if optimizer.momentums else None), None


def seed_dropout(blocks: list[Any], key: int) -> None:
    """Set each `Dropout` to the start of the random stream of `key` and its layer."""
    for number, block in enumerate(blocks):
        for layer in block.layers:
            if (generator := getattr(layer, "seed_generator", None)) is not None:
                # The state is two 32-bit numbers: the low half of the key, changed for each layer, and the high half.
                first = (key + number * _GOLDEN_RATIO) % 2**32
                generator.state.assign(np.array([first, key >> 32], np.uint32))


@dataclass(eq=False)
class Steps:
    """The work before and after each step of one `fit`, and the measurements so far.

    Attributes:
        model: compiled.
        rates: (number of batches,), the learning rate of each step.
        num_images: the number of images of the epoch.
        averaging: β of the running averages.
        averages: the running averages of the weights, by name; None without averaging.
        variables: the variables of the weights, by name.
        first_step: the number of steps before this epoch.
        measured: the loss and accuracy that Keras reported after the last step.
    """

    model: Any
    rates: NDArray[np.float32]
    batch_size: int
    num_images: int
    averaging: float
    averages: Mapping[str, Any] | None
    variables: Mapping[str, Any]
    first_step: int
    progress: Progress | None
    measured: Mapping[str, Any] = field(default_factory=dict)
    _rate: float | None = None

    def begin(self, batch: int, logs: Any = None) -> None:
        """Set the learning rate of the step."""
        rate = float(self.rates[batch])
        if rate != self._rate:  # a change costs a synchronisation with JAX
            self._synchronize_variables()
            self.model.optimizer.learning_rate = rate
            self._rate = rate

    def end(self, batch: int, logs: Mapping[str, Any]) -> None:
        """Update the averages of the weights, and report the means so far."""
        self.measured = logs
        if self.averages is not None:
            self._synchronize_variables()
            # As `EpochOptions.averaging` says; the share is 1 at the first step, so the average begins without bias.
            step = self.first_step + batch + 1
            share = (1 - self.averaging) / (1 - self.averaging**step)
            self.averages = {
                name: average + share * (self.variables[name].value - average)
                for name, average in self.averages.items()
            }
        if self.progress is not None:
            num_done = min((batch + 1) * self.batch_size, self.num_images)
            self.progress(num_done, *self.means())

    def means(self) -> tuple[float, float]:
        """Read loss and accuracy over the images so far, each measured just before its batch's step."""
        loss, accuracy = (float(load_keras().ops.convert_to_numpy(self.measured[n])) for n in ("loss", "accuracy"))
        return loss, accuracy

    def _synchronize_variables(self) -> None:
        # Between steps, JAX's trainer keeps the state itself, and the variables are old.
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()


def batches(
    dataset: Dataset, order: NDArray[np.int64], batch_size: int, num_classes: int, options: EpochOptions
) -> Iterator[tuple[Any, ...]]:
    """Yield each batch as `fit` takes it: images uint8, one-hot labels (N, K) and, with weights, factors (N,)."""
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        images, labels = dataset.images[batch], dataset.labels[batch]
        weights = None if dataset.weights is None else dataset.weights[batch]
        factors = loss_factors(labels, options.class_weights, weights)
        if options.augmentation != Augmentation():
            images = augment(images, options.augmentation, options.augmentation_key, start)
        targets = np.zeros((len(batch), num_classes), np.float32)
        targets[np.arange(len(batch)), labels] = 1
        yield (images, targets) if factors is None else (images, targets, factors.astype(np.float32))


def fit_epoch(steps: Steps, examples: Iterator[tuple[Any, ...]]) -> tuple[float, float]:
    """Train for the steps, and return the mean loss and accuracy."""
    callback = load_keras().callbacks.LambdaCallback(on_train_batch_begin=steps.begin, on_train_batch_end=steps.end)
    # Not shuffled: the examples come in the order of the epoch.
    steps.model.fit(examples, steps_per_epoch=len(steps.rates), shuffle=False, verbose=0, callbacks=[callback])
    return steps.means()
