"""Make stored runs without training: untrained networks with random predictions and histories."""

from dataclasses import replace
from pathlib import Path

import numpy as np

import convscope as cs
from convscope.engine import initial_weights
from convscope.experiment import RunSpec
from convscope.experiment.machine import describe_machine
from convscope.experiment.store import RunStore
from convscope.experiment.worker import WorkerResult
from convscope.storage import writing
from convscope.training import History
from convscope.training.model import Model

NETWORK = cs.Architecture(cs.Input(6, 6, 1), (cs.Flatten(), cs.Dense(3, "softmax")), "small")
SPEC = RunSpec("", NETWORK, cs.Recipe(epochs=2, name="two"), 0)


def make_splits(num_test: int = 40) -> cs.Splits:
    random, names = np.random.default_rng(0), ("a", "b", "c")
    train, test = (
        cs.Dataset(random.integers(0, 256, (count, 6, 6, 1), np.uint8), np.arange(count) % 3, names, split=split)
        for count, split in ((30, "train"), (num_test, "test"))
    )
    return cs.Splits(train, test)


SPLITS = make_splits()


def make_result(spec: RunSpec, splits: cs.Splits) -> WorkerResult:
    random = np.random.default_rng(spec.seed)
    model = Model(spec.architecture, initial_weights(spec.architecture, spec.seed), splits.class_names, {"by": "made"})
    values = tuple(random.random(2).tolist())
    history = History(values, values, values, values, (1.0, 2.0))
    y_pred = random.integers(0, 3, len(splits.test)).astype(np.uint16)
    return WorkerResult(model, history, y_pred, loss=0.5, machine=describe_machine("native", "float32"), threads=1)


def keep_runs(folder: Path, seeds: range, spec: RunSpec = SPEC, splits: cs.Splits = SPLITS) -> RunStore:
    """Store runs of these seeds in `folder`/runs, one after the other."""
    store = RunStore(splits, folder / "runs")
    with writing(folder):
        for seed in seeds:
            run_spec = replace(spec, seed=seed)
            store.keep(run_spec, run_spec.digest(splits), make_result(run_spec, splits))
    return store
