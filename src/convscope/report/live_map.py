"""The map of test images as the page needs it to put a further image into it."""

import numpy as np
from msgspec import convert

from convscope.evidence.explanation.embedding import Embedding
from convscope.report.live import pack_small
from convscope.report.records import LiveMap


def live_map(embedding: Embedding) -> LiveMap:
    """Return what the page computes with of an embedding, some 30 kB for the preset `cnn`."""
    images = {name: pack_small(np.asarray(getattr(embedding, name))) for name in ("indices", "labels")}
    value = embedding.to_dict()
    names = ("layer", "num_neighbours", "points", "directions", "offset")
    return convert({name: value[name] for name in names} | images, LiveMap)
