"""What the database of many runs notes beside them: commands that asked for them, their plan, and looks at results."""

import json
from collections.abc import Callable
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any

from convscope.base.errors import RunError
from convscope.base.records import decode
from convscope.storage.run_database import DATABASE, database_errors, open_writer

MAX_COMMANDS = 1000


class RunNotes:
    """The notes of the runs in the folder `path`; `query` returns the rows that an SQL statement reads."""

    def __init__(self, path: Path, query: Callable[..., list[tuple[Any, ...]]]) -> None:
        self.path, self._query = path, query

    @cached_property
    def commands(self) -> str:
        """The command lines that asked for the runs here, one a line; "" where Python alone did."""
        return self._read("commands")

    def add_command(self, command: str) -> None:
        """Note a command line that asks for runs here; a known one is noted once.

        Raises:
            ConvscopeError: if it cannot be written.
        """
        known = self.commands.splitlines()
        if command and command not in known:
            self._write("commands", "\n".join([*known, command][-MAX_COMMANDS:]))
            del self.commands

    @property
    def plan(self) -> str | None:
        """The SHA-256 of the plan that the runs here follow, if any."""
        return self._read("plan") or None

    def follow_plan(self, sha256: str) -> None:
        """Note that the runs here will follow a plan; there are none yet.

        Raises:
            RunError: if they follow another plan, or began without one.
            ConvscopeError: if it cannot be written.
        """
        if self.plan is None and not self._counts():
            self._write("plan", sha256)
        elif self.plan != sha256:
            began = "began without a plan" if self.plan is None else f"follow another plan ({self.plan:.8})"
            raise RunError(f"{self.path}: the runs here {began}; choose another folder for this one")

    @property
    def looks(self) -> dict[str, list[int]]:
        """How many runs of each group there were whenever results were looked at, by the digest of the group.

        Raises:
            RunError: if the looks are damaged.
        """
        try:
            return decode(self._read("looks").encode() or b"{}", dict[str, list[int]], str(self.path / DATABASE))
        except RunError as error:
            raise RunError(f"{error}; use another copy of the runs") from error

    def add_look(self) -> None:
        """Count a look at the results; another one at the same runs is none.

        Raises:
            RunError: if the looks are damaged.
            ConvscopeError: if it cannot be written.
        """
        looks, is_new = self.looks, False
        for digest, count in self._counts():
            if count not in looks.setdefault(str(digest), []):
                is_new = True
                looks[str(digest)].append(count)
        if is_new:
            self._write("looks", json.dumps(looks, sort_keys=True))

    def _read(self, key: str) -> str:
        return "".join(str(value) for (value,) in self._query("SELECT value FROM meta WHERE key = ?", key))

    def _write(self, key: str, text: str) -> None:
        with database_errors(self.path / DATABASE), closing(open_writer(self.path)) as database:
            database.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, text))

    def _counts(self) -> list[tuple[Any, ...]]:
        """Return the digest of each group, and how many runs it has."""
        return self._query("SELECT grp.digest, count(*) FROM run JOIN grp ON grp.id = run.grp GROUP BY grp.digest")
