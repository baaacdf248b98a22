"""What `run.json` says of the runs of an experiment."""

import os
import platform
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from pathlib import Path

from msgspec import UNSET

from convscope.base.records import from_attributes
from convscope.data.datasets import Splits
from convscope.data.datasets.records import SplitsRecord
from convscope.engine import EngineName, keras
from convscope.engine.processor import chosen_instruction_set
from convscope.experiment.spec import RunSpec
from convscope.recipes import Precision
from convscope.storage import load_start, load_trained_on
from convscope.storage.records import Machine, Processor, RunData, SharedRecord, StartRecord
from convscope.training.transfer import transfer


@cache
def machine_record(engine: EngineName, precision: Precision) -> Machine:
    """Describe what computes here; the versions include Keras and its backend for the engine `keras`.

    Raises:
        EngineError: if the engine is `keras`, and that or its backend is missing.
        RecipeError: if this processor has no instructions for the precision.
    """
    versions = {"convscope": version("convscope"), "python": platform.python_version(), "numpy": version("numpy")}
    if engine == "keras":
        versions |= keras.versions()
    cpu = Processor(
        name=cpu_name(),
        cores=available_cores(),
        machine=platform.machine(),
        instruction_set=chosen_instruction_set(None, precision) if engine == "native" else UNSET,
    )
    return Machine(versions=versions, cpu=cpu)


def group_record(spec: RunSpec, splits: Splits, data: SplitsRecord) -> SharedRecord:
    """Return what `run.json` says of the run of `spec`, and of others from other seeds, see `StoredGroup`.

    Args:
        data: `splits.to_record()`, which takes a moment.
    """
    if spec.held_out is not None:  # no argument loads these splits, and no command measures on them
        spec = replace(spec, dataset="")
    return SharedRecord(
        dataset=from_attributes(RunData, data, argument=spec.dataset),
        engine=spec.engine,
        num_images=spec.num_images or data.train.num_images,
        weights_seed=UNSET if spec.weights_seed is None else spec.weights_seed,
        start=_start_record(spec, splits) if spec.start else UNSET,
    )


def _start_record(spec: RunSpec, splits: Splits) -> StartRecord:
    """Return what `run.json` says of the network that a run starts from."""
    path, model = Path(spec.start).resolve(), load_start(spec.start)
    known = load_trained_on(path, model)
    begin = transfer(model, splits.image_shape, splits.class_names, spec.seed, new_output=spec.new_output)
    return from_attributes(
        StartRecord,
        begin,
        argument=str(path),
        weights_sha256=model.weights_sha256,
        num_seen_images=None if known is None else int(known.may_include(splits.train).sum()),
        new_output=spec.new_output,
    )


def available_cores() -> int:
    """Return how many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_name() -> str:
    """Return the processor's name as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
