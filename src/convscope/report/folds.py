"""What the report's folded sections say while they are closed: one sentence each, with its figure."""

from collections.abc import Sequence
from typing import Any

from convscope.base.tables import clip
from convscope.evidence.explanation import Explanation, KernelBank
from convscope.report.findings import classes_finding, percent
from convscope.report.glossary import TERMS

_MOST_BANKS = 3  # convolutions that a sentence lists


def fold_findings(payload: dict[str, Any], explanation: Explanation) -> dict[str, str]:
    """Return the finding of each folded section that every report has, by the section's anchor."""
    names = list(TERMS)
    return {
        "classes": f"{classes_finding(payload['evaluation'])}.",
        "data": _data(payload["data"]),
        "model": _model(payload["model"]),
        "kernels": _kernels(explanation.kernels),
        "maps": _maps(explanation, payload["evaluation"]["class_names"]),
        "reproduce": _reproduce(payload["record"]),
        "glossary": f"{len(names)} terms, from {names[0]} to {names[-1]}.",
    }


def _data(data: dict[str, Any]) -> str:
    train, test = data["train"], data["test"]
    height, width, channels = train["image_shape"]
    size = f"{height} × {width} pixels" + (f" of {channels} channels" if channels > 1 else "")
    return (
        f"{train['num_images']:,} training and {test['num_images']:,} test images, {size}, "
        f"{len(train['class_names'])} classes."
    )


def _model(model: dict[str, Any]) -> str:
    """Return how many parameters there are, and which layers have most of them and most of the computation."""
    total, layers = model["parameters"] + model["non_trainable_parameters"], model["layers"]
    counts = [layer["parameters"] + layer["non_trainable_parameters"] for layer in layers]
    text = f"{total:,} parameters in {len(layers)} layers"
    if total == 0 or model["macs"] == 0:
        return f"{text}."
    largest, busiest = layers[counts.index(max(counts))], max(layers, key=lambda layer: layer["macs"])
    held, done = percent(max(counts) / total, 0), percent(busiest["macs"] / model["macs"], 0)
    if largest is busiest:
        return f"{text}; {clip(largest['name'], 24)} has {held} of them and does {done} of the computation."
    return (
        f"{text}; {clip(largest['name'], 24)} has {held} of them, {clip(busiest['name'], 24)} does {done} of the "
        "computation."
    )


def _kernels(banks: Sequence[KernelBank]) -> str:
    if not banks:
        return "This network has no convolution."
    if len(banks) > _MOST_BANKS:
        return f"{sum(bank.num_filters for bank in banks):,} filters in {len(banks)} convolutions."
    return ", ".join(_bank(bank) for bank in banks) + "."


def _bank(bank: KernelBank) -> str:
    rows, columns = bank.kernel.shape[:2]
    filters = f"{bank.num_filters:,} filter{'' if bank.num_filters == 1 else 's'}"
    return f"{filters} of {rows} × {columns} in {clip(bank.layer, 24)}"


def _maps(explanation: Explanation, names: Sequence[str]) -> str:
    layers = [layer.to_dict() for layer in explanation.layers if layer.layer in explanation.feature_maps]
    if not layers:
        return "This network has no feature maps."
    count, dead = sum(one["shape"][-1] for one in layers), sum(one["num_dead_maps"] for one in layers)
    image = f"{explanation.split} image {explanation.index:,}, a {clip(names[explanation.label], 16)}"
    return f"{count - dead:,} of {count:,} feature maps are active for {image}."


def _reproduce(record: dict[str, Any]) -> str:
    if "imported" in record:
        return "The command that imports this network again."
    return f"One command and seed {record.get('seed', 'unknown')} give the same weights, bit for bit."
