"""The figures of a run: from its payload to named drawings, and to PNG and SVG files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from convscope.base.files import write_bytes, write_text
from convscope.base.packing import unpack
from convscope.report import findings
from convscope.report.charts import (
    draw_accuracies,
    draw_class_balance,
    draw_confusion_matrix,
    draw_training_curves,
)
from convscope.report.evidence import RenderedSection
from convscope.report.pictures import draw_feature_maps, draw_image, draw_kernels, draw_mistakes, draw_samples
from convscope.report.pixels import picture_from_json
from convscope.report.style import Drawing, png_bytes, svg_text
from convscope.training import History


def draw_charts(payload: dict[str, Any]) -> dict[str, Drawing]:
    """Return the charts of a run by name, each with what it shows as its title."""
    data, evaluation, comparison = payload["data"], payload["evaluation"], payload["comparison"]
    histories = {payload["model"]["architecture"]["name"]: History.from_dict(payload["history"])}
    if payload["baseline_history"] is not None and payload["baseline_history"]["loss"]:
        name = "baseline" if comparison is None else comparison["names"][1]
        histories[name] = History.from_dict(payload["baseline_history"])
    names, titles = evaluation["class_names"], findings.chart_titles(payload)
    train, test = data["train"]["class_counts"], data["test"]["class_counts"]
    charts = {
        "class-balance": draw_class_balance(train, test, names, titles["class-balance"]),
        "confusion-matrix": draw_confusion_matrix(
            np.array(evaluation["confusion_matrix"]), names, titles["confusion-matrix"]
        ),
    }
    if payload["history"]["loss"]:
        charts["training-accuracy"] = draw_training_curves(histories, "accuracy", titles["training-accuracy"])
        charts["training-loss"] = draw_training_curves(histories, "loss", titles["training-loss"])
    if comparison is not None:
        sides = [comparison[side] for side in "ab"]
        charts["comparison"] = draw_accuracies(
            comparison["names"],
            [side["accuracy"] for side in sides],
            [(side["accuracy_interval"][0], side["accuracy_interval"][1]) for side in sides],
            titles["comparison"],
        )
    return charts


def draw_pictures(payload: dict[str, Any]) -> dict[str, Drawing]:
    """Return the pictures of a run by name: images, mistakes, kernels and feature maps."""
    names, example = payload["evaluation"]["class_names"], payload["data"]["example"]
    pictures = {
        "image": draw_image(
            picture_from_json(example["picture"]), f"Training image {example['index']}: {names[example['label']]}"
        ),
        "classes": draw_samples(
            [
                (names[sample["label"]], [picture_from_json(picture) for picture in sample["pictures"]])
                for sample in payload["data"]["samples"]
            ],
            "The first training images of each class",
        ),
    }
    if payload["mistake_pictures"]:
        pictures["mistakes"] = draw_mistakes(
            [
                (picture_from_json(picture), names[one["true"]], names[one["predicted"]], one["probability"])
                for picture, one in zip(payload["mistake_pictures"], payload["evaluation"]["mistakes"], strict=False)
            ],
            findings.mistakes_finding(payload["evaluation"]),
        )
    for bank in payload["kernels"]:
        kernel, layer = unpack(bank["values"]), bank["layer"]
        whole: dict[str, Any] = {"limit": bank["limit"], "part_of": (bank["shape"][2], bank["shape"][3])}
        pictures[f"kernels-{layer}"] = draw_kernels(kernel, layer, **whole)
        pictures[f"kernels-{layer}-grey"] = draw_kernels(kernel, layer, palette="grey", **whole)
        if bank["kind"] == "Conv2D":  # of a depthwise one, whose filters read a channel each, the first shows all
            pictures[f"kernels-{layer}-all"] = draw_kernels(kernel, layer, channel=None, **whole)
    for entry in payload["feature_maps"]:
        maps, layer = unpack(entry["values"]), entry["layer"]
        limits = (min(entry["minimum"], 0.0), entry["maximum"])
        pictures[f"maps-{layer}"] = draw_feature_maps(maps, layer, limits=limits, part_of=entry["num_maps"])
        pictures[f"maps-{layer}-large"] = draw_feature_maps(
            maps, layer, channels=entry["large_channels"], limits=limits
        )
    return pictures


def write_figures(folder: Path, payload: dict[str, Any], rendered: Sequence[RenderedSection] = ()) -> list[Path]:
    """Write every figure of a run into `folder` as PNG and SVG, those of `rendered` too, and return the files' paths.

    The same payload gives the same bytes.

    Raises:
        ConvscopeError: if the folder cannot be written to or the disk is full.
    """
    drawn: dict[str, tuple[Drawing, str | None]] = {
        name: (drawing, None) for name, drawing in {**draw_charts(payload), **draw_pictures(payload)}.items()
    }
    for section in rendered:
        drawn |= section.drawings
    paths = list[Path]()
    for name, (drawing, svg) in drawn.items():
        png_path, svg_path = folder / f"{name}.png", folder / f"{name}.svg"
        write_bytes(png_path, png_bytes(drawing))
        write_text(svg_path, svg or svg_text(drawing))
        paths += [png_path, svg_path]
    return paths
