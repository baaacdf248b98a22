"""The one way to a terminal: text that cannot move the cursor, change colours or turn the direction of writing.

Names of architectures, layers, classes, files and data sets come from others, and may hold what a terminal obeys.
"""

import os
import re
import shlex

import click

from convscope.base.tables import printable_lines

WORDS = f"{__name__}.words"
"""Where the context keeps the words of the command line."""

# Options that do not change a result, and whether a value follows.
_WITHOUT_EFFECT = {
    "--executor": True, "--json": False, "--open": False, "--out": True,
    "--threads": True,
}  # fmt: skip


def echo(text: object = "", *, nl: bool = True, err: bool = False) -> None:
    """Print `text` on stdout, or with `err` on stderr; only its line feeds are kept of all control characters."""
    click.echo(printable_lines(str(text)), nl=nl, err=err)


def with_options(text: str, command: click.Command) -> str:
    """Return `text` of the library, in which arguments stand in backquotes, with the options of `command` for them."""
    options = {param.name: param.opts[0] for param in command.params if isinstance(param, click.Option)}
    return re.sub("`([a-z_]+)`", lambda match: options.get(match[1], match[0]), text)


def given_command() -> str:
    """Return the command line that this process was started with, without options that do not change the result."""
    words, kept = iter(click.get_current_context().meta[WORDS]), ["convscope"]
    for word in words:
        option, equals, _ = word.partition("=")
        if option not in _WITHOUT_EFFECT:
            kept.append(os.fsencode(word).decode(errors="replace"))
        elif _WITHOUT_EFFECT[option] and not equals:
            next(words, None)
    return shlex.join(kept)
