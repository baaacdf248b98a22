"""A drawing of the layers from left to right, as SVG."""

from convscope.architecture.table import Input, LayerRow


def diagram_svg(image: Input, table: tuple[LayerRow, ...]) -> str:
    """Return the layers from left to right as one SVG element."""
    return "<svg></svg>"
