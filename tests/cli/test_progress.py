"""Progress of downloads and of many runs: a bar on a terminal, and lines elsewhere."""

import io
from dataclasses import replace

import numpy as np
import pytest

from convscope.cli.progress import RunsProgress, StepProgress
from convscope.experiment import DivergedRun, RunResult
from convscope.training import History


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def fetch(progress: StepProgress) -> None:
    with progress:
        for name in ("a\x1b.gz", "b.gz"):
            for completed in (0, 500, 1000):
                progress.on_download(name, completed, None if name == "b.gz" else 1000)


def test_without_a_terminal_each_file_is_named_once_on_stderr(capsys: pytest.CaptureFixture[str]):
    fetch(StepProgress())
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == ["fetching a\N{REPLACEMENT CHARACTER}.gz", "fetching b.gz"]


def test_quiet_shows_nothing(capsys: pytest.CaptureFixture[str]):
    fetch(StepProgress(quiet=True))
    assert capsys.readouterr() == ("", "")


def test_a_terminal_shows_a_progress_bar_for_each_file(monkeypatch: pytest.MonkeyPatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    fetch(StepProgress())
    text = terminal.getvalue()
    assert "fetching b.gz" in text
    assert "0.00/1.00k" in text
    assert "\x1b" not in text.replace("\x1b[A", "")
    assert text.rstrip(" ").endswith("\r")


def test_the_progress_bar_is_removed_after_an_error(monkeypatch: pytest.MonkeyPatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)

    def break_off() -> None:
        with StepProgress() as progress:
            progress.on_download("a.gz", 10, 1000)
            raise OSError("broken")

    with pytest.raises(OSError, match="broken"):
        break_off()
    assert terminal.getvalue().rstrip(" ").endswith("\r")


def make_result(seed: int, seconds: float) -> RunResult:
    """Return the result of a run of `cnn` with recipe `fast` that classifies half of the test images correctly."""
    return RunResult("", "cnn", "fast", seed, 0.5, 1.0, seconds, History(), "", 1, 1, 4, 1, np.zeros(1, np.uint16))


def test_finished_runs_are_counted_and_predict_the_remaining_time(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    # Seconds at the start and after each finished run; the earlier run and the diverged one do not count in the rate.
    times = iter([0.0, 0.1, 20.0, 30.0])
    monkeypatch.setattr("convscope.cli.progress.monotonic", lambda: next(times))
    progress = RunsProgress(4, quiet=False)
    progress.on_result(replace(make_result(seed=0, seconds=10.0), is_earlier=True))
    progress.on_result(make_result(seed=1, seconds=10.0))
    progress.on_diverged(
        DivergedRun(architecture="cnn", recipe="fast", seed=3, name="", reason="its loss is not a number")
    )
    progress.on_result(make_result(seed=2, seconds=10.0))
    assert capsys.readouterr().out.splitlines() == [
        "run 1 of 4, cnn, fast, seed 0: accuracy 50.00 %, trained earlier",
        "run 2 of 4, cnn, fast, seed 1: accuracy 50.00 %, trained in 10.00 s; about 40 s left",
        "run 3 of 4, cnn, fast, seed 3: its loss is not a number",
        "run 4 of 4, cnn, fast, seed 2: accuracy 50.00 %, trained in 10.00 s",
    ]
    assert progress.done == 3


def test_many_runs_get_a_line_every_ten_seconds_with_their_rate(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    times = iter(float(second) for second in range(1000))  # a run ends every second
    monkeypatch.setattr("convscope.cli.progress.monotonic", lambda: next(times))
    progress = RunsProgress(1200, quiet=False)
    for _ in range(25):
        progress.on_result(make_result(seed=7, seconds=0.5))
    assert capsys.readouterr().out.splitlines() == [
        "run 10 of 1,200, cnn, fast, seed 7: accuracy 50.00 %, trained in 0.50 s; 1.00 runs/s; about 1,190 s left",
        "run 20 of 1,200, cnn, fast, seed 7: accuracy 50.00 %, trained in 0.50 s; 1.00 runs/s; about 1,180 s left",
    ]
