"""The map of test images as the page needs it to put a further image into it."""

from typing import Any

import numpy as np

from convscope.evidence.explanation.embedding import Embedding
from convscope.report.live import pack_small


def live_map(embedding: Embedding) -> dict[str, Any]:
    """Return what the page computes with of an embedding, some 30 kB for the preset `cnn`."""
    images = {name: pack_small(np.asarray(getattr(embedding, name))) for name in ("indices", "labels")}
    value = embedding.to_dict()
    return {
        name: value[name] for name in ("method", "layer", "num_neighbours", "points", "directions", "offset")
    } | images
