"""All text for a terminal: it cannot move the cursor, change colours or turn the direction of writing.

Names of architectures, layers, classes, files and data sets come from others, and may hold codes that a terminal obeys.
"""

import os
import re
import shlex

import click

from convscope.base.tables import printable_lines

WORDS = f"{__name__}.words"
"""The key of the command line's words in click's context."""

# Options that do not change a result, and whether a value follows.
_WITHOUT_EFFECT = {
    "--executor": True, "--json": False, "--out": True,
    "--threads": True,
}  # fmt: skip


def echo(text: object = "", *, nl: bool = True, err: bool = False) -> None:
    """Print `text` on stdout, or with `err` on stderr; of its control characters only line feeds stay."""
    click.echo(printable_lines(str(text)), nl=nl, err=err)


def with_options(text: str, command: click.Command) -> str:
    """Replace the arguments in `text` of the library, which stand in backquotes, by the options of `command`."""
    commands = command.commands.values() if isinstance(command, click.Group) else [command]
    params = (param for part in commands for param in part.params if isinstance(param, click.Option))
    options = {param.name: param.opts[0] for param in params}
    return re.sub("`([a-z_]+)`", lambda match: options.get(match[1], match[0]), text)


def format_command() -> str:
    """Format the command line of this process, without options that do not change the result.

    `run --out a --seed 1 --json` becomes "convscope run --seed 1".
    """
    words, shown_words = iter(click.get_current_context().meta[WORDS]), ["convscope"]
    for word in words:
        option, equals, _ = word.partition("=")
        if option not in _WITHOUT_EFFECT:
            # A path may hold bytes that are no text, which JSON cannot hold.
            shown_words.append(os.fsencode(word).decode(errors="replace"))
        elif _WITHOUT_EFFECT[option] and not equals:  # --out PATH; --out=PATH is a single word
            next(words, None)  # skips PATH
    return shlex.join(shown_words)
