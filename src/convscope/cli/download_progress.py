"""What a terminal shows while a data set is fetched: a bar a file; without a terminal a line when one begins."""

import sys
from types import TracebackType

from tqdm import tqdm

from convscope.base.tables import printable
from convscope.cli.output import echo


class DownloadProgress:
    """Told by a download how far it is; all goes to stderr, so that stdout stays what was asked for.

    Used as a context manager, which takes the bar away at the end or when something broke off.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bar: tqdm | None = None
        self._name = ""

    def on_progress(self, name: str, done: int, total: int | None) -> None:
        """Move the bar of the file `name` to `done` of `total` bytes; `total` is None where nobody knows."""
        if self._quiet:
            return
        if name != self._name:
            self.close()
            self._name = name
            text = printable(f"fetching {name}")
            if sys.stderr.isatty():
                self._bar = tqdm(total=total, desc=text, unit="B", unit_scale=True, leave=False, file=sys.stderr)
            else:
                echo(text, err=True)
        if self._bar is not None:
            self._bar.total = total
            self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> "DownloadProgress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
