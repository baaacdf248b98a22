"""The difference of two networks as one HTML file, without a script."""

from collections.abc import Sequence

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
        images: (N, H, W, C) uint8, the images that were compared, of which those with changed answers are shown.
    """
    parts: list[Table | Gallery] = [
        Table(
            "Layers",
            "Layers that do the same stand in one row. Differences are absolute, beside the largest output of A.",
            HEADER,
            [layer.cells for layer in difference.layers],
            left=3,
        )
    ]
    if difference.swaps:
        parts.append(
            Table(
                "Layers whose weights change answers",
                "With B's weights in this layer alone, and in all layers but this.",
                SWAP_HEADER,
                difference.swaps,
            )
        )
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
        sentences=_to_printable(difference.sentences),
        notes=_to_printable(difference.notes),
        score="–" if difference.num_changed is None else f"{difference.num_changed:,}",
        images=difference.images,
        num_images=difference.num_images,
        section=render_section(section),
    )


def _to_printable(texts: Sequence[str]) -> list[str]:
    return [printable(text) for text in texts]
