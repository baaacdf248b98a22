"""What `run.json` says of the runs of an experiment."""

import os
import platform
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from convscope.data.datasets import Splits
from convscope.engine import EngineName, keras
from convscope.engine.processor import chosen_instruction_set
from convscope.experiment.spec import RunSpec
from convscope.recipes import Precision
from convscope.storage import load_start, load_trained_on
from convscope.training.transfer import transfer


@cache
def machine_record(engine: EngineName, precision: Precision) -> dict[str, Any]:
    """Return what computes here: `versions` (of Keras and its backend too for the engine `keras`) and `cpu`.

    Of the engine `native`, `cpu` has the instruction set, without which results are not the same bits.

    Raises:
        EngineError: if the engine is `keras`, and that or its backend is missing.
        RecipeError: if this processor has no instructions for the precision.
    """
    versions = {"convscope": version("convscope"), "python": platform.python_version(), "numpy": version("numpy")}
    if engine == "keras":
        versions |= keras.versions()
    cpu: dict[str, Any] = {"name": cpu_name(), "cores": available_cores(), "machine": platform.machine()}
    if engine == "native":
        cpu["instruction_set"] = chosen_instruction_set(None, precision)
    return {"versions": versions, "cpu": cpu}


def group_record(spec: RunSpec, splits: Splits, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `run.json` says of the run of `spec`, and of others from other seeds, see `StoredGroup`.

    Args:
        data: `splits.to_dict()`, which takes a moment.
    """
    if spec.held_out is not None:  # no argument loads these splits, and no command measures on them
        spec = replace(spec, dataset="")
    return {
        "dataset": {"argument": spec.dataset, **data},
        "architecture": spec.architecture.to_dict(),
        "recipe": spec.recipe.to_dict(),
        "engine": spec.engine,
        "num_images": spec.num_images or data["train"]["num_images"],
        **({} if spec.weights_seed is None else {"weights_seed": spec.weights_seed}),
        **({"from": _start_record(spec, splits)} if spec.start else {}),
    }


def _start_record(spec: RunSpec, splits: Splits) -> dict[str, Any]:
    """Return what `run.json` says of the network that a run starts from."""
    path, model = Path(spec.start).resolve(), load_start(spec.start)
    known = load_trained_on(path, model)
    begin = transfer(model, splits.image_shape, splits.class_names, spec.seed, new_output=spec.new_output)
    return {
        "argument": str(path),
        "weights_sha256": model.weights_sha256,
        "num_seen_images": None if known is None else int(known.may_include(splits.train).sum()),
        **begin.to_dict(),
        "new_output": spec.new_output,
    }


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
