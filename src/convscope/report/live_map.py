"""The map of test images as the page needs it to put a further image into it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from convscope.base.errors import RunError
from convscope.report.live import pack_small


def live_map(embedding: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page computes with of `Embedding.to_dict()`, some 30 kB for the preset `cnn`.

    Raises:
        RunError: if the images of the embedding are not whole numbers.
    """
    try:
        images = {name: pack_small(np.asarray(embedding[name])) for name in ("indices", "labels")}
    except (LookupError, TypeError, ValueError) as error:
        raise RunError(
            f"embedding.json: damaged (its images cannot be read: {error}); delete the file and run "
            "`convscope evidence` on this run again"
        ) from error
    copied = {name: embedding[name] for name in ("method", "layer", "num_neighbours", "points")}
    # A file of an earlier version has no directions; its map shows the nearest images only.
    return {**copied, **images, "directions": embedding.get("directions"), "offset": embedding.get("offset", [])}
