"""The one way to a terminal: text that cannot move the cursor, change colours or turn the direction of writing.

Names of architectures, layers, classes, files and data sets come from others, and may hold what a terminal obeys.
"""

import re

import click

from convscope.base.tables import printable


def echo(text: object = "", *, nl: bool = True, err: bool = False) -> None:
    """Print `text` on stdout, or with `err` on stderr; only its line feeds are kept of all control characters."""
    click.echo(printable_lines(str(text)), nl=nl, err=err)


def printable_lines(text: str) -> str:
    """Return `text` with what a terminal would obey replaced, line by line, by U+FFFD."""
    return "\n".join(map(printable, text.split("\n")))


def with_options(text: str, command: click.Command) -> str:
    """Return `text` of the library, in which arguments stand in backquotes, with the options of `command` for them."""
    options = {one.name: one.opts[0] for one in command.params if isinstance(one, click.Option)}
    return re.sub("`([a-z_]+)`", lambda match: options.get(match[1], match[0]), text)
