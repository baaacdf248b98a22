"""Flatten the settings of a run to a table: dotted names, and numbers, words and JSON text as values."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from convscope.architecture import Architecture

Parameter = str | int | float | bool
MAX_CHARACTERS = 6000
"""Of a value; MLflow takes no more (`MAX_PARAM_VAL_LENGTH` in its validation)."""

_RESULTS = ("weights_sha256", "epochs_trained", "best_epoch")  # in run.json only after the training
_ELSEWHERE = ("architecture", "command", "dataset")  # written in another form, or as tags


def run_parameters(record: Mapping[str, Any], architecture: Architecture) -> dict[str, Parameter]:
    """Flatten the settings in `run.json` (`record`) to dotted names, without results."""
    settings = {name: value for name, value in record.items() if name not in (*_RESULTS, *_ELSEWHERE)}
    dataset = record["dataset"]
    return {
        "architecture.name": architecture.name,
        "architecture.parameters": architecture.parameters,
        "architecture.macs": architecture.macs,
        "architecture.input": json.dumps(list(architecture.input.shape)),
        **_layers(architecture),
        "dataset.argument": _cut(str(dataset["argument"])),
        **dict(_flat("dataset", {part: _dataset(dataset[part]) for part in ("train", "test")})),
        **dict(_flat("dataset.options", dataset.get("options", {}))),
        **dict(_flat("", settings)),
    }


def _layers(architecture: Architecture) -> dict[str, Parameter]:
    parameters: dict[str, Parameter] = {}
    for number, layer in enumerate(architecture.to_dict()["layers"]):
        settings = ", ".join(f"{key}={_text(value)}" for key, value in layer.items() if key not in ("kind", "name"))
        parameters[f"architecture.layers.{number:03}"] = _cut(f"{layer['name']}: {layer['kind']}({settings})")
    return parameters


def _dataset(part: Mapping[str, Any]) -> dict[str, Any]:
    return {name: part[name] for name in ("name", "num_images", "image_shape", "sha256") if name in part}


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, Parameter]]:
    """Yield the leaves of nested objects, lists as JSON text."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _flat(f"{prefix}.{name}" if prefix else str(name), inner)
    elif isinstance(value, bool | int | float):
        yield prefix, value
    else:
        yield prefix, _cut(_text(value))


def _text(value: Any) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "…"
