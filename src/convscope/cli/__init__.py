"""The command line: one function a command, each in the module of its name, loaded only when it is called."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click

from convscope.base.errors import ConvscopeError
from convscope.base.tables import printable
from convscope.cli.output import printable_lines, with_options

_WORDS = f"{__name__}.words"  # of the command line, in the context

# Each with the first sentence of its help, so that listing them imports none of them.
_COMMANDS = {
    "run": "Train, measure, look inside, compare with a dense network, and write the report.",
    "train": "Train a network and measure it.",
    "evaluate": "Measure a trained network.",
    "evidence": "Measure what a run's answers are worth, and put it on its page.",
    "predict": "Answer pictures of your own.",
    "serve": "Answer over HTTP with trained networks.",
    "ablate": "Measure what a trained network loses without its parts.",
    "compare": "Compare runs, or groups of runs over seeds, on the same test images.",
    "experiment": "Train architectures with recipes from many seeds, and say how they fare.",
    "log": "Log trained runs to MLflow or TensorBoard.",
    "report": "Write the report of a trained run again.",
    "figures": "Write figures of a run as PNG, SVG or PDF, for slides and papers.",
    "data": "List data sets, tell what a person would check first in one, or show an image as its matrix.",
    "export": "Write a model in the formats of other programs, and prove that it answers the same there.",
    "import": "Bring a network of Keras or ONNX, measure it, look inside, and write the report.",
    "summary": "Print the layer table of an architecture.",
    "bench": "Measure how fast the native engine is on this machine.",
}

_MOST_CHARACTERS = 4000  # of an error


class _Commands(click.Group):
    """A group that imports a command's module when the command is needed, and turns errors into one line.

    So it does with Ctrl-C, where the command itself does not know better how to go on than to be run again.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_WORDS] = list(args)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        name = "import_model" if cmd_name == "import" else cmd_name  # the one word that no module can be called
        command: click.Command = getattr(import_module(f"convscope.cli.{name}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:  # prints --help and --version
        with _one_line():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> object:
        with _one_line():
            try:
                return self._invoke(ctx)
            except KeyboardInterrupt:
                again = shlex.join(["convscope", *ctx.meta[_WORDS]])
                raise ConvscopeError(f"interrupted; run it again with: {again}") from None

    def _invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except ConvscopeError as error:
            command = self.get_command(ctx, ctx.invoked_subcommand or "")
            if command is None:
                raise
            raise _short(with_options(str(error), command)) from error


@contextmanager
def _one_line() -> Iterator[None]:
    """Turn our errors, and what the system refuses, into one `Error:` line and exit code 1."""
    try:
        yield
    except ConvscopeError as error:
        raise _short(str(error)) from error
    except OSError as error:
        # Files are written by `convscope.base.files`, whose errors are ours: what has no name here is the output.
        reason, name = error.strerror or str(error), error.filename or "standard output"
        raise _short(f"{name}: cannot be used ({reason}); see to that and give the command again") from error
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as error:  # it quotes what stands on the command line
        raise click.UsageError(printable_lines(error.format_message()), error.ctx) from error
    except click.ClickException as error:
        raise click.ClickException(printable_lines(error.format_message())) from error


def _short(text: str) -> click.ClickException:
    """Return an error of one line, without its middle where that is very long: a value in it may come from a file."""
    line = printable(" ".join(text.split()))
    return click.ClickException(line if len(line) <= _MOST_CHARACTERS else f"{line[:2000]} … {line[-1000:]}")


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="convscope")
def main() -> None:
    """Train a small convolutional network in seconds on a CPU, measure it honestly, and see through it."""
