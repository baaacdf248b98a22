"""The built parts of web/ and native/ in the form that a page holds: scripts, policy, style sheet and engine."""

import json
import zlib
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from convscope.report.document import live_policy, read_resource
from convscope.texts import catalogues


@dataclass(frozen=True)
class Bundle:
    """The texts of a live page that every page has.

    Attributes:
        start: a script that inflates `script` and runs it.
        script: deflated and in base64, as is the `engine`, which is WebAssembly.
        module: what stands before a network that is saved as JavaScript, packed like the script.
        policy: lets these two scripts run and no other.
        texts: the keys of the catalogue as `keys`, and by language other than English the texts at these keys, as JSON,
            packed like the script.
    """

    start: Markup
    script: Markup
    policy: str
    css: Markup
    engine: Markup
    module: Markup
    texts: dict[str, Markup]

    @property
    def num_bytes(self) -> int:
        """The bytes that they take of a page."""
        texts = (self.start, self.script, self.css, self.engine, self.module, *self.texts.values())
        return sum(len(text.encode()) for text in texts)


@cache
def load_bundle() -> Bundle:
    """Read the bundle in this folder and pack it for a page, once in a process."""
    names = ("start.js", "bundle/bench.js", "bundle/bench.css", "bundle/model.mjs")
    start, script, style, module = map(read_resource, names)
    assert "</style" not in style.lower(), "the style sheet would end its element"
    engine = files("convscope.report").joinpath("bundle/engine.wasm").read_bytes()
    catalogue = {language: dict(_leaves(texts)) for language, texts in catalogues().items()}
    keys = list(catalogue.pop("en"))  # the script itself holds the English texts
    # The keys travel once, and each language as a plain list in their order: keys ["a.b", "a.c"], de ["Ja", "Nein"].
    lists: dict[str, list[Any]] = {"keys": keys}
    lists |= {language: [texts[key] for key in keys] for language, texts in catalogue.items()}
    packed = {
        name: _pack_file(json.dumps(texts_of_language, ensure_ascii=False, separators=(",", ":")).encode())
        for name, texts_of_language in lists.items()
    }
    policy = live_policy(start, script)
    packed_script, packed_module = (_pack_file(text.encode()) for text in (script, module))
    return Bundle(Markup(start), packed_script, policy, Markup(style), _pack_file(engine), packed_module, packed)


def _leaves(texts: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each text, or its plural forms, with its key: the names that lead to it, with dots between them."""
    for name, text in texts.items():
        if isinstance(text, str) or isinstance(text.get("other"), str):
            yield above + name, text
        else:
            yield from _leaves(text, f"{above}{name}.")


def _pack_file(content: bytes) -> Markup:
    # The browser inflates it by DecompressionStream, which reads zlib's format.
    return Markup(b64encode(zlib.compress(content, 9)).decode())
