"""The progress of training networks and fetching files: lines, and on a terminal also a bar."""

import sys
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any, Self

import click
from tqdm import tqdm

from convscope.base.tables import percent, printable
from convscope.cli.output import echo, with_options
from convscope.evidence.evaluation import Evaluation
from convscope.experiment import DivergedRun, RunResult, RunSpec
from convscope.runs.listeners import Listeners, Result
from convscope.training import History, TrainingState


class StepProgress:
    """A bar on stderr for long steps, on a terminal unless `quiet`; a context manager, which removes it at the end."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet, self._name = quiet, ""  # the name of the last bar, also after it was removed
        self._bar: tqdm | None = None

    def listeners(self) -> Listeners:
        """Make the functions that the job calls."""
        return Listeners(on_download=self.on_download, on_step=self._move)

    def on_download(self, name: str, done: int, total: int | None) -> None:
        """Move the bar of the file `name` to `done` of `total` bytes; without a terminal, name the file once."""
        text = f"fetching {name}"
        if text != self._name and not self._quiet and not sys.stderr.isatty():
            echo(text, err=True)
        self._move(text, done, total, unit="B", unit_scale=True)

    def _move(self, name: str, done: int, total: int | None, text: str = "", **options: Any) -> None:
        """Move the bar called `name` to `done` of `total`, with `text` after it; replace a bar of another name.

        Args:
            options: arguments of tqdm for a new bar.
        """
        if self._bar is None or name != self._name:
            self.close()
            self._name = name
            disable = self._quiet or None  # None: unless it is a terminal
            label = printable(name)
            self._bar = tqdm(total=total, desc=label, leave=False, disable=disable, file=sys.stderr, **options)
        self._bar.total = total
        if text:  # drawn at once only if the bar does not move, since a move draws it too
            self._bar.set_postfix_str(printable(text), refresh=done == self._bar.n)
        self._bar.update(done - self._bar.n)  # tqdm takes differences
        if done == total:
            self.close()

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_MAX_LINES = 100  # runs that have a line each; of more runs only some have one
_SECONDS = 10.0  # time between two lines on further runs


class RunsProgress(StepProgress):
    """The progress of many runs: a bar on a terminal, and otherwise, with `lines`, a line for each run.

    Of more than 100 runs, a line every ten seconds also says how many are trained in a second. `quiet` prints nothing.
    """

    def __init__(self, total: int, *, quiet: bool, lines: bool = True) -> None:
        super().__init__(quiet=quiet)
        # Numbers of runs. Of `total`, `_ended` have a result or diverged, also when an earlier command trained them;
        # this command trained `_trained` of these, from which comes the speed; and `done` have a result.
        self._total, self._ended, self._trained, self.done = total, 0, 0, 0
        self._is_terminal = sys.stderr.isatty()
        self._has_lines = lines and not quiet and not self._is_terminal
        self._last = self._start = monotonic()  # `_last`: when the last line was printed
        self._show_bar("")

    def _show_bar(self, text: str) -> None:
        self._move("", self._ended, self._total, text, unit=" runs")

    def on_epoch(self, spec: RunSpec, state: TrainingState) -> None:
        """Show the epoch beside the bar, or print its line."""
        history, epochs = state.history, spec.recipe.epochs
        if _has_line(len(history), epochs):
            text = f"{spec.title}: epoch {len(history)}/{epochs}"
            self._show_bar(text)
            if not self._quiet and not self._is_terminal:
                echo(f"{text}, loss {history.loss[-1]:.4f}, training accuracy {percent(history.accuracy[-1])}")

    def on_result(self, result: RunResult) -> None:
        """Move the bar, or print the run's line."""
        self.done += 1
        self._ended += 1
        self._trained += not result.is_earlier
        now = monotonic()
        # Once each: the recipe of a preset may have the preset's name.
        words = dict.fromkeys((result.architecture, result.name, result.recipe, f"seed {result.seed}"))
        name = ", ".join(filter(None, words))
        self._show_bar(f"{name}: {percent(result.accuracy)}")
        if self._has_lines and self._is_due(now):
            time = "trained earlier" if result.is_earlier else f"trained in {result.seconds:.2f} s"
            text = f"{self._format_count()}{name}: accuracy {percent(result.accuracy)}, {time}"
            echo(text + self._format_speed(now - self._start))

    def _format_speed(self, elapsed: float) -> str:
        """Format the speed, if there are many runs, and the time left: "; 3.21 runs/s; about 40 s left"."""
        if not self._trained:  # all runs so far were trained earlier, so the speed is not known
            return ""
        speed = f"; {self._trained / elapsed:.2f} runs/s" if self._total > _MAX_LINES else ""
        seconds_left = elapsed / self._trained * (self._total - self._ended)
        return speed + (f"; about {max(1, round(seconds_left)):,} s left" if seconds_left else "")  # 0 after the last

    def _is_due(self, now: float) -> bool:
        """Decide whether an ended run gets a line: each of a few runs, and of many the last one and some others."""
        if self._total > _MAX_LINES and self._ended < self._total and now < self._last + _SECONDS:
            return False
        self._last = now
        return True

    def on_diverged(self, run: DivergedRun) -> None:
        """Move the bar, or print the run's line."""
        self._ended, self._trained = self._ended + 1, self._trained + 1
        self._show_bar(f"{run.title}: diverged")
        if not self._quiet and not self._is_terminal:
            echo(printable(f"{self._format_count()}{run.title}: {run.reason}"))

    def _format_count(self) -> str:
        return f"run {self._ended:,} of {self._total:,}, "


def _has_line(epoch: int, epochs: int) -> bool:
    """Decide whether an epoch gets a line: of more than thirty the first three, some twenty between, and the last."""
    return epoch > 0 and (epoch <= 3 or epochs <= 30 or epoch % (epochs // 20) == 0 or epoch == epochs)


class JobProgress(StepProgress):
    """The progress of a job in a terminal: its downloads, trainings, further runs and siblings.

    Until the job has written its first page, each epoch, further run and topic is printed as a line. From then on the
    page shows them; the terminal only names each phase, with the time left. A bar shows what is running now.
    """

    def __init__(self, *, quiet: bool) -> None:
        super().__init__(quiet=quiet)
        self._is_in_phases = False  # True once the first page is written
        self._network, self._epochs, self._num_images = "", 0, 0  # the training that is running
        self._runs = RunsProgress(0, quiet=True)  # until a job has further runs

    def listeners(self) -> Listeners:
        return replace(
            super().listeners(),
            on_training=self._on_training,
            on_progress=self._on_progress,
            on_epoch=self.on_epoch,
            on_trained=self._on_trained,
            on_plan=lambda text: self._show(with_options(text, click.get_current_context().command)),
            on_runs=self._on_runs,
            # Looked up at each call, since `_on_runs` replaces `_runs`.
            on_run_epoch=lambda spec, state: self._runs.on_epoch(spec, state),
            on_result=lambda result: self._runs.on_result(result),
            on_diverged=lambda run: self._runs.on_diverged(run),
            on_fold=lambda done, folds: self._move("training siblings", done, folds),
            on_file=lambda path: self._show(printable(str(path))),
            on_topic=self._on_topic,
            on_page=self._on_page,
            on_phase=self._on_phase,
        )

    @property
    def runs_done(self) -> int:
        """The number of finished runs among the further runs."""
        return self._runs.done

    def _show(self, text: str) -> None:
        if not self._quiet:
            echo(text)

    def _on_training(self, name: str, epochs: int, num_images: int) -> None:
        self._network, self._epochs, self._num_images = name, epochs, num_images

    def _on_progress(self, epoch: int, images: int, loss: float, accuracy: float) -> None:
        text = f"loss {loss:.4f}, accuracy {percent(accuracy)}"
        self._move(f"{self._network} epoch {epoch}/{self._epochs}", images, self._num_images, text, unit=" images")

    def on_epoch(self, state: TrainingState) -> None:
        """Print the line of the epoch that has just ended; after the first page, only the bar shows progress."""
        self.close()
        if not self._is_in_phases and _has_line(len(state.history), self._epochs):
            self._show(self._format_epoch(state.history))

    def _format_epoch(self, history: History) -> str:
        row = history.rows()[-1]
        # The epoch is padded to the width of the last, so that the columns of all lines are aligned.
        cells = [f"{self._network} epoch {len(history):>{len(str(self._epochs))}}/{self._epochs}"]
        # An epoch without validation or test images has no values of these.
        names = [name for name in ("loss", "accuracy", "val_loss", "val_accuracy") if name in row]
        cells += [
            f"{history.title(name)} {percent(row[name]) if 'accuracy' in name else f'{row[name]:.4f}'}"
            for name in names
        ]
        speed = self._num_images / max(row["seconds"], 1e-9)  # a clock may give 0 for a tiny epoch
        return "  ".join([*cells, f"{row['seconds']:.2f} s", f"{speed:,.0f} images/s"])

    def _on_trained(self, _: str, choice: str) -> None:
        if choice and not self._is_in_phases:
            self._show(f"{self._network} {choice}")

    def _on_runs(self, total: int) -> None:
        self._runs.close()
        self._runs = RunsProgress(total, quiet=self._quiet, lines=not self._is_in_phases)

    def _on_topic(self, _: str, result: Result) -> None:
        if not self._is_in_phases:
            self._show(f"{result}\n")

    def _on_page(self, evaluation: Evaluation, path: Path) -> None:
        self._is_in_phases = True
        self._show(f"\n{evaluation.summary}\nThe page can be opened now; what follows is added to it: {path}\n")

    def _on_phase(self, title: str, seconds: float) -> None:
        self.close()
        self._show(f"{title}: about {max(1, round(seconds)):,} s left")

    def close(self) -> None:
        self._runs.close()
        super().close()
