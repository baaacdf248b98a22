"""Notes in the database of many runs: the commands that trained them, their plan, and looks at the results.

A note is a row (key, text) of the table `meta`:

    commands   command lines, one in each line
    plan       the SHA-256 of the plan
    looks      {"3f2a...": [5, 10]}: the runs of this group were compared when there were 5, and again when 10

Who compares after every few runs until a difference shows will find one by chance. So the looks are counted.
"""

import json
from collections.abc import Callable
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any

from convscope.base.errors import RunError
from convscope.base.records import decode
from convscope.storage.run_database import DATABASE, database_errors, open_writer

MAX_COMMANDS = 1000  # the last ones are kept


class RunNotes:
    """The notes on the runs in the folder `path`; `query` runs an SQL statement and returns its rows."""

    def __init__(self, path: Path, query: Callable[..., list[tuple[Any, ...]]]) -> None:
        self.path, self._query = path, query

    @cached_property
    def commands(self) -> str:
        """The command lines that trained the runs here, one in each line; "" for runs from Python."""
        return self._read("commands")

    def add_command(self, command: str) -> None:
        """Add a command line, unless it is there; raises `ConvscopeError` if it cannot be written."""
        recorded = self.commands.splitlines()
        if command and command not in recorded:
            self._write("commands", "\n".join([*recorded, command][-MAX_COMMANDS:]))
            del self.commands  # the cached text

    @property
    def plan(self) -> str | None:
        """The SHA-256 of the plan that the runs here follow; None without a plan."""
        return self._read("plan") or None

    def follow_plan(self, sha256: str) -> None:
        """Bind the runs here to a plan.

        Raises:
            RunError: if they follow another plan, or there are already runs without a plan.
            ConvscopeError: if it cannot be written.
        """
        if self.plan is None and not self._counts():
            self._write("plan", sha256)
        elif self.plan != sha256:
            reason = "began without a plan" if self.plan is None else f"follow another plan ({self.plan:.8})"
            raise RunError(f"{self.path}: the runs here {reason}; choose another folder for this one")

    @property
    def looks(self) -> dict[str, list[int]]:
        """For each group, by its digest, how many runs it had at each look at the results."""
        try:
            return decode(self._read("looks").encode() or b"{}", dict[str, list[int]], str(self.path / DATABASE))
        except RunError as error:
            raise RunError(f"{error}; use another copy of the runs") from error

    def add_look(self) -> None:
        """Count a look at the results; raises `RunError` if the looks are damaged."""
        looks, is_new = self.looks, False
        for digest, num_runs in self._counts():
            if num_runs not in looks.setdefault(str(digest), []):  # a second look at the same runs shows nothing new
                is_new = True
                looks[str(digest)].append(num_runs)
        if is_new:
            self._write("looks", json.dumps(looks, sort_keys=True))

    def _read(self, key: str) -> str:
        return "".join(str(value) for (value,) in self._query("SELECT value FROM meta WHERE key = ?", key))

    def _write(self, key: str, text: str) -> None:
        with database_errors(self.path / DATABASE), closing(open_writer(self.path)) as database:
            database.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, text))

    def _counts(self) -> list[tuple[Any, ...]]:
        """Count the runs of each group: rows (digest, number of runs)."""
        return self._query("SELECT grp.digest, count(*) FROM run JOIN grp ON grp.id = run.grp GROUP BY grp.digest")
