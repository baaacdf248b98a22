"""The sentences of the report's folded sections: the finding that each shows while it is closed."""

from collections.abc import Mapping, Sequence

from convscope.base.tables import clip
from convscope.evidence.explanation import Explanation, KernelBank
from convscope.report.findings import classes_finding, percent
from convscope.report.layer_names import name_model_layers
from convscope.report.records import PageData, PageFacts, PageModel, PageRecord
from convscope.texts import Sentence, glossary, join_texts, say

_MAX_BANKS = 3  # convolutions that a sentence lists


def fold_findings(page: PageFacts, explanation: Explanation) -> dict[str, Sentence]:
    """Write the finding of each folded section that every report has, by the section's anchor."""
    terms, names = list(glossary()), name_model_layers(page.model)
    return {
        "classes": say("sentence", text=classes_finding(page.evaluation)),
        "data": _data(page.data),
        "model": _model(page.model, names),
        "kernels": _kernels(explanation.kernels, names),
        "maps": _maps(explanation, page.evaluation.class_names),
        "reproduce": _reproduce(page.record),
        "glossary": say(
            "foldGlossary", n=len(terms), first=say(f"terms.{terms[0]}.name"), last=say(f"terms.{terms[-1]}.name")
        ),
    }


def image_size(shape: Sequence[int]) -> Sentence:
    """Say how large the images are."""
    height, width, channels = shape
    size = f"{height} × {width}"
    return say("sizeChannels", size=size, channels=channels) if channels > 1 else say("size", size=size)


def _data(data: PageData) -> Sentence:
    train, test = data.train, data.test
    size, classes = image_size(train.image_shape), len(train.class_names)
    return say("foldData", train=train.num_images, test=test.num_images, size=size, classes=classes)


def _model(model: PageModel, names: Mapping[str, str]) -> Sentence:
    """Say how many parameters there are, and which layers have most of them and most of the computation."""
    total, layers = model.parameters + model.non_trainable_parameters, model.layers
    counts = [layer.parameters + layer.non_trainable_parameters for layer in layers]
    values: dict[str, str | int] = {"parameters": total, "layers": len(layers)}
    # Without weights or multiply-adds there are no shares.
    if total == 0 or model.macs == 0:
        return say("foldModel", **values)
    largest, busiest = layers[counts.index(max(counts))], max(layers, key=lambda layer: layer.macs)
    shares = {"held": percent(max(counts) / total, 0), "done": percent(busiest.macs / model.macs, 0)}
    values |= {**shares, "largest": names[largest.name]}
    if largest is busiest:
        return say("foldModelOne", **values)
    return say("foldModelTwo", **values, busiest=names[busiest.name])


def _kernels(banks: Sequence[KernelBank], names: Mapping[str, str]) -> Sentence:
    if not banks:
        return say("foldKernelsNone")
    if len(banks) > _MAX_BANKS:
        return say("foldKernelsMany", filters=sum(bank.num_filters for bank in banks), layers=len(banks))
    return say("sentence", text=join_texts([_bank(bank, names[bank.layer]) for bank in banks]))


def _bank(bank: KernelBank, name: str) -> Sentence:
    rows, columns = bank.kernel.shape[:2]
    return say("bank", n=bank.num_filters, size=f"{rows} × {columns}", layer=name)


def _maps(explanation: Explanation, names: Sequence[str]) -> Sentence:
    layers = [layer for layer in explanation.layers if layer.layer in explanation.feature_maps]
    if not layers:
        return say("foldMapsNone")
    count, dead = sum(layer.shape[-1] for layer in layers), sum(layer.num_dead_maps for layer in layers)
    name, key = clip(names[explanation.label], 16), f"foldMaps.{explanation.split}"
    return say(key, active=count - dead, maps=count, index=explanation.index, name=name)


def _reproduce(record: PageRecord) -> Sentence:
    if record.imported:
        return say("foldImported")
    if record.members:
        return say("foldMembers")
    return say("foldReproduce", seed=str(record.seed))
