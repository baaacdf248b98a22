"""What the readers of files take and refuse, as Markdown tables, from the mappings by which they decide it.

A row is a function of a reader with all that it reads. What its docstring says behind the names is what they become.
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
    """Return the text of a page with its tables as the code has them now.

    Raises:
        ValueError: if the page has no place for one of them.
    """
    for name, table in _TABLES[page].items():
        begin = _BEGIN.format(name)
        before, mark, rest = text.partition(begin)
        _, end, after = rest.partition(_END)
        if not mark or not end:
            raise ValueError(f"{page} has no lines {begin!r} and {_END!r}")
        text = f"{before}{begin}\n\n{table()}\n\n{_END}{after}"
    return text


def _keras_layers() -> str:
    read = [(kind, _first_sentence(function) or f"`{kind}`") for kind, function in layers._CONVERTERS.items()]
    others = sorted(layers.SUPPORTED - layers._CONVERTERS.keys() - {*activations.ACTIVATION_LAYERS})
    read += [(kind, f"`{kind}`") for kind in others if kind in LAYER_KINDS]
    read += [
        ("Rescaling", "`scale` and `offset` of the input; later in the weights before it, or a `BatchNormalization`"),
        ("Reshape", "another order of the same numbers; one that flattens is a `Flatten`"),
    ]
    active = _names(activations.ACTIVATION_LAYERS)
    unused = f"`Random...` (not `RandomCrop`), {_names(layers._UNUSED_AT_PREDICTION)}"
    rows = [*((f"`{kind}`", said) for kind, said in read)]
    rows += [(active, "the activation of the layer before, or an `Activation`"), (unused, "nothing, with a note")]
    return _table(("Keras", "becomes"), rows)


def _keras_refused() -> str:
    arguments = [
        (f"`{name}` other than {_values(plain)}" if plain else f"`{name}`", needed)
        for name, (plain, needed) in layers._PLAIN.items()
    ]
    kinds = [(names, needed) for needed, names in _by_value(layers._NEEDED)]
    return _table(("Keras", "why, or what to do"), [*kinds, *arguments])


def _onnx_read() -> str:
    return _table(
        ("operators", "become"),
        [*_rows(onnx.OPERATORS), (_names(onnx._ON_CONSTANTS), "constants, where they are computed of constants alone")],
    )


def _onnx_refused() -> str:
    return _table(("operators", "why, or what to do"), [(names, needed) for needed, names in _by_value(onnx._NEEDED)])


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
"""The pages that have such tables."""


def _rows(functions: Mapping[str, Callable[..., Any]]) -> list[tuple[str, str]]:
    """Return a row for each function, with the names that lead to it."""
    return [(names, _first_sentence(function)) for function, names in _by_value(functions)]


def _by_value(items: Mapping[str, Any]) -> list[tuple[Any, str]]:
    """Return each value once, with all names that have it, in the order of the first of them."""
    grouped: dict[Any, list[str]] = {}
    for name, value in items.items():
        grouped.setdefault(value, []).append(name)
    return [(value, _names(names)) for value, names in grouped.items()]


def _first_sentence(function: Callable[..., Any]) -> str:
    """Return the first sentence of a docstring, without the names before its colon."""
    sentence = (inspect.getdoc(function) or "").partition("\n\n")[0].replace("\n", " ").removesuffix(".")
    return re.sub(r"^[^:.]*: ", "", sentence)


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _values(values: Iterable[Any]) -> str:
    """Return values as a configuration has them, those that are the same once."""
    return ", ".join(f"`{value}`" for value in values if not isinstance(value, list))


def _table(header: tuple[str, str], rows: Iterable[tuple[str, str]]) -> str:
    return "\n".join(["| " + " | ".join(row) + " |" for row in (header, ("---", "---"), *rows)])
