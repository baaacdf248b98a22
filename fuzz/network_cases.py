"""Draw random networks and the work that both engines do with them, each case from a seed and a number alone."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests.random_networks import architecture_around, kind_sequences, random_images, random_weights

from convscope.architecture import Architecture
from convscope.data.datasets import Dataset
from convscope.engine import Ablation, EpochOptions, Network, Replacement
from convscope.recipes import SGD, Adam, Augmentation

Outputs = dict[str, NDArray[Any]]

MAX_CHANGES = {  # the largest value of each field of an augmentation; a case changes one of them, two or all, or none
    "shift": 40,
    "rotation": 180.0,
    "scale": 0.9,
    "stretch": 1.0,
    "shear": 80.0,
    "crop": 0.9,
    "elastic": 40.0,
    "cutout": 45,
    "contrast": 1.0,
    "brightness": 255.0,
    "noise": 100.0,
}
MAX_STEPS = 3  # training steps of an epoch


@dataclass(frozen=True, eq=False)
class Case:
    """A network and the inputs of everything that an engine computes with it.

    Attributes:
        order: the order of an epoch, as indices into the images.
        epochs: the number of epochs.
    """

    architecture: Architecture
    weights: dict[str, NDArray[np.float32]]
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    dlogits: NDArray[np.float32]
    ablations: list[Ablation]
    order: NDArray[np.int64]
    batch_size: int
    epochs: int
    options: EpochOptions
    threads: int


def targets(seed: int) -> list[tuple[str, ...]]:
    """List every ordered triple of kinds in an order of the seed's; the first ones hold all ordered pairs."""
    triples = kind_sequences(3)
    shuffled = [triples[k] for k in np.random.default_rng(seed).permutation(len(triples))]
    seen: set[tuple[str, ...]] = set()
    first, later = [], []
    for triple in shuffled:
        pairs = {triple[:2], triple[1:]}
        (later if pairs <= seen else first).append(triple)
        seen |= pairs
    return first + later


def draw_case(target: tuple[str, ...], seed: int, number: int) -> Case:
    """Draw case `number` of a seed: a network around the kinds of `target`."""
    rng = np.random.default_rng([seed, number])
    return draw_work(architecture_around(target, rng), rng)


def draw_work(architecture: Architecture, rng: np.random.Generator) -> Case:
    """Draw a case of this network: its weights, its images, and the settings of a training."""
    classes, count = architecture.num_classes, int(rng.integers(1, 20))
    batch_size = int(rng.choice([1, 7, 8, 9, count, count + int(rng.integers(1, 30))]))
    length = int(rng.integers(1, min(MAX_STEPS * batch_size, 2 * count) + 1))
    return Case(
        architecture,
        random_weights(architecture, rng),
        random_images(architecture, rng, count),
        rng.integers(0, classes, count),
        rng.normal(size=(count, classes)).astype(np.float32),
        _ablations(architecture, rng),
        rng.integers(0, count, length),
        batch_size,
        epochs=1 + int(rng.random() < 0.2),
        options=_options(classes, rng),
        threads=int(rng.integers(1, 3)),
    )


def compute(network: Network, case: Case, seen: NDArray[np.uint8] | None = None) -> Outputs:
    """Compute every output of an engine, by name: before, in and after a training.

    `seen` are the augmented images of an epoch, in its order; by default the engine augments the images itself.
    """
    names = [layer.name for layer in case.architecture.layers]
    outputs = {"logits": network.logits(case.images)}
    outputs |= _add_prefix("activations", network.activations(case.images, names))
    loss, gradients = network.gradients(case.images, case.labels)
    outputs |= {"loss": np.array(loss)} | _add_prefix("gradients", gradients)
    outputs |= _add_prefix("by layer", network.layer_gradients(case.images, case.dlogits, ["input", *names]))
    outputs |= _add_prefix("by image", network.layer_gradients(case.images, case.dlogits, ["input"]))
    for number, logits in enumerate(network.ablation_logits(case.images, case.ablations)):
        outputs[f"ablations/{number}"] = logits
    class_names = tuple(str(k) for k in range(case.architecture.num_classes))
    dataset, order, options = Dataset(case.images, case.labels, class_names), case.order, case.options
    if seen is not None:
        dataset, order = Dataset(seen, case.labels[order], class_names), np.arange(len(order))
        options = replace(options, augmentation=Augmentation())
    steps = -(-len(case.order) // case.batch_size)
    for epoch in range(case.epochs):
        result = network.train_epoch(
            dataset,
            order=order,
            batch_size=case.batch_size,
            learning_rates=np.full(steps, case.options.optimizer.learning_rate, np.float32),
            options=options,
        )
        outputs[f"training/loss of epoch {epoch}"] = np.array(result.loss)
        outputs[f"training/accuracy of epoch {epoch}"] = np.array(result.accuracy)
    outputs |= _add_prefix("training", network.weights())
    for name, value in network.optimizer_state().items():
        if not name.startswith("remainder/"):  # only the reference has remainders
            outputs[f"state/{name}"] = np.sqrt(value) if name.startswith("v/") else value  # v holds squares
    outputs["logits after training"] = network.logits(case.images)
    return outputs


def _add_prefix(prefix: str, arrays: dict[str, NDArray[Any]]) -> Outputs:
    return {f"{prefix}/{name}": array for name, array in arrays.items()}


def _ablations(architecture: Architecture, rng: np.random.Generator) -> list[Ablation]:
    """Draw ablations: none, a filter of one layer, several of another, and a filter of each layer at once."""
    rows = architecture.table
    first, second = (rows[k] for k in rng.integers(len(rows), size=2))
    filters = rng.permutation(second.output_shape[-1])[:5]
    everywhere = [(row.layer.name, int(rng.integers(row.output_shape[-1]))) for row in rows[::-1]]
    chosen = [
        [],
        [(first.layer.name, int(rng.integers(first.output_shape[-1])))],
        [(second.layer.name, int(number)) for number in filters],
        everywhere,
    ]
    return [[Replacement(layer, number, float(rng.normal())) for layer, number in ablation] for ablation in chosen]


def _options(classes: int, rng: np.random.Generator) -> EpochOptions:
    """Draw the options of an epoch: each feature of a recipe in some of the cases."""

    def sometimes(value: Any, default: Any) -> Any:
        return value if rng.random() < 0.3 else default

    decay = sometimes(float(rng.uniform(0, 0.5)), 0.0)
    momentum = SGD(0.01, float(rng.uniform(0, 0.95)), bool(rng.integers(2)), decay)
    return EpochOptions(
        optimizer=(Adam(weight_decay=decay), SGD(0.01, weight_decay=decay), momentum)[rng.integers(3)],
        label_smoothing=sometimes(float(rng.uniform(0, 0.5)), 0.0),
        class_weights=sometimes(tuple(rng.uniform(0, 2, classes).tolist()), None),
        augmentation=sometimes(_augmentation(rng), Augmentation()),
        augmentation_key=int(rng.integers(2**64, dtype=np.uint64)),
        dropout_key=int(rng.integers(2**64, dtype=np.uint64)),
        clip_norm=sometimes(float(rng.uniform(0.01, 2)), None),
        averaging=sometimes(float(rng.uniform(0.1, 0.99)), 0.0),
        weight_bits=sometimes((2, 4, 8)[rng.integers(3)], None),
    )


def _augmentation(rng: np.random.Generator) -> Augmentation:
    names = rng.permutation(list(MAX_CHANGES))[: rng.choice([1, 1, 2, len(MAX_CHANGES)])]
    values = {str(name): type(MAX_CHANGES[name])(MAX_CHANGES[name] * rng.random()) for name in names}
    flips = bool(rng.random() < 0.3)
    return Augmentation(**values, elastic_sigma=float(rng.uniform(0.3, 6)), horizontal_flip=flips)
