"""`convscope summary`: the layer table."""

import re
from pathlib import Path

import click

from convscope.base.errors import ConvscopeError
from convscope.base.files import write_text
from convscope.cli.options import json_option, print_json
from convscope.cli.output import echo
from convscope.runs.choices import architecture_for


def _image_size(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[int, int, int]:
    match = re.fullmatch(r"(\d{1,9})x(\d{1,9})(?:x(\d{1,9}))?", value.lower())
    if not match:
        raise click.BadParameter("give HEIGHTxWIDTH or HEIGHTxWIDTHxCHANNELS, such as 28x28x1")
    return int(match[1]), int(match[2]), int(match[3] or 1)


@click.command()
@click.argument("architecture")
@click.option("--image", callback=_image_size, default="28x28x1", show_default=True, help="Size of the images.")
@click.option("--classes", type=int, default=10, show_default=True, help="How many there are.")
@click.option("--svg", "svg_path", type=click.Path(path_type=Path), help="Write the diagram to this file too.")
@json_option
def summary(architecture: str, image: tuple[int, int, int], classes: int, svg_path: Path | None, as_json: bool) -> None:
    """Print the layer table of an architecture.

    ARCHITECTURE is a preset (cnn, ann), made for images of the given size, or a JSON file, which holds its own.
    """
    network = architecture_for(architecture, image, classes)
    if svg_path is not None:
        if svg_path.exists():
            raise ConvscopeError(f"{svg_path}: is there already; choose another file for --svg")
        write_text(svg_path, network.diagram())
    if as_json:
        print_json(
            {
                "architecture": network.to_dict(),
                "layers": [row.to_dict() for row in network.table],
                "parameters": network.parameters,
                "non_trainable_parameters": network.non_trainable_parameters,
                "macs": network.macs,
            }
        )
    else:
        echo(network.summary())
