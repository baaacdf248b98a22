"""Write the documentation that is made from the code: docs/cli.md, JSON schemas, and tables of other pages.

With --check, nothing is written, and the exit code is 1 if one of the files is out of date.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path

import click
from architecture_schema import architecture_schema
from output_schema import output_schema
from payload_schema import payload_schema
from supported import PAGES, with_tables
from wrap import wrap

from convscope.cli import main

FOLDER = Path(__file__).parent
OUTPUT_SCHEMA = FOLDER.parent / "src" / "convscope" / "cli" / "output.schema.json"
PAYLOAD_SCHEMA = FOLDER.parent / "src" / "convscope" / "report" / "payload.schema.json"
INTRODUCTION = """\
# The command line

`make docs` writes this page from the help of the commands; edit that, not this.

Every command below takes `--help`, and `--json`, which prints one JSON document on stdout and nothing else (all but
{without_json}). `convscope --version` prints the version.
A command exits with 0, with 1 after a single `Error:` line on stderr that names the file or value and the next step,
or with 2 if the command line itself is wrong. [Files](files.md) says what the JSON holds.

Ctrl-C and SIGTERM end a command with one `Error:` line that says what is kept and how to continue, and with 1 or 143.
If the reader of its output has gone, as after `| head -1`, it ends with 1 and without a message. If stdin, stdout or
stderr is closed at the start, it works as if nobody listened.
"""


def cli_page() -> str:
    """Write docs/cli.md from the help of the commands."""
    commands = list(_find_commands("convscope", main, None))
    takes_json = {
        context.info_name: any(option.name == "as_json" for option in command.params) for context, command in commands
    }
    introduction = INTRODUCTION.format(
        without_json=", ".join(f"`{name}`" for name, takes in takes_json.items() if not takes)
    )
    described = dict[str, str]()
    sections = [_write_section(context, command, described) for context, command in commands]
    return "\n".join([introduction, *sections])


def _find_commands(
    name: str, command: click.Command, parent: click.Context | None
) -> Iterator[tuple[click.Context, click.Command]]:
    """Yield every command that is not a group, with a context that knows its full name."""
    context = click.Context(command, info_name=name, parent=parent, **command.context_settings)
    if not isinstance(command, click.Group):
        yield context, command
        return
    for child_name in command.list_commands(context):
        child = command.get_command(context, child_name)
        assert child is not None, child_name
        yield from _find_commands(child_name, child, context)


def _write_section(context: click.Context, command: click.Command, described: dict[str, str]) -> str:
    """Write a command's usage, its text and its options.

    Args:
        described: the command that has the row of each option so far. An option that has one is only named.
    """
    path = context.command_path
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    parts = [f"## {path}", f"```\n{usage}\n```", cleandoc(command.help or "")]
    parts += [command.epilog] if command.epilog else []
    rows, named = list[str](), dict[str, list[str]]()
    for option in command.params:
        # Without `--json`, which most commands have.
        if option.name == "as_json" or (record := _find_help(option, context)) is None:
            continue
        row = _write_row(*record)
        if (first := described.setdefault(row, path)) == path:
            rows.append(row)
        else:
            named.setdefault(first, []).append(f"`{option.opts[0]}`")
    if rows:
        parts.append("\n".join(["| option | meaning |", "| --- | --- |", *rows]))
    parts += [f"As in [{first}](#{_anchor(first)}): {', '.join(names)}." for first, names in named.items()]
    return "\n\n".join(parts) + "\n"


def _find_help(parameter: click.Parameter, context: click.Context) -> tuple[str, str] | None:
    """Find an option's name and help; None for an argument, which the command's text explains."""
    return parameter.get_help_record(context) if isinstance(parameter, click.Option) else None


def _write_row(option: str, text: str) -> str:
    """Write an option's row of the table; click has the default and the range in brackets after the meaning."""
    meaning, brackets = re.fullmatch(r"(.*?)\s*(?:\[([^\]]*)\])?", text, re.DOTALL).groups()  # type: ignore[union-attr]  # matches anything
    notes = brackets.split("; ") if brackets else []
    ranges = [f"`{note}`" for note in notes if not note.startswith("default: ")]
    defaults = [f"Default: `{note.removeprefix('default: ')}`." for note in notes if note.startswith("default: ")]
    cells = [f"`{' '.join(option.split())}`", " ".join([meaning, *ranges, *defaults]).strip()]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _anchor(heading: str) -> str:
    return heading.lower().replace(" ", "-")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is out of date")
    is_check = parser.parse_args().check
    texts = {FOLDER / "cli.md": wrap(cli_page())}
    schemas = {
        FOLDER / "architecture.schema.json": architecture_schema(),
        OUTPUT_SCHEMA: output_schema(),
        PAYLOAD_SCHEMA: payload_schema(),
    }
    texts |= {path: json.dumps(schema, indent=1, ensure_ascii=False) + "\n" for path, schema in schemas.items()}
    texts |= {FOLDER / page: wrap(with_tables(page, (FOLDER / page).read_text(encoding="utf-8"))) for page in PAGES}
    for path, text in texts.items():
        if not is_check:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            sys.exit(f"{path.name} is out of date; write it again with: make docs")
