"""The facts of a page as values for its template: texts clipped and counted, pictures enlarged and packed.

A view is a dictionary, or a list of them, whose keys the template reads. A picture is a `uri` that holds it and its
size in CSS pixels: 28 × 28 pixels that may take 120 are shown four times as large, 112 × 112.

The template escapes all of it; only the diagram is markup.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup
from msgspec import structs

from convscope.architecture import Architecture
from convscope.base.tables import printable, printable_lines
from convscope.evidence.comparison.candidate import format_seconds
from convscope.evidence.comparison.records import ComparisonRecord
from convscope.evidence.comparison.words import format_counts, format_verdict
from convscope.evidence.explanation import Explanation, KernelBank
from convscope.experiment.records import SeedsRecord
from convscope.report import findings
from convscope.report.pictures import MAX_KERNELS, MAX_MAPS, kernel_tiles, map_limits
from convscope.report.pixels import Palette, data_uri, paint, pixels_view, scale_to
from convscope.report.records import PageFacts
from convscope.texts import Sentence, attribute, figure, follow_language, join_texts, say, translate_name
from convscope.training.memory import Memory

_MAX_OPEN_MISTAKES = 6  # two rows beside the confusion matrix; a click opens the others
_NATURAL = 256  # pixels: the largest width of a single picture


def _pack_png(png: str, page: PageFacts, target: int) -> dict[str, object]:
    """Describe an image of the data set, a PNG in base64, for an `img` element at most `target` pixels wide."""
    height, width, _ = page.data.train.image_shape
    scale = scale_to(max(height, width), target)
    return {"uri": data_uri(png), "width": width * scale, "height": height * scale}


def run_view(page: PageFacts) -> dict[str, object]:
    """Describe how the run was made."""
    record, name, recipe = page.record, page.model.architecture["name"], page.recipe["name"]
    members, imported = record.members or (), record.imported or None
    # An ensemble was not trained itself: its time is that of its members.
    times = [member.seconds for member in members] or page.history.seconds
    # Their sum; unknown if one of them is, as where a member was imported.
    seconds = sum(time for time in times if time is not None) if times and None not in times else None
    processor = [record.cpu.name, say("facts.cores", n=record.cpu.cores), record.cpu.machine]
    processor += [record.cpu.instruction_set] if record.cpu.instruction_set else []
    facts = [(say("facts.version", name=program), version) for program, version in record.versions.items()]
    facts += [(say("facts.threads"), str(record.threads))]
    facts += [(say("facts.processor"), join_texts(processor))]
    facts += [
        (say("facts.time", step=translate_name("facts.step", step)), figure(value, 2))
        for step, value in record.timings.items()
        if not isinstance(value, Memory)
    ]
    facts += [(say("facts.trainingHash"), page.data.train.sha256)]
    facts += [(say("facts.testHash"), page.data.test.sha256)]
    facts += [(say("head.weightsHash"), page.model.weights_sha256)]
    facts += [(say("facts.fileHash"), imported.sha256)] if imported else []
    return {
        "imported": imported,
        "members": [f"{member.run} ({member.architecture['name']}, seed {member.seed})" for member in members],
        "origin": "imported" if imported else f"{recipe} · seed {record.seed}",
        "architecture": name,
        "recipe": recipe,
        "epochs": _epochs_trained(page),
        "seed": record.seed,
        "engine": record.engine,
        "training_seconds": say("head.unknown") if seconds is None else f"{seconds:.1f} s",
        "command": printable_lines(record.command),
        "facts": [(name, value if isinstance(value, Sentence) else printable(value)) for name, value in facts if value],
    }


def runs_view(name: str, seeds: SeedsRecord | None) -> dict[str, str]:
    """Say how many runs of this network there are: for the header, for the verdict's list, and in a sentence."""
    groups = () if seeds is None else seeds.table
    group = next((group for group in groups if group.architecture == name), None)
    if group is None or group.num_runs == 1 or group.interval_with_images is None:
        return {"count": say("runs.count", n=1), "place": say("runs.oneRun"), "sentence": ""}
    count, (low, high) = group.num_runs, map(findings.percent, group.interval_with_images)
    mean, minimum, maximum = map(findings.percent, (group.mean, group.minimum, group.maximum))
    sentence = say("runs.spread", seeds=count, mean=mean, least=minimum, most=maximum, low=low, high=high)
    return {"count": say("runs.countOf", n=count), "place": say("runs.oneOf", n=count), "sentence": sentence}


def _epochs_trained(page: PageFacts) -> Sentence:
    """Say how many epochs were trained, of how many, and whose weights the model has if not the last epoch's."""
    history, epochs = page.history, page.recipe["epochs"]
    best = history.best_epoch
    values = {"n": epochs, "trained": len(history.loss), "best": best}
    # Only early stopping makes a choice, and only it can end a training before all epochs.
    key = "epochsOf" if page.choice else "epochs"
    return say(f"runs.{key}" if best is None else f"runs.{key}Best", **values)


def example_view(page: PageFacts) -> dict[str, object]:
    """Describe the first training image."""
    example, channels = page.data.example, page.data.train.image_shape[2]
    return {
        "name": say("example.labelled", name=page.evaluation.class_names[example.label]),
        "index": example.index,
        "split": example.split,
        "pixels": say("example.square") if channels in (1, 3) else say("example.squareMean", channels=channels),
        "picture": _pack_png(example.picture, page, _NATURAL),
    }


def samples_view(page: PageFacts) -> dict[str, object]:
    """Describe a few training images of each class."""
    names = page.evaluation.class_names
    rows = [
        {
            "name": printable(names[row.label]),
            "pictures": [
                {"picture": _pack_png(picture, page, 32), "split": page.data.train.split, "index": index}
                for picture, index in zip(row.pictures, row.indices, strict=True)
            ],
        }
        for row in page.data.samples
    ]
    return {"many": len(rows) > 26, "rows": rows}


def curves_note(page: PageFacts) -> Sentence:
    """Write the note on the curves: on the marked epoch, or on the images that were measured."""
    return findings.curves_sentence(page.history, page.recipe) if page.history.best_epoch is None else say("look.ring")


def mistakes_view(page: PageFacts) -> dict[str, object]:
    """Describe the worst mistakes as cards."""
    evaluation = page.evaluation
    names, mistakes = evaluation.class_names, evaluation.mistakes
    cards = [
        {
            "picture": _pack_png(picture, page, 112),
            "split": evaluation.split,
            "index": mistake.index,
            "true": printable(names[mistake.true]),
            "predicted": printable(names[mistake.predicted]),
            "probability": findings.confidence_text(mistake.probability),
            "probability_of_true": findings.confidence_text(mistake.probability_of_true),
        }
        for picture, mistake in zip(page.mistake_pictures, mistakes, strict=False)
    ]
    # The record lists mistakes by their probability, so those left out are the less sure ones.
    is_all = len(cards) == evaluation.num_mistakes
    return {
        "title": findings.mistakes_finding(evaluation),
        "caption": say("look.allMistakes") if is_all else say("look.someMistakes", n=len(cards)),
        "cards": cards[:_MAX_OPEN_MISTAKES],
        "more": cards[_MAX_OPEN_MISTAKES:],
    }


def comparison_view(comparison: ComparisonRecord) -> dict[str, object]:
    """Describe the comparison and its two sides."""
    names = [printable(name) for name in comparison.names]
    sides = [
        {
            **structs.asdict(side),
            "name": name,
            "seconds": format_seconds(side.training_seconds),
            "one": format_seconds(side.latency_seconds),
            "thousand": format_seconds(side.latency_1000_seconds),
        }
        for name, side in zip(names, (comparison.a, comparison.b), strict=True)
    ]
    sentences = {"verdict": format_verdict(comparison), "sentence": format_counts(comparison)}
    return {**structs.asdict(comparison), **sentences, "names": names, "sides": sides}


def kernel_views(banks: Sequence[KernelBank], names: Mapping[str, str]) -> list[dict[str, object]]:
    """Describe each convolution's kernels as pictures; if there are very many, a part of them.

    "signed" shows of each filter the kernel of input channel 0, at most 36 pixels wide. "all" shows those of every
    input channel, at most 12 pixels wide; with a single channel it would show the same again.
    """
    views = list[dict[str, object]]()
    for bank in banks:
        kernel, limit, channels, filters = bank.kernel, bank.limit, bank.num_channels, bank.num_filters
        first = say("kernels.filters", n=filters)
        if filters > MAX_MAPS:
            first = say("kernels.filtersFirst", n=filters, shown=MAX_MAPS)
        if channels > 1:
            first = say("kernels.filtersInput", filters=first)
        elif bank.kind == "DepthwiseConv2D":
            first = say("kernels.filtersOne", filters=first)
        key = "kernels.allFirst" if max(channels, filters) > MAX_KERNELS else "kernels.all"
        views.append(
            {
                "layer": bank.layer,
                "name": names[bank.layer],
                "title": findings.kernels_finding(kernel, limit),
                "first_caption": first,
                "signed": pixels_view(kernel_tiles(kernel, limit, 0, 36)),
                "all": pixels_view(kernel_tiles(kernel, limit, None, 12)) if channels > 1 else None,
                "all_caption": say(key, channels=channels, filters=filters, shown=MAX_KERNELS),
                "scale": _scale("signed", -limit, limit),
            }
        )
    return views


def diagram_view(architecture: Architecture) -> Markup:
    """Write the drawing of the layers as an element whose labels follow the language."""
    last = architecture.table[-1]
    size = " × ".join(map(str, architecture.input.shape))
    title = say("diagram.title", layers=len(architecture.table), size=size, classes=last.output_shape[0])
    labels = [say(f"diagram.{name}") for name in ("name", "output", "parameters", "macs")]
    # The page has one description, in its own language.
    svg = re.sub(r"<title>.*</desc>\n", "", architecture.diagram(), flags=re.DOTALL)  # without the English description
    svg = svg.replace('role="img"', f'role="img" {attribute("aria-label", title)}')
    return Markup(follow_language(svg, labels))


def explanation_view(page: PageFacts) -> dict[str, object]:
    """Describe the image of the feature maps, and the model's prediction."""
    explanation = page.explanation
    names = [printable(name) for name in explanation.class_names]
    label, predicted = explanation.label, explanation.predicted
    key = f"maps.{'correct' if label == predicted else 'wrong'}.{explanation.split}"
    return {
        "sentence": say(key, index=explanation.index, predicted=names[predicted], true=names[label]),
        "label": names[label],
        "split": explanation.split,
        "index": explanation.index,
        "picture": _pack_png(page.explained_picture, page, 224),
    }


def map_views(explanation: Explanation, names: Mapping[str, str]) -> list[dict[str, object]]:
    """Describe each layer's feature maps as pictures on one scale."""
    summaries = {layer.layer: layer for layer in explanation.layers}
    views = list[dict[str, object]]()
    for layer, maps in explanation.feature_maps.items():
        summary, count, (low, high) = summaries[layer], maps.shape[2], map_limits(maps)
        values = {"kind": summary.kind, "shape": " × ".join(map(str, summary.shape))}
        shown, scale = min(count, MAX_MAPS), scale_to(max(maps.shape[:2]), 80)
        key = "captionFirst" if count > shown else "captionAll"
        views.append(
            {
                "layer": layer,
                "title": findings.maps_finding(summary, names[layer]),
                "caption": say(f"maps.{key}", **values, shown=shown, n=count),
                "maps": [
                    {
                        "channel": channel,
                        "maximum": f"{maps[:, :, channel].max():.3g}",
                        "picture": pixels_view(paint(maps[:, :, channel], "viridis", low, high), scale),
                    }
                    for channel in range(shown)
                ],
                "scale": _scale("viridis", low, high),
            }
        )
    return views


def _scale(palette: Palette, low: float, high: float) -> dict[str, object]:
    bar = paint(np.linspace(low, high, 160)[None], palette, low, high)
    # Kernels are painted from -limit to limit, so that zero is in the middle; maps are not.
    middle = "0" if palette != "viridis" else ""
    return {**pixels_view(bar), "low": f"{low:.3g}", "middle": middle, "high": f"{high:.3g}"}
