"""The section on exported files: how far each one's answers are from the model's, and what they cost."""

from typing import Any

from convscope.interchange.parity import HEADER, parity_cells, parity_sentence
from convscope.report.evidence.section import Section, Table


def exports_section(value: dict[str, Any]) -> Section:
    """Return the section of what `convscope export` kept as exports.json."""
    rows = value["exports"]
    table = Table(
        parity_sentence(rows),
        "The same images, classified by the model and by each exported file in its own runtime. Changed predictions "
        "matter; differences in the last digits of a logit do not.",
        HEADER,
        parity_cells(rows),
        left=2,
    )
    return Section(
        "exports",
        "Exports",
        "How well each exported file reproduces the model on the test images: the largest logit difference, changed "
        "predictions, accuracy, file size, and the median time for one image and for 1,000 images.",
        "Other images may differ more. Times hold for this machine under its load at the time.",
        [table],
    )
