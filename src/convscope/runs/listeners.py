"""Functions that a job calls while it works, so that a terminal, a notebook or a service can show how far it is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from convscope.base.records import Record
from convscope.evidence.evaluation import Evaluation
from convscope.experiment import DivergedRun, RunResult, RunSpec
from convscope.training import TrainingState


class Measured(Protocol):
    """A measurement that is no record: it shows itself as text and as a record."""

    def to_record(self) -> Record: ...


Result = Record | Measured


def _ignore(*_: object) -> None:
    pass


@dataclass(frozen=True)
class Listeners:
    """The functions that a job calls as it goes; each does nothing by default.

    Attributes:
        on_download: with a file's name, the bytes so far and in all (None: unknown), while a data set is fetched.
        on_training: with the architecture's name, the number of epochs and of images, before each training.
        on_progress: with the epoch, the images seen in it, loss and accuracy so far, several times an epoch.
        on_epoch: with the training state, after each epoch, and once before the first.
        on_trained: with the architecture's name and the sentence that says which epoch was chosen ("": the last).
        on_plan: with a sentence on what is about to be trained, before long work that was asked for.
        on_runs: with the number of further runs, before these begin.
        on_run_epoch: with the spec of a further run and its training state, after each epoch and once before the
            first; not for runs of an executor.
        on_result: with each further run that has ended.
        on_diverged: with each further run that has diverged.
        on_fold: with the number of sibling networks trained so far and in all, see `crossfit`.
        on_file: with the path of each file that has been written.
        on_left_out: with a sentence on what cannot be measured, and why.
        on_topic: with a topic and its result, when it has been measured.
        on_page: with the evaluation and the path of the page, when the page of a run can be opened for the first time.
        on_step: with the name of what is done, how much of it is done and in all, while one that may take long goes on.
        on_phase: with what is measured next and about how many seconds are left, before each phase behind that.
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
"""No function is called."""


def given_listeners(on_epoch: Any, on_progress: Any, on_result: Any) -> Listeners:
    """Return listeners with the functions that a caller in Python gave; None is none."""
    functions = {"on_epoch": on_epoch, "on_progress": on_progress, "on_result": on_result}
    return Listeners(**{name: function for name, function in functions.items() if function is not None})
