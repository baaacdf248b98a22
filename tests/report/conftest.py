"""Contents of reports without training: untrained networks on random images, with made-up, partly correct logits."""

from base64 import b64decode
from collections.abc import Callable, Sequence
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from msgspec import structs
from PIL import Image

import convscope as cs
from convscope.base.records import from_attributes
from convscope.data.datasets import Dataset, Splits
from convscope.engine import initial_weights
from convscope.evidence.ablation import ablate
from convscope.evidence.comparison import Candidate, compare
from convscope.evidence.evaluating import evaluate_predictions
from convscope.evidence.evaluation import Evaluation
from convscope.evidence.explanation import explain
from convscope.experiment import RunSpec
from convscope.experiment.ablation import AblationRecord
from convscope.recipes import EarlyStopping, Recipe
from convscope.report import Replay, RunContents
from convscope.report.evidence import render_evidence
from convscope.report.pixels import Pixels
from convscope.report.records import PageRecord
from convscope.runs.run_record import make_run_record
from convscope.storage.records import Processor
from convscope.training import Checkpoint, History
from convscope.training.model import Model

HOSTILE_NAMES = (
    "</script><img src=x onerror=alert(1)>", "<!--<script>", r"$\frac{",
    "a name of sixty characters that is far too long for any axis", "靴 👢", 'quote " and & <b>bold</b>',
    "line\nbreak\x00\x1b[31m",
)  # fmt: skip
HISTORY = History((0.3, 0.1), (0.9, 0.97), (0.2, 0.08), (0.93, 0.975), (1.5, 1.25))  # of two epochs


def make_record(splits: Splits, architecture: cs.Architecture, recipe: Recipe) -> PageRecord:
    command = "convscope run --dataset mnist --architecture cnn --seed 0"
    record = make_run_record(RunSpec("mnist", architecture, recipe, 0), splits, 2, command)
    machine = {"versions": {"convscope": "0.1.0", "numpy": "2.0.0"}}
    machine |= {"cpu": Processor(name="A processor", cores=2, machine="x86_64")}
    return from_attributes(PageRecord, structs.replace(record, **machine), timings={"train": 2.75, "evaluate": 0.25})


def make_split(split: str, shape: tuple[int, int, int], names: tuple[str, ...], number: int) -> Dataset:
    random = np.random.default_rng(len(split))
    images = random.integers(0, 256, (number, *shape), dtype=np.uint8)
    return Dataset(images, (np.arange(number) % len(names)).astype(np.int64), names, "made up", split)


def make_evaluation(dataset: Dataset, strength: float) -> Evaluation:
    """Evaluate random logits to which `strength` is added for the label: the larger, the more are correct."""
    random = np.random.default_rng(7)
    logits = random.normal(size=(len(dataset), dataset.num_classes))
    logits[np.arange(len(dataset)), dataset.labels] += strength
    return evaluate_predictions(logits, dataset)


def make_contents(
    shape: tuple[int, int, int] = (28, 28, 1),
    names: Sequence[str] = tuple("0123456789"),
    architecture: Callable[[tuple[int, int, int], int], cs.Architecture] = cs.presets.cnn,
    *,
    with_baseline: bool = True,
    strength: float = 4,
    history: History = HISTORY,
    recipe: Recipe | None = None,
    most_ablations: int = 512,
) -> RunContents:
    names = tuple(names)
    splits = Splits(*(make_split(split, shape, names, 20 * len(names)) for split in ("train", "test")))
    network = architecture(shape, len(names))
    model = Model(network, initial_weights(network, 0), names)
    evaluation = make_evaluation(splits.test, strength)
    comparison, baseline = None, None
    if with_baseline:
        dense = cs.presets.ann(shape, len(names))
        baseline = Replay(Model(dense, initial_weights(dense, 0), names), history)
        costs = {"parameters": 118_282, "macs": 118_016, "weights_bytes": 473_128, "training_seconds": 0.5}
        rival = Candidate("ann", make_evaluation(splits.test, strength - 1), **costs)
        comparison = compare(Candidate.from_model(model, evaluation, 2.75), rival)
    few = splits.test.take(np.arange(len(names)))  # an ablation of each filter runs the network again
    snapshots = {Checkpoint(epoch=epoch): initial_weights(network, epoch) for epoch in range(len(history) + 1)}
    recipe = recipe or Recipe(epochs=2)
    return RunContents(
        splits, recipe, Replay(model, history, snapshots), evaluation, explain(model, splits.test, 0),
        make_record(splits, network, recipe), baseline, comparison,
        render_evidence({"ablation": AblationRecord().merge(ablate(model, few, most_ablations=most_ablations))}),
    )  # fmt: skip


def picture_from_json(value: str) -> Pixels:
    """Decode the picture (H, W, 4) that `picture_to_json` encoded."""
    with Image.open(BytesIO(b64decode(value)), formats=["PNG"]) as picture:
        return np.asarray(picture.convert("RGBA"))


def wide_network(shape: tuple[int, int, int], num_classes: int) -> cs.Architecture:
    """Make a network with more filters and maps than a figure draws, and kernels that are not square."""
    layers = (
        cs.Conv2D(100, (5, 3), padding="same", activation="relu"), cs.MaxPooling2D((2, 2)),
        cs.Conv2D(70, (1, 1), activation="relu"), cs.Flatten(), cs.Dense(num_classes, activation="softmax"),
    )  # fmt: skip
    return cs.Architecture(cs.Input(*shape), layers, "wide")


def residual_network(shape: tuple[int, int, int], num_classes: int) -> cs.Architecture:
    """Make a network with batch normalisations, whose statistics no gradient trains, and a shortcut."""
    layers = (
        cs.Conv2D(6, 3, name="stem", use_bias=False), cs.BatchNormalization(activation="relu"),
        cs.Conv2D(6, 3, padding="same"), cs.Add("stem", "relu"), cs.Flatten(), cs.Dense(num_classes),
        cs.BatchNormalization(activation="softmax"),
    )  # fmt: skip
    return cs.Architecture(cs.Input(*shape), layers, "residual")


def depthwise_network(shape: tuple[int, int, int], num_classes: int) -> cs.Architecture:
    """Make a network with a depthwise convolution of two filters for each channel."""
    layers = (cs.Conv2D(6), cs.DepthwiseConv2D(5, depth_multiplier=2), cs.Flatten(), cs.Dense(num_classes, "softmax"))
    return cs.Architecture(cs.Input(*shape), layers, "depthwise")


def one_layer(shape: tuple[int, int, int], num_classes: int) -> cs.Architecture:
    """Make a network without filters and hidden units."""
    return cs.Architecture(cs.Input(*shape), (cs.Flatten(), cs.Dense(num_classes, activation="softmax")), "linear")


RUNS: dict[str, Callable[[], RunContents]] = {
    "cnn": make_contents,
    "hostile": lambda: make_contents(names=HOSTILE_NAMES, strength=1),
    "colour": lambda: make_contents(
        (20, 32, 3), [f"letter {chr(65 + i)}" for i in range(26)], wide_network, strength=3
    ),
    "tiny": lambda: make_contents((8, 8, 1), ("no", "yes"), cs.presets.ann, with_baseline=False),
    "residual": lambda: make_contents((9, 8, 1), ("no", "yes", "both"), residual_network, with_baseline=False),
    "depthwise": lambda: make_contents((12, 12, 3), ("a", "b", "c"), depthwise_network, strength=3),
    "stopped": lambda: make_contents(
        history=replace(HISTORY, val_split="validation", best_epoch=1),
        recipe=Recipe(epochs=5, validation_fraction=0.2, early_stopping=EarlyStopping()),
    ),
    "many": lambda: make_contents((12, 10, 2), [f"class {i}" for i in range(100)], wide_network, strength=2),
}


@pytest.fixture(scope="session")
def runs() -> dict[str, RunContents]:
    """One run of each kind, by name; tests do not change them."""
    return {name: make() for name, make in RUNS.items()}


@pytest.fixture(scope="session")
def payloads(runs: dict[str, RunContents]) -> dict[str, dict[str, Any]]:
    """The payload of each kind of run."""
    return {name: run.payload.to_dict() for name, run in runs.items()}


@pytest.fixture(params=list(RUNS))
def run(request: pytest.FixtureRequest, runs: dict[str, RunContents]) -> RunContents:
    """All kinds of run, one after the other."""
    chosen: RunContents = runs[request.param]
    return chosen


@pytest.fixture
def payload(run: RunContents) -> dict[str, Any]:
    """The payloads of all kinds of run, one after the other."""
    return run.payload.to_dict()
