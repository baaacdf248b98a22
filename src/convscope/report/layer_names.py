"""Names of layers as the live view writes them: "Convolution 2" where files and Python say `conv2d_1`."""

from collections import Counter
from collections.abc import Mapping

from convscope.report.records import PageModel
from convscope.texts import say, translate_name


def name_layers(titles: Mapping[str, str]) -> dict[str, str]:
    """Number the titles of layers where several are equal, in their order."""
    counts, seen = Counter(titles.values()), Counter[str]()
    names = {}
    for layer, title in titles.items():
        seen[title] += 1
        names[layer] = title if counts[title] == 1 else say("numbered", name=title, number=seen[title])
    return names


def name_kinds(kinds: Mapping[str, str]) -> dict[str, str]:
    """Name layers by their kinds, without the last layer of the network."""
    return name_layers({layer: translate_name("layer", kind) for layer, kind in kinds.items()})


def name_model_layers(model: PageModel) -> dict[str, str]:
    """Name all layers of a model; the one that gives the logits is the output."""
    titles = {
        layer["name"]: translate_name("function", layer["activation"])
        if layer["kind"] == "Activation"
        else translate_name("layer", layer["kind"])
        for layer in model.architecture["layers"]
    }
    last = next(layer for layer in reversed(model.architecture["layers"]) if not _is_softmax(layer))
    return name_layers(titles | {last["name"]: say("output")})


def _is_softmax(layer: Mapping[str, str]) -> bool:
    return layer["kind"] == "Activation" and layer["activation"] in ("linear", "softmax")
