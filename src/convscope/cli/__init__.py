"""The command line: one function per command, each in the module of its name, imported when it is called."""

import gc
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from convscope.base.errors import ConvscopeError
from convscope.base.tables import printable, printable_lines
from convscope.cli.hints import HintingGroup
from convscope.cli.output import WORDS, with_options
from convscope.cli.process import interrupts, open_closed_streams

# With the first sentence of each command's help here, `convscope --help` imports no command.
_COMMANDS = {
    "run": "Train a network, evaluate and explain it, compare it with a dense network, and write a report.",
    "train": "Train and evaluate a network.",
    "evaluate": "Evaluate a trained network on test images or on other data.",
    "predict": "Classify your own pictures.",
    "serve": "Serve trained networks over HTTP.",
    "compare": "Compare runs, or groups of runs over seeds, on the same test images.",
    "diff": "Compare two networks layer by layer: structure, weights, outputs on the same images, and answers.",
    "plan": "Say how many seeds show a difference between two networks, from a few runs of each.",
    "ensemble": "Join trained runs into one network, evaluate it, explain it, and write a report.",
    "experiment": "Train several architectures and recipes over many seeds, and compare them.",
    "sweep": "Vary fields of a recipe or an architecture, and find the values that held-out images prefer.",
    "log": "Log trained runs to MLflow or TensorBoard.",
    "report": "Measure how far a run's predictions can be trusted, and rewrite its report.",
    "playground": "Write a page on which you train a network in the browser.",
    "figures": "Write figures of a run as PNG, SVG or PDF, for slides and papers.",
    "data": "List, check or correct data sets.",
    "export": "Export a model to the formats of other programs, and verify its predictions there.",
    "import": "Import a network of another program, explain it, and write a report.",
    "summary": "Print the layer table of an architecture.",
}

_MAX_CHARACTERS = 4000  # limit for a line of an error message, which may quote a file


class _Commands(HintingGroup):
    """A group that imports a command's module when the command is needed, and turns errors into one line.

    From the inside out, an error of a command passes:

        _invoke           in an error of the library, replaces arguments by options: `out` by --out
        invoke            makes Ctrl-C and SIGTERM an error with the command to run again, unless the command itself has
        _shorten_errors   makes errors of convscope and of the system click's, which prints them and ends with status 1

    If the reader of the output has gone, the command ends silently.
    """

    def main(self, *args: Any, **kwargs: Any) -> Any:
        os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")  # else NumPy's threads spin for 50 ms at each start
        gc.set_threshold(20_000)  # by default 700; fewer collections save 6 % of `run`
        open_closed_streams()
        return super().main(*args, **kwargs)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[WORDS] = list(args)  # a copy for `format_command`, as click removes the words that it has parsed
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        # `import` is a keyword, so no module can have the name.
        name = "import_model" if cmd_name == "import" else cmd_name
        command: click.Command = getattr(import_module(f"convscope.cli.{name}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        # It prints --help and --version, for which the output may be closed or full.
        with _shorten_errors():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> object:
        with interrupts(), _shorten_errors():
            try:
                return self._invoke(ctx)
            except KeyboardInterrupt:
                command = f"convscope {shlex.join(ctx.meta[WORDS])}"
                raise ConvscopeError(f"interrupted; to start again, run: {command}") from None

    def _invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except ConvscopeError as error:
            command = self.get_command(ctx, ctx.invoked_subcommand or "")
            if command is None:  # the error came before a command was found
                raise
            raise _make_short_error(*(with_options(str(line), command) for line in error.args)) from error


@contextmanager
def _shorten_errors() -> Iterator[None]:
    """Turn errors of convscope and of the operating system into one `Error:` line and exit code 1."""
    try:
        yield
    except ConvscopeError as error:
        raise _make_short_error(*map(str, error.args)) from error
    except OSError as error:
        if isinstance(error, BrokenPipeError) and error.filename is None:
            raise  # the reader of a pipe has gone; click ends the command
        # `convscope.base.files` writes files and raises our own errors: an error without a name is about the output.
        if error.filename is None:  # what Python still holds must not fail again when it exits
            with suppress(OSError), Path(os.devnull).open("wb") as nothing:
                os.dup2(nothing.fileno(), sys.stdout.fileno())
        reason, name = error.strerror or str(error), error.filename or "standard output"
        raise _make_short_error(f"{name}: cannot be used ({reason}); fix this and run the command again") from error
    except click.exceptions.NoArgsIsHelpError:  # a UsageError, but its text is the help
        raise
    except click.UsageError as error:  # it quotes the command line
        raise click.UsageError(printable_lines(error.format_message()), error.ctx) from error
    except click.ClickException as error:
        raise click.ClickException(printable_lines(error.format_message())) from error


def _make_short_error(*texts: str) -> click.ClickException:
    """Make an error of a line for each argument of an exception; a very long one loses its middle."""
    lines = [printable(" ".join(text.split())) for text in texts]
    short = [line if len(line) <= _MAX_CHARACTERS else f"{line[:2000]} … {line[-1000:]}" for line in lines]
    return click.ClickException("\n  ".join(short))


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "show_default": True},
)
@click.version_option(package_name="convscope")
def main() -> None:
    """Train a small convolutional network in seconds on a CPU, evaluate it honestly, and see how it works."""
