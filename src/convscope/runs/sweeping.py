"""Run a sweep as a job: data, architecture and recipe by name, and the files in its folder."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from convscope.base.files import write_json, write_text
from convscope.base.records import from_attributes, write
from convscope.data.datasets import LoadOptions
from convscope.experiment import open_executor
from convscope.experiment.sweep import Search, Sweep, run_sweep
from convscope.experiment.sweep.records import SweepOutput
from convscope.experiment.sweep.sweep import CHECK_SEEDS, HELD_OUT
from convscope.runs.choices import PRESET, architecture_for, recipe_for
from convscope.runs.data import load_data, loading_words
from convscope.runs.listeners import Listeners
from convscope.storage import StoredRuns, writing


@dataclass(frozen=True)
class SweepRequest:
    """The arguments of a sweep, not yet checked; the fields are those of `run_sweep` and `ExperimentRequest`."""

    dataset: str
    loading: LoadOptions
    vary: tuple[str, ...]
    architecture: str = PRESET
    recipe: str | None = None
    trials: int = 20
    search: Search = "random"
    seeds: int = 1
    held_out: float = HELD_OUT
    executor: str | None = None
    out: Path | None = None
    command: str = ""

    def next_step(self, folder: Path) -> str:
        """Write the command that measures the best trial on the test images, with thirty new seeds."""
        # The seeds before took part: with one of each trial and five of the check, 0 to 5, so the new ones are 6 to 35.
        first = self.seeds + CHECK_SEEDS
        words = ["convscope", "experiment", "--dataset", self.dataset, *loading_words(self.loading)]
        words += ["--architecture", str(folder / "architecture.json")]
        return shlex.join([*words, "--recipe", str(folder / "recipe.json"), "--seeds", f"{first}-{first + 29}"])


@dataclass(frozen=True, eq=False)
class SweepResult:
    """A finished sweep.

    Attributes:
        page: the path of the page.
        next_step: the command that measures the best trial on the test images.
    """

    result: Sweep
    page: Path
    next_step: str

    def to_record(self) -> SweepOutput:
        folder, page = str(self.page.parent), str(self.page)
        return from_attributes(SweepOutput, self.result.to_record(), sweep=folder, page=page)


def sweep_job(request: SweepRequest, listeners: Listeners) -> SweepResult:
    """Train the trials that are not trained yet, and write the results.

    Raises:
        ConvscopeError: if a file cannot be read or written, or as `run_sweep`; the same request continues.
        KeyboardInterrupt: as `train_runs`.
    """
    _, splits = load_data(request.dataset, request.loading, listeners.on_download)
    network = architecture_for(request.architecture, splits.image_shape, splits.num_classes)
    recipe = recipe_for(request.recipe, network)
    folder = request.out or Path("runs") / f"sweep-{splits.name}"
    # `run_sweep` locks the folder again for its runs, which the same thread may; this lock also covers the files below.
    with open_executor(request.executor) as workers, writing(folder):
        StoredRuns(folder / "runs").notes.add_command(request.command)
        sweep = run_sweep(
            network,
            splits,
            recipe,
            request.vary,
            dataset=request.dataset,
            trials=request.trials,
            search=request.search,
            seeds=request.seeds,
            held_out=request.held_out,
            folder=folder,
            executor=workers,
            on_result=listeners.on_result,
            on_diverged=listeners.on_diverged,
            on_runs=listeners.on_runs,
        )
        record = sweep.to_record()
        write(folder / "sweep.json", record)
        # Of the best trial; the command of `next_step` reads both files.
        write_json(folder / "architecture.json", sweep.architecture.to_dict())
        write_json(folder / "recipe.json", sweep.recipe.to_dict())
        write_text(folder / "sweep.txt", f"{sweep}\n")
        from convscope.report.sweep_page import render_sweep  # matplotlib takes its time to load

        next_step = request.next_step(folder)
        page = folder / "sweep.html"
        write_text(page, render_sweep(record, request.command, next_step))
    return SweepResult(sweep, page, next_step)
