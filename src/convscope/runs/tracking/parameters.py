"""Flatten the settings of a run to a table: dotted names, and numbers, words and JSON text as values.

architecture.layers.000    conv2d: Conv2D(filters=8, ...)
dataset.train.num_images   60000
recipe.optimizer.kind      adam
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from convscope.architecture import Architecture

Parameter = str | int | float | bool
"""A value that every tracker takes."""
MAX_CHARACTERS = 6000
"""Limit for a value; MLflow takes no more (`MAX_PARAM_VAL_LENGTH` in its validation)."""

_RESULTS = ("weights_sha256", "epochs_trained", "best_epoch")  # results of the training in run.json, not its parameters
_NOT_FLATTENED = ("architecture", "command", "dataset")  # written in another form, or as tags


def flatten_settings(record: Mapping[str, Any], architecture: Architecture) -> dict[str, Parameter]:
    """Flatten the settings in `run.json` (`record`) to dotted names, without results."""
    settings = {name: value for name, value in record.items() if name not in (*_RESULTS, *_NOT_FLATTENED)}
    dataset = record["dataset"]
    return {
        "architecture.name": architecture.name,
        "architecture.parameters": architecture.parameters,
        "architecture.macs": architecture.macs,
        "architecture.input": json.dumps(list(architecture.input.shape)),
        **_describe_layers(architecture),
        "dataset.argument": _shorten(str(dataset["argument"])),
        **dict(_flatten("dataset", {part: _select_dataset_fields(dataset[part]) for part in ("train", "test")})),
        **dict(_flatten("dataset.options", dataset.get("options", {}))),
        **dict(_flatten("", settings)),
    }


def _describe_layers(architecture: Architecture) -> dict[str, Parameter]:
    parameters: dict[str, Parameter] = {}
    for number, layer in enumerate(architecture.to_dict()["layers"]):
        settings = ", ".join(f"{key}={_to_text(value)}" for key, value in layer.items() if key not in ("kind", "name"))
        parameters[f"architecture.layers.{number:03}"] = _shorten(f"{layer['name']}: {layer['kind']}({settings})")
    return parameters


def _select_dataset_fields(part: Mapping[str, Any]) -> dict[str, Any]:
    return {name: part[name] for name in ("name", "num_images", "image_shape", "sha256") if name in part}


def _flatten(prefix: str, value: Any) -> Iterator[tuple[str, Parameter]]:
    """Yield the leaves of nested objects, lists as JSON text.

    {"optimizer": {"kind": "adam"}} gives ("optimizer.kind", "adam").
    """
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _flatten(f"{prefix}.{name}" if prefix else str(name), inner)
    elif isinstance(value, bool | int | float):
        yield prefix, value
    else:
        yield prefix, _shorten(_to_text(value))


def _to_text(value: Any) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value)


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "…"
