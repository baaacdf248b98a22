"""What is shown while a data set is fetched: never on stdout; a bar on a terminal, and else a line a file."""

import io

import pytest

from convscope.cli.progress import DownloadProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def fetch(progress: DownloadProgress) -> None:
    with progress:
        for name in ("a\x1b.gz", "b.gz"):
            for done in (0, 500, 1000):
                progress.on_progress(name, done, None if name == "b.gz" else 1000)


def test_without_a_terminal_each_file_is_named_once_on_stderr(capsys: pytest.CaptureFixture[str]):
    fetch(DownloadProgress())
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == ["fetching a\N{REPLACEMENT CHARACTER}.gz", "fetching b.gz"]


def test_quiet_shows_nothing(capsys: pytest.CaptureFixture[str]):
    fetch(DownloadProgress(quiet=True))
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_there_is_a_bar_a_file_that_is_taken_away(monkeypatch: pytest.MonkeyPatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    fetch(DownloadProgress())
    text = terminal.getvalue()
    assert "fetching b.gz" in text
    assert "0.00/1.00k" in text
    assert "\x1b" not in text.replace("\x1b[A", "")
    assert text.rstrip(" ").endswith("\r")


def test_the_bar_is_taken_away_when_something_breaks_off(monkeypatch: pytest.MonkeyPatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)

    def break_off() -> None:
        with DownloadProgress() as progress:
            progress.on_progress("a.gz", 10, 1000)
            raise OSError("broken")

    with pytest.raises(OSError, match="broken"):
        break_off()
    assert terminal.getvalue().rstrip(" ").endswith("\r")
