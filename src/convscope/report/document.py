"""HTML documents: the templates that stand on one base, and what a document may do."""

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from convscope.base.tables import printable
from convscope.report import findings

STILL_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What a page without a script may do: show what is inside it."""

LIVE_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'wasm-unsafe-eval' blob:; worker-src blob:; "
    "style-src 'unsafe-inline'; img-src data: blob:"
)
"""What the report may do: run what is inside it."""


def render_document(template: str, policy: str = STILL_POLICY, **values: Any) -> str:
    """Return the HTML document that a template of this folder makes of `values`, whose texts are data, never markup."""
    page: str = (
        _templates()
        .get_template(template)
        .render(policy=Markup(policy), css=Markup(read_resource("page.css")), **values)
    )
    return page


def read_resource(name: str) -> str:
    """Return the text of a file of this folder, which may lie in an archive."""
    return files("convscope.report").joinpath(name).read_text(encoding="utf-8")


def percent_interval(bounds: list[float]) -> str:
    """Return an interval of fractions as two numbers in percent.

    >>> percent_interval([0.98, 0.99])
    '98.00, 99.00'
    """
    low, high = bounds
    return f"{100 * low:.2f}, {100 * high:.2f}"


@cache
def _templates() -> Environment:
    environment = Environment(loader=FunctionLoader(read_resource), autoescape=True, undefined=StrictUndefined)
    environment.filters["plain"] = lambda text: printable(str(text))
    environment.filters["percent"] = findings.percent
    environment.filters["interval"] = percent_interval
    environment.filters["thousands"] = "{:,}".format
    return environment
