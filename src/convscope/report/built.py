"""What the folders web/ and native/ were built into, as a page takes it: script, policy, style sheet and engine."""

import re
import zlib
from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from markupsafe import Markup

from convscope.report.document import live_policy, read_resource


@dataclass(frozen=True)
class Built:
    """The texts of a live page that every page has.

    Attributes:
        policy: lets this script run and no other.
        engine: WebAssembly, deflated and in base64.
    """

    script: Markup
    policy: str
    css: Markup
    engine: Markup

    @property
    def num_bytes(self) -> int:
        """How much of a page they take."""
        return sum(len(text.encode()) for text in (self.script, self.css, self.engine))


@cache
def built() -> Built:
    """Return the texts of the bundle in this folder."""
    # In the script these stand only in strings and patterns, where an escaped "<" means the same.
    script = re.sub("<(?=!--|/?script)", r"\\x3c", read_resource("bundle/bench.js"), flags=re.IGNORECASE)
    style = read_resource("bundle/bench.css")
    assert "</style" not in style.lower(), "the style sheet would end its element"
    engine = zlib.compress(files("convscope.report").joinpath("bundle/engine.wasm").read_bytes(), 9)
    return Built(Markup(script), live_policy(script), Markup(style), Markup(b64encode(engine).decode()))
