"""`cs.run`: the main job, called from Python."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from inspect import signature
from pathlib import Path
from typing import Any

from convscope.base.arguments import Seed, checked
from convscope.data.datasets import LoadOptions
from convscope.engine import EngineName
from convscope.experiment import RunResult
from convscope.runs.choices import ArchitectureChoice, RecipeChoice
from convscope.runs.data import DataChoice
from convscope.runs.jobs import Request, new_job
from convscope.runs.listeners import make_listeners
from convscope.runs.pipeline import main_job
from convscope.runs.run import Run
from convscope.runs.steps import measure_time
from convscope.storage.records import MAX_SEED, JobOptions
from convscope.training import TrainingState


@checked
def run(
    data: DataChoice = "mnist",
    *,
    architecture: ArchitectureChoice | None = None,
    recipe: RecipeChoice | None = None,
    budget: float | None = None,
    seed: Seed = 0,
    seeds: int | None = None,
    baseline: bool = True,
    out: str | Path | None = None,
    index: int = 0,
    test_fraction: float | None = None,
    split_seed: Seed = 0,
    image_size: tuple[int, int] | None = None,
    skip_damaged: bool = False,
    start: str | Path | None = None,
    new_output: bool = False,
    engine: EngineName = "native",
    threads: int | None = None,
    on_epoch: Callable[[TrainingState], None] | None = None,
    on_progress: Callable[[int, int, float, float], None] | None = None,
    on_result: Callable[[RunResult], None] | None = None,
) -> Run:
    """Train, evaluate, compare with a dense network and over seeds, look inside, and write the report.

    This is the job of `convscope run`, in the same folder with the same files.

    Args:
        data: a name or path, as `load_dataset` takes it; `Splits`; or a `Dataset` or pair (X, y), from which a test
            split is taken.
        architecture: a preset's name, a preset, an `Architecture`, or a JSON file; by default "cnn", or that of
            `start`.
        recipe: a recipe's name, a `Recipe`, or a JSON file; by default the preset's own, `classic` for MNIST, or
            "auto", which chooses network, augmentation and epochs by held-out training images.
        budget: multiply-adds of "auto", for its trials and the training; by default 4e12, half a minute on two cores.
        seed: draws all random numbers; from 0 on.
        seeds: the number of runs of each network, from `seed` on; by default five, or as many as half a minute more
            allows.
        baseline: if true, compare with a dense network.
        out: the folder; by default a new one under runs/.
        index: that of the test image whose feature maps the report shows.
        test_fraction: the fraction of each class for the test split, if there is none; by default a fifth.
        split_seed: chooses the images of this test split.
        image_size: (H, W) to which the images are resized.
        skip_damaged: if true, leave out pictures that cannot be read.
        start: a run folder or model file whose weights training starts from; None for random weights.
        new_output: with `start`, if true, all outputs start at random.
        engine: "native", "reference" or "keras".
        threads: the engine's threads; by default one for each core. The number does not change the result.
        on_epoch: called with the `TrainingState` after each epoch of each training, and once before the first.
        on_progress: called as `on_progress(epoch, images, loss, accuracy)` several times in each epoch.
        on_result: called with the `RunResult` of each run from a further seed.

    Raises:
        TypeError, ValueError: if an argument has the wrong type or is out of range, or two exclude each other.
        ConvscopeError: if data, architecture, recipe or start cannot be read or do not fit together, `out` is not
            empty, or the training diverges; `open_run(path).resume()` continues a stopped run.
    """
    arguments = dict(locals())  # must come first: later variables would be in it
    request = Request(
        data=data,
        loading=LoadOptions(test_fraction, split_seed, image_size, skip_damaged),
        architecture=architecture,
        start=None if start is None else Path(start),
        new_output=new_output,
        recipe=recipe,
        budget=budget,
        seed=_check_range("seed", seed, 0),
        engine=engine,
        threads=None if threads is None else _check_range("threads", threads, 1),
        out=None if out is None else Path(out),
        options=JobOptions(
            baseline, None if seeds is None else _check_range("seeds", seeds, 1), _check_range("index", index, 0)
        ),
        command=_format_call(arguments),
    )
    listeners, timings = make_listeners(on_epoch, on_progress, on_result), dict[str, float]()
    # The job's lock lasts until the end of `main_job`, but `load` is the time to open it alone.
    with ExitStack() as stack:
        with measure_time(timings, "load"):
            job = stack.enter_context(new_job(request, listeners))
        main_job(job, timings, listeners)
    return Run(job.folder.path, None if isinstance(data, str | Path) else data)


def _format_call(arguments: Mapping[str, Any]) -> str:
    """Write the call of `cs.run` with these arguments; arrays and other long values are written as their names."""
    words = list[str]()
    for name, parameter in signature(run).parameters.items():
        value = arguments[name]
        # Neither the folder, the number of threads nor a listener changes the result.
        if name in ("out", "threads") or name.startswith("on_") or value is parameter.default:
            continue
        is_short = isinstance(value, str | Path | int | float) or name == "image_size"
        text = repr(str(value) if isinstance(value, Path) else value) if is_short else name
        words.append(text if name == "data" else f"{name}={text}")
    return f"cs.run({', '.join(words)})"


def _check_range(name: str, value: int, low: int) -> int:
    if not low <= value <= MAX_SEED:
        raise ValueError(f"{name} is {value}; it must be a whole number of at least {low}, below 2^63")
    return value
