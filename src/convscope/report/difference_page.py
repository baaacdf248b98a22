"""The difference of two networks as one HTML file, without a script."""

import numpy as np
from numpy.typing import NDArray

from convscope.base.tables import printable
from convscope.evidence.difference import NetworkDifference
from convscope.evidence.difference.records import HEADER, SWAP_HEADER
from convscope.report.document import render_document
from convscope.report.evidence import render_section
from convscope.report.evidence.section import Card, Gallery, Section, Table
from convscope.report.pixels import image_pixels


def render_difference(difference: NetworkDifference, images: NDArray[np.uint8] | None = None) -> str:
    """Write the page as one HTML document that works from a disk with no network.

    Args:
        images: (N, H, W, C) uint8, the images that were compared; those with changed answers are shown.
    """
    look = "Layers that do the same stand in one row. Differences are absolute, beside the largest output of A."
    layers = Table("Layers", look, HEADER, [layer.cells for layer in difference.layers], left=3)
    parts: list[Table | Gallery] = [layers]
    if difference.swaps:
        look = "With B's weights in this layer alone, and in all layers but this."
        parts.append(Table("Layers whose weights change answers", look, SWAP_HEADER, difference.swaps))
    if images is not None and difference.changed:
        cards = [
            Card(image_pixels(images[answer.image]), (f"A: {answer.a}", f"B: {answer.b}"))
            for answer in difference.changed
        ]
        title = f"Changed answers, {len(cards)} of {difference.num_changed}"
        parts.append(Gallery(title, "Below each image are the answers of both.", cards, num_open=24))
    section = Section(
        "layers",
        "Layers",
        "Both networks layer by layer, and what they compute of the same images.",
        "Which of the two is better: for that, compare their accuracy over seeds.",
        parts,
    )
    return render_document(
        "difference.html.jinja",
        networks=list(zip("AB", (difference.a, difference.b), strict=True)),
        sentences=[printable(sentence) for sentence in difference.sentences],
        notes=[printable(note) for note in difference.notes],
        score="–" if difference.num_changed is None else f"{difference.num_changed:,}",
        images=difference.images,
        num_images=difference.num_images,
        section=render_section(section),
    )
