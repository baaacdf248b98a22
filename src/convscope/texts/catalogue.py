"""The catalogues: all texts of the page and the report, a JSON file for each language."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

_FOLDER = files("convscope.texts").joinpath("catalogues")


def catalogues() -> dict[str, dict[str, Any]]:
    """Read the texts of the page and the report by language."""
    return {name: _read(name) for name in sorted(path.name.removesuffix(".json") for path in _FOLDER.iterdir())}


def get_texts(key: str) -> Any:
    """Look up the report's English text at a key such as `evidence.ablation.head`, or the texts below it by name."""
    texts: Any = _read("en")["report"]
    for name in key.split("."):
        texts = texts[name]
    return texts


@cache
def glossary() -> dict[str, str]:
    """List the meaning of each term of the report."""
    return {name: term["meaning"] for name, term in get_texts("terms").items()}


@cache  # a report looks up hundreds of sentences
def _read(language: str) -> dict[str, Any]:
    texts: dict[str, Any] = json.loads(_FOLDER.joinpath(f"{language}.json").read_text(encoding="utf-8"))
    return texts
