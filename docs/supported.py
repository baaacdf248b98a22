"""Write Markdown tables of the layers, operators and formats that the readers of files support and refuse.

The rows come from the readers' own mappings. Names that a reader converts by the same function share a row. The text of
the row is the first sentence of the function's docstring, without the names before its colon.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from convscope.architecture.layer_json import LAYER_KINDS
from convscope.data.image_files.formats import FORMATS
from convscope.interchange.keras_files import activations, layers
from convscope.interchange.tflite_files import operators as tflite
from convscope.interchange.torch_files import operators
from convscope.interchange.translation import operators as onnx

_BEGIN, _END = "<!-- {}: written by docs/generate.py from the code -->", "<!-- end -->"


def _picture_formats() -> str:
    rows = [(row.name, ", ".join(f"`{suffix}`" for suffix in row.suffixes)) for row in FORMATS.values()]
    return _table(("format", "names end in"), rows)


def with_tables(page: str, text: str) -> str:
    """Replace the tables in the text of a page by those that the code gives now.

    Raises:
        ValueError: if the page has no place for one of its tables.
    """
    for name, table in _TABLES[page].items():
        begin = _BEGIN.format(name)
        before, found_begin, from_table = text.partition(begin)
        _, found_end, after = from_table.partition(_END)
        if not found_begin or not found_end:
            raise ValueError(f"{page} has no lines {begin!r} and {_END!r}")
        text = f"{before}{begin}\n\n{table()}\n\n{_END}{after}"
    return text


def _keras_layers() -> str:
    converted = [(kind, _first_sentence(function) or f"`{kind}`") for kind, function in layers._CONVERTERS.items()]
    others = sorted(layers.SUPPORTED - layers._CONVERTERS.keys() - {*activations.ACTIVATION_LAYERS})
    converted += [(kind, f"`{kind}`") for kind in others if kind in LAYER_KINDS]
    converted += [
        ("Rescaling", "`scale` and `offset` of the input; later in the weights before it, or a `BatchNormalization`"),
        ("Reshape", "another order of the same numbers; one that flattens is a `Flatten`"),
    ]
    activation_names = _names(activations.ACTIVATION_LAYERS)
    unused_names = f"`Random...` (not `RandomCrop`), {_names(layers._UNUSED_AT_PREDICTION)}"
    rows = [(f"`{kind}`", result) for kind, result in converted]
    rows += [(activation_names, "the activation of the layer before, or an `Activation`")]
    rows += [(unused_names, "nothing, with a note")]
    return _table(("Keras", "becomes"), rows)


def _keras_refused() -> str:
    arguments = [
        (f"`{name}` other than {_values(allowed)}" if allowed else f"`{name}`", reason)
        for name, (allowed, reason) in layers._PLAIN.items()
    ]
    kinds = [(names, reason) for reason, names in _by_value(layers._NEEDED)]
    return _table(("Keras", "why, or what to do"), [*kinds, *arguments])


_IN_FORMULAS = "constants; or parts of an activation or a normalisation, which is recognised by what it computes"


def _onnx_read() -> str:
    return _table(
        ("operators", "become"),
        [*_rows(onnx.OPERATORS), (_names(onnx._ON_CONSTANTS), _IN_FORMULAS)],
    )


def _onnx_refused() -> str:
    return _table(("operators", "why, or what to do"), [(names, reason) for reason, names in _by_value(onnx._NEEDED)])


def _torch_read() -> str:
    names = [name for name in operators._OPERATORS if not name.startswith("_")]
    return f"Operators that are read: {_names(names)}."


def _tflite_read() -> str:
    return f"Operators that are read: {_names(name for name, _ in tflite.OPERATORS.values())}."


_TABLES: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "keras.md": {"layers": _keras_layers, "refused": _keras_refused},
    "onnx.md": {"read": _onnx_read, "refused": _onnx_refused},
    "pytorch.md": {"read": _torch_read},
    "tflite.md": {"read": _tflite_read},
    "datasets.md": {"formats": _picture_formats},
}
PAGES = tuple(_TABLES)
"""The pages that have tables from the code."""


def _rows(functions: Mapping[str, Callable[..., Any]]) -> list[tuple[str, str]]:
    """Make a row for each function: the names that it converts, and the first sentence of its docstring."""
    return [(names, _first_sentence(function)) for function, names in _by_value(functions)]


def _by_value(items: Mapping[str, Any]) -> list[tuple[Any, str]]:
    """Group the names by their values: pairs of a value and its names, in the order of the first names."""
    grouped: dict[Any, list[str]] = {}
    for name, value in items.items():
        grouped.setdefault(value, []).append(name)
    return [(value, _names(names)) for value, names in grouped.items()]


def _first_sentence(function: Callable[..., Any]) -> str:
    """Find the first sentence of a docstring, without the names before its colon."""
    sentence = (inspect.getdoc(function) or "").partition("\n\n")[0].replace("\n", " ").removesuffix(".")
    return re.sub(r"^[^:.]*: ", "", sentence)


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _values(values: Iterable[Any]) -> str:
    """Write values as a configuration has them, except lists."""
    return ", ".join(f"`{value}`" for value in values if not isinstance(value, list))


def _table(header: tuple[str, str], rows: Iterable[tuple[str, str]]) -> str:
    return "\n".join(["| " + " | ".join(row) + " |" for row in (header, ("---", "---"), *rows)])
