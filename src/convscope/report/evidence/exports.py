"""The section on exported files: how far each one's answers are from the model's, and what they cost."""

from typing import Any

from convscope.interchange.parity import HEADER, parity_cells, parity_sentence
from convscope.report.evidence.section import Section, Table


def exports_section(value: dict[str, Any]) -> Section:
    """Return the section of what `convscope export` kept as exports.json."""
    rows = value["exports"]
    table = Table(
        parity_sentence(rows),
        "The same images through each file in its own program, and through the model. Look for answers that changed, "
        "not for the last digits of a logit.",
        HEADER,
        parity_cells(rows),
        left=2,
    )
    return Section(
        "exports",
        "Exports",
        "How the files that this model was written as answer the test images: the largest difference of a logit, the "
        "answers that are others, the accuracy, the size, and the median time of one image and of a thousand at once.",
        "Images of other kinds may tell the files apart more than these do. The times are of this machine, as busy as "
        "it was.",
        [table],
    )
