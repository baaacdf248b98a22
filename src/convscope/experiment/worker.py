"""Train a run, here or in a worker: another process, perhaps on another machine.

    write_order ── Order ──▶ execute, in the worker ── Reply ──▶ read_reply

A worker must have the same version of Convscope. It loads the data itself and compares their digests; processes of one
machine share the data.
"""

import json
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version

import numpy as np
from msgspec import convert
from numpy.typing import NDArray

from convscope.architecture import Architecture
from convscope.base.errors import ConvscopeError, DatasetError, EngineError
from convscope.base.metrics import cross_entropy
from convscope.data.datasets import LoadOptions, Splits, load_splits
from convscope.engine import open_network
from convscope.engine.keras import backend_name
from convscope.evidence.evaluating import check_finite
from convscope.experiment.machine import count_cores, describe_machine
from convscope.experiment.shared_data import SharedSplits, open_shared
from convscope.experiment.spec import RunSpec, hold_out_as_test
from convscope.recipes import Recipe
from convscope.storage.records import Machine
from convscope.training import History, TrainingState, train
from convscope.training.model import Model

_BLOCK = 1000  # images whose logits are computed at once


Order = tuple[str, str]
"""A run to train in a worker: the version of Convscope that wrote it, and JSON that only the same version reads.

The JSON is a list: fields of the `RunSpec`, loading options, digests of the data, Keras' backend, number of threads.
"""


@dataclass(frozen=True, eq=False)
class WorkerResult:
    """The result of a run in a worker.

    Attributes:
        y_pred: (N,) uint16, the prediction for each test image.
        loss: the cross-entropy of the test images.
        machine: the machine that computed it, see `describe_machine`.
        threads: the number of threads of the engine.
    """

    model: Model
    history: History
    y_pred: NDArray[np.uint16]  # two bytes, since a data set may have more than 256 classes
    loss: float
    machine: Machine
    threads: int


Reply = WorkerResult | ConvscopeError | str
"""The result of a run, its error, or the text of any other error with its traceback."""


def train_one(
    spec: RunSpec, splits: Splits, threads: int | None = None, on_epoch: Callable[[TrainingState], None] | None = None
) -> WorkerResult:
    """Train a run on `splits` and classify the test images; `on_epoch` is called as by `train`.

    Raises:
        ConvscopeError: as `train` does, with the title of the run.
    """
    # Of the images that `train` measured after the latest epoch: the test images, if no training images are held out.
    logits: NDArray[np.float32] | None = None

    def take_logits(state: TrainingState) -> None:
        nonlocal logits
        logits = state.logits
        if on_epoch is not None:
            on_epoch(state)

    try:
        drawn_splits = spec.draw(splits)
        model, history = train(
            spec.architecture,
            drawn_splits,
            spec.recipe,
            seed=spec.seed,
            engine=spec.engine,
            threads=threads,
            state=spec.state(splits),
            unseen=spec.unseen(drawn_splits.train),
            on_epoch=take_logits,
        )
        # Whatever trained the run, its predictions come from `native` in float32. The logits above are those if the
        # training used the same, and the weights of the last epoch were taken, not those of an earlier best one.
        is_native = spec.engine == "native" and spec.recipe.precision == "float32"
        is_last = history.best_epoch in (None, len(history))
        if logits is None or history.val_split != "test" or not (is_native and is_last):
            network = open_network(model.architecture, model.weights, threads=threads)
            images = splits.test.images
            logits = np.concatenate([network.logits(images[i : i + _BLOCK]) for i in range(0, len(images), _BLOCK)])
        check_finite(logits)
    except ConvscopeError as error:
        # Of the same class: `train_runs` treats a `DivergedError` unlike others.
        raise type(error)(f"{spec.title}: {error}") from error
    y_pred, loss = logits.argmax(axis=1).astype(np.uint16), cross_entropy(logits, splits.test.labels.astype(np.int64))
    machine = describe_machine(spec.engine, spec.recipe.precision)
    return WorkerResult(model, history, y_pred, loss, machine, threads or count_cores())


def write_order(spec: RunSpec, splits: Splits, threads: int = 1) -> Order:
    """Write the order for a run, which `execute` reads in a worker."""
    # The worker must use the same backend, because another one gives other weights and is not in the JSON of a spec.
    backend = backend_name() if spec.engine == "keras" else None
    fields = vars(spec) | {"architecture": spec.architecture.to_dict(), "recipe": spec.recipe.to_dict()}
    digests = splits.train.sha256, splits.test.sha256
    return version("convscope"), json.dumps([fields, splits.options.to_dict(), digests, backend, threads])


def execute(order: Order, shared: SharedSplits | None = None) -> Reply:
    """Train the run of an order in a worker, and return the reply for `read_reply`.

    Errors are returned and not raised, so that any raised error comes from the executor.

    Args:
        shared: the data, in a process of the machine that wrote the order; by default they are loaded here.
    """
    try:
        written_by, text = order
        # First, since another version may write other JSON.
        if written_by != version("convscope"):
            raise ConvscopeError(
                f"a worker has convscope {version('convscope')} instead of {written_by}; install the same version there"
            )
        fields, options, digests, backend, threads = json.loads(text)
        if backend is not None and backend != backend_name():
            raise EngineError(f"a worker runs Keras on {backend_name()} instead of {backend}; set KERAS_BACKEND there")
        fields["architecture"] = Architecture.from_dict(fields["architecture"])
        spec = RunSpec(**fields | {"recipe": Recipe.from_dict(fields["recipe"])})
        options = convert(options, LoadOptions)
        splits = open_shared(shared) if shared else _load(spec.dataset, options, spec.held_out, *digests)
        return train_one(spec, splits, threads)
    except ConvscopeError as error:
        return error
    except Exception as error:
        # As text: any other error might not survive pickling, and its traceback would be lost on the way.
        return f"{type(error).__name__}: {error}\n{traceback.format_exc()}"


def read_reply(spec: RunSpec, reply: Reply) -> WorkerResult:
    """Read the reply of `execute`; raises the `ConvscopeError` of the run, or `RuntimeError` with any other error."""
    if isinstance(reply, ConvscopeError):
        raise reply
    if isinstance(reply, str):
        raise RuntimeError(f"{spec.title}: a worker failed with {reply}")
    return reply


@lru_cache(maxsize=1)  # a process trains many runs on the same data
def _load(dataset: str, options: LoadOptions, held_out: float | None, train_sha256: str, test_sha256: str) -> Splits:
    splits = load_splits(dataset, options)
    if held_out is not None:
        splits = hold_out_as_test(splits, held_out)
    for part, sha256 in ((splits.train, train_sha256), (splits.test, test_sha256)):
        if part.sha256 != sha256:
            raise DatasetError(
                f"{dataset}: the {part.split} images on a worker are not those of this experiment; give the worker the "
                "same files"
            )
    return splits
