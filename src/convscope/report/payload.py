"""All that the report shows, as one plain JSON document: values in, a dict out.

The page, the figures and whoever else wants to show a run read this and nothing else. Numbers are finite, class and
file names are data as they came, pictures are PNG in base64, and arrays say how they are packed.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Add, LayerRow
from convscope.base.errors import RunError
from convscope.base.packing import pack
from convscope.data.datasets import Dataset, Splits
from convscope.engine import Weights
from convscope.evidence.comparison import Comparison
from convscope.evidence.evaluation import Evaluation
from convscope.evidence.explanation import Explanation
from convscope.recipes import Recipe
from convscope.report.evidence import RenderedSection
from convscope.report.live import Replay, live_payload
from convscope.report.pictures import MOST_KERNELS, MOST_MAPS, large_channels
from convscope.report.pixels import image_pixels, picture_to_json
from convscope.training import History, describe_choice
from convscope.training.model import Model

FORMAT = 1
_PAGE_BYTES = 4_000_000  # of a page below 5 MB, without the engine, the script and the report's own words
_REPORT_SHARE = 2.5  # what is shown of a run in the report travels there as pictures and tables too
_MOST_MISTAKES = 24
_MOST_SAMPLES = 120
_MOST_SAMPLES_OF_A_CLASS = 10
_MOST_MATRIX_SIDE, _MOST_MATRIX_CHANNELS = 256, 4  # numbers beyond these would be most of the page


def report_payload(
    *,
    model: Model,
    splits: Splits,
    recipe: Recipe,
    history: History,
    evaluation: Evaluation,
    explanation: Explanation,
    means: Mapping[str, NDArray[np.floating[Any]]] | None = None,
    comparison: Comparison | None = None,
    baseline: Model | None = None,
    baseline_history: History | None = None,
    snapshots: Mapping[int, Weights] | None = None,
    baseline_snapshots: Mapping[int, Weights] | None = None,
    evidence: Mapping[str, dict[str, Any]] | None = None,
    rendered: Sequence[RenderedSection] = (),
    record: dict[str, Any],
) -> dict[str, Any]:
    """Return all that the report shows of a run as finite plain JSON.

    Args:
        evaluation: of `model` on `splits.test`.
        explanation: of one image of `splits.test`.
        means: what `filter_means` gives for them, where it is known already.
        comparison: of the model (as `a`) with another one, `baseline`, whose history is `baseline_history`.
        snapshots: the model's weights by epoch, 0 before the first, for the page's replay; `baseline_snapshots` those
            of the other.
        evidence: what else was measured, by topic (see `convscope.report.evidence`).
        rendered: the sections of `evidence`, for the room that they take and the images that they show.
        record: what run.json holds, with the seconds of each step under `timings`.
    """
    replays = [Replay(model, snapshots or {}, means)]
    if baseline is not None:
        replays.append(Replay(baseline, baseline_snapshots or {}))
    payload = {
        "format": FORMAT,
        "record": record,
        "recipe": recipe.to_dict(),
        "data": {**splits.to_dict(), "example": _example(splits.train), "samples": _samples(splits.train)},
        "model": {
            "architecture": model.architecture.to_dict(),
            "layers": [_layer(row) for row in model.architecture.table],
            "parameters": model.architecture.parameters,
            "non_trainable_parameters": model.architecture.non_trainable_parameters,
            "macs": model.architecture.macs,
            "weights_sha256": model.weights_sha256,
        },
        "history": history.to_dict(),
        "choice": describe_choice(history, recipe),
        "baseline_history": None if baseline_history is None else baseline_history.to_dict(),
        "evaluation": evaluation.to_dict(),
        "mistake_pictures": [
            picture_to_json(image_pixels(splits.test.images[mistake.index]))
            for mistake in evaluation.mistakes[:_MOST_MISTAKES]
        ],
        "comparison": None if comparison is None else comparison.to_dict(),
        "explanation": explanation.to_dict(),
        "explained_picture": picture_to_json(image_pixels(explanation.image)),
        "kernels": [
            # A wide bank is drawn in part, so only that part travels.
            {**bank.to_dict(), "values": pack(bank.kernel[:, :, :MOST_KERNELS, :MOST_KERNELS])}
            for bank in explanation.kernels
        ],
        "feature_maps": [
            _feature_maps(summary.layer, explanation) for summary in explanation.layers if len(summary.shape) == 3
        ],
    }
    taken = _REPORT_SHARE * len(json.dumps(payload, separators=(",", ":")))
    room = _PAGE_BYTES - taken - sum(len(one.html.encode()) for one in rendered)
    shown = [index for one in rendered for index in _indices(one, splits.test)]
    live = live_payload(replays, splits, evaluation, round(room), shown)
    return {**payload, "live": live, "evidence": dict(evidence or {})}


def _indices(rendered: RenderedSection, dataset: Dataset) -> list[int]:
    """Return which images of `dataset` a section shows; raises `RunError` if there is no such image."""
    found = rendered.indices(dataset.split)
    for index in found:
        if not isinstance(index, int) or not 0 <= index < len(dataset):
            raise RunError(
                f"{rendered.section.anchor}.json: damaged (it shows image {index!r:.60} of {len(dataset)}); "
                "remove it, and measure it again"
            )
    return found


def _example(dataset: Dataset) -> dict[str, Any]:
    """Return the first image as picture and numbers; of a very large one the numbers of its first part."""
    image = dataset.images[0]
    part = image[:_MOST_MATRIX_SIDE, :_MOST_MATRIX_SIDE, :_MOST_MATRIX_CHANNELS]
    return {
        "split": dataset.split,
        "index": 0,
        "label": int(dataset.labels[0]),
        "picture": picture_to_json(image_pixels(image)),
        "channels": [part[:, :, channel].tolist() for channel in range(part.shape[2])],
        "is_whole": part.shape == image.shape,
    }


def _samples(dataset: Dataset) -> list[dict[str, Any]]:
    """Return the first few images of each class, in the order of the labels."""
    number = min(max(_MOST_SAMPLES // dataset.num_classes, 1), _MOST_SAMPLES_OF_A_CLASS)
    return [
        {
            "label": label,
            "indices": members.tolist(),
            "pictures": [picture_to_json(image_pixels(dataset.images[index])) for index in members],
        }
        for label in range(dataset.num_classes)
        for members in (np.flatnonzero(dataset.labels == label)[:number],)
    ]


def _layer(row: LayerRow) -> dict[str, Any]:
    return {
        "name": row.layer.name,
        "kind": row.layer.kind,
        "from_layer": row.layer.from_layer if isinstance(row.layer, Add) else None,
        "output_shape": list(row.output_shape),
        "parameters": row.parameters,
        "non_trainable_parameters": row.non_trainable_parameters,
        "macs": row.macs,
        "receptive_field": list(row.receptive_field.size),
    }


def _feature_maps(layer: str, explanation: Explanation) -> dict[str, Any]:
    maps = explanation.activations[layer]
    count = maps.shape[2]
    return {
        "layer": layer,
        "num_maps": count,
        "large_channels": list(large_channels(count)),
        "minimum": float(maps.min()),
        "maximum": float(maps.max()),
        "values": pack(maps[:, :, :MOST_MAPS]),
    }
