"""`convscope summary`: the layer table."""

import re
from pathlib import Path

import click

from convscope.base.errors import ConvscopeError
from convscope.base.files import write_text
from convscope.cli.options import PATH, json_option, print_json, width_option
from convscope.cli.output import echo
from convscope.runs.choices import architecture_for


def _parse_image_size(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[int, int, int]:
    match = re.fullmatch(r"(\d{1,9})[x×](\d{1,9})(?:[x×](\d{1,9}))?", value.lower())
    if not match:
        raise click.BadParameter("use HEIGHTxWIDTH or HEIGHTxWIDTHxCHANNELS, such as 28x28x1")
    return int(match[1]), int(match[2]), int(match[3] or 1)


@click.command()
@click.argument("architecture")
@click.option(
    "--image", callback=_parse_image_size, default="28x28x1", help="Height, width and channels of the images."
)
@click.option("--classes", type=int, default=10, help="Number of classes.")
@width_option
@click.option("--svg", "svg_path", type=PATH, help="SVG file for the diagram.")
@json_option
def summary(
    architecture: str, image: tuple[int, int, int], classes: int, width: float, svg_path: Path | None, as_json: bool
) -> None:
    """Print the layer table of an architecture.

    ARCHITECTURE is a preset (cnn, ann, lenet5, small, wide, deep, residual, tiny697, tiny2k, tiny8k, tiny25k, micro11k)
    or a JSON file. --image applies to presets and to files without `input`, --classes to presets. --json writes the
    architecture as such a file, for --architecture of every command.
    """
    network = architecture_for(architecture, image, classes, width)
    if svg_path is not None:
        if svg_path.exists():
            raise ConvscopeError(f"{svg_path}: already exists; choose another file for --svg")
        write_text(svg_path, network.diagram())
    if as_json:
        print_json(network.to_dict())
    else:
        echo(network.summary())
