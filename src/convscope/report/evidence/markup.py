"""A section as HTML: values in, one `section` element out, every text of it escaped."""

from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from convscope.base.tables import printable
from convscope.report.evidence.section import Card, Chart, Gallery, Section, Table
from convscope.report.pixels import png_of, scale_to
from convscope.report.style import inline_svg, svg_text


def render_section(section: Section, svgs: Mapping[str, str] | None = None) -> Markup:
    """Return the element of `section`, to be put into a page with the report's style sheet.

    Args:
        svgs: the charts as SVG files by name, where they are drawn already.
    """
    parts = [_part(part, svgs or {}) for part in section.parts]
    return Markup(_template().render(section=section, parts=parts))


def _part(part: Table | Chart | Gallery, svgs: Mapping[str, str]) -> dict[str, Any]:
    if isinstance(part, Table):
        return {"kind": "table", **vars(part)}
    if isinstance(part, Chart):
        drawn = svgs[part.name] if part.name in svgs else svg_text(part.drawing)
        svg = inline_svg(drawn, part.name, printable(part.title))
        return {"kind": "chart", **vars(part), "svg": Markup(svg)}
    return {"kind": "gallery", **vars(part), "cards": [_card(card, part.size) for card in part.cards]}


def _card(card: Card, size: int) -> dict[str, Any]:
    height, width = card.picture.shape[:2]
    scale = scale_to(max(height, width), size)
    uri = "data:image/png;base64," + b64encode(png_of(card.picture)).decode()
    size_on_page = {"width": width * scale, "height": height * scale}
    return {**vars(card), **size_on_page, "uri": uri, "alt": ", ".join(card.lines[:1]) or "picture"}


@cache
def _template() -> Any:
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    environment.filters["plain"] = lambda text: printable(str(text))
    text = files("convscope.report").joinpath("evidence/section.html.jinja").read_text(encoding="utf-8")
    return environment.from_string(text)
