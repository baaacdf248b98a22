"""Functions that a job calls while it works, so that a terminal, a notebook or a service can show its progress."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from convscope.base.records import Record
from convscope.evidence.evaluation import Evaluation
from convscope.experiment import DivergedRun, RunResult, RunSpec
from convscope.training import TrainingState


class Recordable(Protocol):
    """A measurement that converts to a record; a protocol, since measurements have no common base class."""

    def to_record(self) -> Record: ...


Result = Record | Recordable


def _ignore(*_: object) -> None:
    pass


@dataclass(frozen=True)
class Listeners:
    """The functions that a job calls; each does nothing by default.

    A main job of two epochs that is compared with a dense network and over seeds calls

        on_training, on_epoch (0), on_progress ..., on_epoch (1), on_progress ..., on_epoch (2), on_trained, on_page
        on_phase, then the same from on_training to on_trained for the dense network
        on_phase, on_topic, for each topic
        on_phase, on_runs, on_result for each run, or on_diverged

    Attributes:
        on_download: with a file's name, the bytes so far and in all (None: unknown), while a data set is fetched.
        on_training: with the architecture's name, the number of epochs and of images, before each training.
        on_progress: with the epoch, its number of images so far, loss and accuracy, several times in each epoch.
        on_epoch: with the training state, after each epoch, and once before the first.
        on_trained: with the architecture's name and a sentence on the chosen epoch ("" for the last).
        on_plan: with a sentence on the trainings to come, before long work.
        on_runs: with the number of further runs, before these begin.
        on_run_epoch: with the spec of a further run and its training state, after each epoch and once before the
            first; not for runs of an executor.
        on_result: with each further run that has ended.
        on_diverged: with each further run that has diverged.
        on_fold: with the number of sibling networks trained so far and in all, see `crossfit`.
        on_file: with the path of each written file.
        on_left_out: with a sentence on topics that cannot be measured, and why.
        on_topic: with a topic and its result, after its measurement.
        on_page: with the evaluation and the path of the page, once the page of a run can be opened.
        on_step: with the name of a step that may take long, the amount done and the total.
        on_phase: with the title of the next phase and the approximate seconds that remain, after the first page.
    """

    on_download: Callable[[str, int, int | None], None] = _ignore
    on_training: Callable[[str, int, int], None] = _ignore
    on_progress: Callable[[int, int, float, float], None] = _ignore
    on_epoch: Callable[[TrainingState], None] = _ignore
    on_trained: Callable[[str, str], None] = _ignore
    on_plan: Callable[[str], None] = _ignore
    on_runs: Callable[[int], None] = _ignore
    on_run_epoch: Callable[[RunSpec, TrainingState], None] = _ignore
    on_result: Callable[[RunResult], None] = _ignore
    on_diverged: Callable[[DivergedRun], None] = _ignore
    on_fold: Callable[[int, int], None] = _ignore
    on_file: Callable[[Path], None] = _ignore
    on_left_out: Callable[[str], None] = _ignore
    on_topic: Callable[[str, Result], None] = _ignore
    on_page: Callable[[Evaluation, Path], None] = _ignore
    on_step: Callable[[str, int, int], None] = _ignore
    on_phase: Callable[[str, float], None] = _ignore


SILENT = Listeners()
"""Listeners that do nothing."""


def make_listeners(on_epoch: Any, on_progress: Any, on_result: Any) -> Listeners:
    """Make listeners of the functions that a caller of `cs.run` gave; None does nothing."""
    functions = {"on_epoch": on_epoch, "on_progress": on_progress, "on_result": on_result}
    return Listeners(**{name: function for name, function in functions.items() if function is not None})
