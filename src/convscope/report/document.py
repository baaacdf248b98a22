"""HTML documents: the templates that stand on one base, and what a document may do."""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from convscope.base.tables import printable
from convscope.report import findings
from convscope.texts import Sentence, attribute, figure, format_rounded, say

_NO_BASE_OR_FORM = "base-uri 'none'; form-action 'none'"  # `default-src` does not cover these two
STILL_POLICY = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; {_NO_BASE_OR_FORM}"
"""The content policy of a page without a script: it may only show what is inside it."""


def live_policy(*scripts: str) -> str:
    """Write the content policy of a page: it may run `scripts`, its engine and its workers, and nothing else."""
    digests = " ".join(map(_script_digest, scripts))
    return (
        f"default-src 'none'; script-src {digests} 'wasm-unsafe-eval'; worker-src blob:; "
        f"style-src 'unsafe-inline'; img-src data: blob:; {_NO_BASE_OR_FORM}"
    )


def script_policy(script: str) -> str:
    """Write the content policy of a page that may run `script` and nothing else."""
    return (
        f"default-src 'none'; script-src {_script_digest(script)}; style-src 'unsafe-inline'; img-src data:; "
        f"{_NO_BASE_OR_FORM}"
    )


def _script_digest(script: str) -> str:
    return f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"


def render_document(template: str, policy: str = STILL_POLICY, **values: object) -> str:
    """Render a template as an HTML document with style and policy; texts in `values` are data, never markup."""
    return render_template(template, policy=Markup(policy), css=Markup(read_resource("page.css")), **values)


def render_template(name: str, **values: object) -> str:
    """Render a template of this folder with `values`, whose texts are data, never markup."""
    text: str = _templates().get_template(name).render(**values)
    return text


def script_json(value: Mapping[str, object]) -> Markup:
    """Write JSON for a script element, so that no text in it can end the element or begin a comment."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":  # much faster than a pattern, for megabytes
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def load_template(name: str) -> None:
    """Read and compile a template before `render_document` needs it."""
    _templates().get_template(name)


def read_resource(name: str) -> str:
    """Read a text file of this folder; the package may be in an archive."""
    return files("convscope.report").joinpath(name).read_text(encoding="utf-8")


def percent_interval(bounds: Sequence[float]) -> str:
    """Format an interval of fractions as two numbers in percent.

    >>> percent_interval([0.98, 0.99])
    '98.00, 99.00'
    """
    low, high = bounds
    return f"{100 * low:.2f}, {100 * high:.2f}"


@cache
def _templates() -> Environment:
    # StrictUndefined: a name that is missing is an error and not an empty text.
    environment = Environment(loader=FunctionLoader(read_resource), autoescape=True, undefined=StrictUndefined)
    environment.filters["plain"] = lambda text: printable(str(text))  # also as an attribute
    environment.filters["text"] = lambda text: text if isinstance(text, Sentence) else printable(str(text))
    environment.filters["percent"] = findings.percent
    environment.filters["interval"] = percent_interval
    environment.filters["thousands"] = "{:,}".format
    environment.globals.update(say=say, figure=figure, rounded=format_rounded)
    environment.globals.update(attribute=attribute, between=findings.between)
    return environment
