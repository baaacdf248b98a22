"""A page on which a person decides about labels, picture by picture, and saves the decisions.

The pictures have labels that are in doubt, each beside its neighbours, and the page saves corrections.csv; or they have
none yet, only a suggestion, and the page saves labels.csv, a table of files and labels that `load_dataset` reads.
One HTML file holds pictures, script and texts in all languages. File and class names are data and never markup.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from convscope.base.records import Count, Fraction, Record, encode, from_attributes
from convscope.base.tables import clip, printable
from convscope.data.inspection.pictures import shrink
from convscope.evidence.records import Label
from convscope.report.document import read_resource, render_document, script_json, script_policy
from convscope.report.pixels import image_pixels, picture_to_json
from convscope.texts import catalogues, say

MAX_BYTES = 6_000_000
"""Limit for a page."""
_OTHER_BYTES = 100_000  # of style, script and texts
_ITEM_BYTES = 400  # of an item without its pictures
_LARGE, _SMALL = 64, 32  # pixels, the longest side of a picture and of a neighbour
_TITLE_WIDTH = 60  # columns of the name in the title

Image = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class PictureToLabel:
    """A picture to decide about.

    Attributes:
        image: (H, W, C) uint8.
        file: where it was read from; "" if it has no file of its own.
        split, index: those of the image in its data set; the split is "" if it is in none.
        given_label: its label; None if it has none.
        suggested_label, confidence: the label that a network suggests, and its probability.
        neighbours: similar images with their labels.
    """

    image: Image
    file: str
    split: str
    index: int
    given_label: int | None
    suggested_label: int
    confidence: float
    neighbours: Sequence[tuple[Image, int]] = ()


class Neighbour(Record):
    """A neighbour: the index of its picture, and its label."""

    picture: Count
    label: Label


class LabellingItem(Record, kw_only=True):
    """A `PictureToLabel` with the indices of its pictures in the list of all."""

    picture: Count
    file: str
    split: str
    index: Count
    given_label: Label | None
    suggested_label: Label
    confidence: Fraction
    neighbours: tuple[Neighbour, ...]


class LabellingContent(Record, kw_only=True):
    """The content that the page's script shows.

    Attributes:
        pictures: PNG in base64, each once.
    """

    class_names: tuple[str, ...]
    items: tuple[LabellingItem, ...]
    pictures: tuple[str, ...]


def render_labelling_page(
    name: str, class_names: Sequence[str], pictures: Iterable[PictureToLabel], num_pictures: int, command: str
) -> str:
    """Write the page as one HTML document that works from a disk with no network, with the first pictures that fit.

    Args:
        name: that of the data.
        pictures: the most important first; no more of them are taken than the page shows.
        num_pictures: the number of all pictures.
        command: the command that uses the saved list.
    """
    content, script = _collect(class_names, pictures), read_resource("labelling.js")
    has_labels = any(item.given_label is not None for item in content.items)
    texts = {
        language: {"labelling": all_texts["report"]["labelling"], "page": all_texts["report"]["page"]}
        for language, all_texts in catalogues().items()
    }
    # The browser keeps the decisions under the digest of what they are about.
    values = content.to_dict() | {"key": sha256(encode(content)).hexdigest()[:16], "texts": texts}
    kind, num_shown = "suspects" if has_labels else "unlabelled", len(content.items)
    return render_document(
        "labelling.html.jinja",
        script_policy(script),
        title=say(f"labelling.title.{kind}", n=num_pictures, name=clip(name, _TITLE_WIDTH)),
        lead=say(f"labelling.lead.{kind}"),
        shown=say("labelling.shown", shown=num_shown, n=num_pictures) if num_shown < num_pictures else "",
        about=printable(name),
        command=printable(command),
        script=Markup(script),
        json=script_json(values),
    )


def _collect(class_names: Sequence[str], pictures: Iterable[PictureToLabel]) -> LabellingContent:
    """Collect items until the page is full; there is always one."""
    items = list[LabellingItem]()
    numbers = dict[str, int]()  # by the picture in base64, since many suspects have the same neighbours
    num_bytes = _OTHER_BYTES + sum(len(name.encode()) for name in class_names)
    for picture in pictures:
        large = _draw(picture.image, _LARGE)
        small = [_draw(image, _SMALL) for image, _ in picture.neighbours]
        num_bytes += _ITEM_BYTES + len(picture.file.encode())
        num_bytes += sum(len(text) for text in {large, *small} if text not in numbers)
        if items and num_bytes > MAX_BYTES:
            break
        for text in (large, *small):
            numbers.setdefault(text, len(numbers))
        labels = [label for _, label in picture.neighbours]
        neighbours = tuple(Neighbour(numbers[text], label) for text, label in zip(small, labels, strict=True))
        items.append(from_attributes(LabellingItem, picture, picture=numbers[large], neighbours=neighbours))
    return LabellingContent(class_names=tuple(class_names), items=tuple(items), pictures=tuple(numbers))


def _draw(image: Image, largest: int) -> str:
    height, width, channels = image.shape
    return picture_to_json(image_pixels(shrink([image], (height, width, channels), largest)[0]))
