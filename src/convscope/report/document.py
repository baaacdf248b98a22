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

_ITS_OWN = "base-uri 'none'; form-action 'none'"
STILL_POLICY = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; {_ITS_OWN}"
"""What a page without a script may do: show what is inside it."""


def live_policy(*scripts: str) -> str:
    """Write the content policy of a page: it may run `scripts`, its engine and its workers, and nothing else."""
    digests = " ".join(f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {digests} 'wasm-unsafe-eval'; worker-src blob:; "
        f"style-src 'unsafe-inline'; img-src data: blob:; {_ITS_OWN}"
    )


def render_document(template: str, policy: str = STILL_POLICY, **values: object) -> str:
    """Return the HTML document that a template of this folder makes of `values`, whose texts are data, never markup."""
    return render_template(template, policy=Markup(policy), css=Markup(read_resource("page.css")), **values)


def render_template(name: str, **values: object) -> str:
    """Render a template of this folder with `values`, whose texts are data, never markup."""
    text: str = _templates().get_template(name).render(**values)
    return text


def script_json(value: Mapping[str, object]) -> Markup:
    """Return plain JSON for an element that no text in it can end or comment out."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":  # much faster than a pattern, for megabytes
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def load_template(name: str) -> None:
    """Read and compile a template, which `render_document` then has at hand."""
    _templates().get_template(name)


def read_resource(name: str) -> str:
    """Return the text of a file of this folder, which may lie in an archive."""
    return files("convscope.report").joinpath(name).read_text(encoding="utf-8")


def percent_interval(bounds: Sequence[float]) -> str:
    """Return an interval of fractions as two numbers in percent.

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
