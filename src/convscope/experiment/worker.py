"""One run, here or in another process: from a `RunSpec` to what was trained.

What travels is JSON and the bytes of arrays (little-endian), so it does not matter what carries them. A worker loads
the data itself and makes sure that they are the ones that were meant; processes of one machine share them.
"""

import json
import traceback
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import lru_cache
from importlib.metadata import version

import numpy as np
from msgspec import convert
from numpy.typing import NDArray

from convscope.architecture import Architecture
from convscope.base import errors
from convscope.base.errors import ConvscopeError, DatasetError, DivergedError, EngineError
from convscope.base.metrics import cross_entropy
from convscope.data.datasets import LoadOptions, Splits, load_splits
from convscope.engine import open_network
from convscope.engine.keras import backend_name
from convscope.evidence.evaluating import check_finite
from convscope.experiment.run_json import available_cores, machine_record
from convscope.experiment.shared_data import SharedSplits, open_shared
from convscope.experiment.spec import RunSpec, judged_on_held_out
from convscope.recipes import Recipe
from convscope.storage.records import Machine
from convscope.training import History, TrainingState
from convscope.training.loop import train_with_logits
from convscope.training.model import Model

Reply = tuple[str, dict[str, bytes]]
"""JSON, and arrays by name."""

_ANSWERS = "answers"  # no weight is called so: those have a stroke in their names
_BLOCK = 1000  # images whose logits are computed at once


@dataclass(frozen=True, eq=False)
class WorkerResult:
    """What a run gave.

    Attributes:
        y_pred: (N,) uint16, the answer to each test image.
        loss: the cross-entropy of the test images.
        machine: what computed it, see `machine_record`.
        threads: how many the engine was given.
    """

    model: Model
    history: History
    y_pred: NDArray[np.uint16]
    loss: float
    machine: Machine
    threads: int


def train_one(
    spec: RunSpec,
    splits: Splits,
    threads: int | None = None,
    on_epoch: Callable[[TrainingState], None] | None = None,
) -> WorkerResult:
    """Train as `spec` says on `splits`, and classify the test images.

    `on_epoch` is called as by `train`.

    Raises:
        ConvscopeError: as `train` does, the run named in it.
    """
    try:
        drawn = spec.draw(splits)
        model, history, logits = train_with_logits(
            spec.architecture,
            drawn,
            spec.recipe,
            seed=spec.seed,
            engine=spec.engine,
            threads=threads,
            state=spec.state(splits),
            unseen=spec.unseen(drawn.train),
            on_epoch=on_epoch,
        )
    except ConvscopeError as error:
        raise type(error)(f"{spec.title}: {error}") from error
    if logits is None or history.val_split != "test" or spec.engine != "native" or spec.recipe.precision != "float32":
        network = open_network(model.architecture, model.weights, threads=threads)
        images = splits.test.images
        logits = np.concatenate([network.logits(images[i : i + _BLOCK]) for i in range(0, len(images), _BLOCK)])
    try:
        check_finite(logits)
    except DivergedError as error:
        raise DivergedError(f"{spec.title}: {error}") from error
    y_pred, loss = logits.argmax(axis=1).astype(np.uint16), cross_entropy(logits, splits.test.labels.astype(np.int64))
    machine = machine_record(spec.engine, spec.recipe.precision)
    return WorkerResult(model, history, y_pred, loss, machine, threads or available_cores())


def write_order(spec: RunSpec, splits: Splits, threads: int = 1) -> str:
    """Return as JSON what `execute` is to do."""
    own = {field.name: getattr(spec, field.name) for field in fields(spec)}
    return json.dumps(
        {
            "convscope": version("convscope"),
            "options": splits.options.to_dict(),
            "sha256": [splits.train.sha256, splits.test.sha256],
            "spec": own | {"architecture": spec.architecture.to_dict(), "recipe": spec.recipe.to_dict()},
            "backend": backend_name() if spec.engine == "keras" else None,
            "threads": threads,
        },
        allow_nan=False,
    )


def execute(order: str, shared: SharedSplits | None = None) -> Reply:
    """Do what `write_order` wrote, and return what `read_reply` reads.

    Args:
        shared: the data, in a process of the machine that wrote the order; by default they are loaded here.

    An error is part of the reply: what is raised from here is then the fault of whatever carried the order.
    """
    try:
        asked = json.loads(order)
        if asked["convscope"] != version("convscope"):
            raise ConvscopeError(
                f"a worker has convscope {version('convscope')} instead of {asked['convscope']}; install the same "
                "version there"
            )
        if asked["backend"] is not None and asked["backend"] != backend_name():
            raise EngineError(
                f"a worker runs Keras on {backend_name()} instead of {asked['backend']}; set KERAS_BACKEND there"
            )
        own = asked["spec"]
        network, recipe = Architecture.from_dict(own["architecture"]), Recipe.from_dict(own["recipe"])
        spec = RunSpec(**own | {"architecture": network, "recipe": recipe})
        options = convert(asked["options"], LoadOptions)
        splits = open_shared(shared) if shared else _load(spec.dataset, options, spec.held_out, *asked["sha256"])
        trained = train_one(spec, splits, asked["threads"])
    except Exception as error:
        said = {"kind": type(error).__name__, "message": str(error), "traceback": traceback.format_exc()}
        return json.dumps({"error": said}), {}
    facts = {
        "history": trained.history.to_dict(),
        "provenance": dict(trained.model.provenance),
        "machine": trained.machine.to_dict(),
        "threads": trained.threads,
        "loss": trained.loss,
    }
    packed = {name: np.ascontiguousarray(array, "<f4").tobytes() for name, array in trained.model.weights.items()}
    return json.dumps(facts, allow_nan=False), packed | {_ANSWERS: trained.y_pred.astype("<u2").tobytes()}


def read_reply(spec: RunSpec, splits: Splits, reply: Reply) -> WorkerResult:
    """Return what `execute` sent.

    Raises:
        ConvscopeError: what the run raised there.
        RuntimeError: for any other error there, with its traceback.
    """
    facts = json.loads(reply[0])
    if "error" in facts:
        said = facts["error"]
        kind = getattr(errors, said["kind"], None)
        if kind is None:
            raise RuntimeError(
                f"{spec.title}: a worker failed with {said['kind']}: {said['message']}\n{said['traceback']}"
            )
        raise kind(said["message"])
    arrays = {
        name: np.frombuffer(reply[1][name], "<f4").reshape(shape).astype(np.float32)
        for name, shape in spec.architecture.weight_shapes.items()
    }
    y_pred = np.frombuffer(reply[1][_ANSWERS], "<u2").astype(np.uint16)
    handwriting = splits.train.handwriting
    model = Model(spec.architecture, arrays, splits.class_names, facts["provenance"], handwriting=handwriting)
    history, machine = History.from_dict(facts["history"]), convert(facts["machine"], Machine)
    return WorkerResult(model, history, y_pred, facts["loss"], machine, facts["threads"])


@lru_cache(maxsize=1)  # a process trains many runs on the same data
def _load(dataset: str, options: LoadOptions, held_out: float | None, train_sha256: str, test_sha256: str) -> Splits:
    splits = load_splits(dataset, options)
    if held_out is not None:
        splits = judged_on_held_out(splits, held_out)
    for part, sha256 in ((splits.train, train_sha256), (splits.test, test_sha256)):
        if part.sha256 != sha256:
            raise DatasetError(
                f"{dataset}: the {part.split} images on a worker are not those of this experiment; give the worker the "
                "same files"
            )
    return splits
