"""A data set as a notebook shows it: its sizes, how many images each class has, and the first of them.

Data sets to HTML that inherits its colours, so that it reads on dark and light alike. Names are data, never markup.
"""

from base64 import b64encode
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from convscope.base.tables import clip, html_table
from convscope.data.datasets.pictures import strip_png

if TYPE_CHECKING:
    from convscope.data.datasets.dataset import Dataset

SHOWN_IMAGES = 10
MOST_OPEN_CLASSES = 20  # more than these are folded away
NAME_WIDTH = 40


def html_card(splits: "Sequence[Dataset]") -> str:
    """Return one or more splits of one data set as HTML: a table with a column a split, and a strip of images each."""
    first = splits[0]
    height, width, channels = first.image_shape
    plural = "channel" if channels == 1 else "channels"
    head = ("class", *(split.split for split in splits))
    counts = [split.class_counts.tolist() for split in splits]
    every = ("all", *(f"{len(split):,}" for split in splits))
    each = [
        (clip(name, NAME_WIDTH), *(f"{column[label]:,}" for column in counts))
        for label, name in enumerate(first.class_names)
    ]
    if first.num_classes <= MOST_OPEN_CLASSES:
        table = html_table(head, [every, *each])
    else:
        fewest = ("fewest of a class", *(f"{min(column):,}" for column in counts))
        most = ("most of a class", *(f"{max(column):,}" for column in counts))
        table = (
            f"{html_table(head, [every, fewest, most])}"
            f"<details><summary>each of the {first.num_classes} classes</summary>{html_table(head, each)}</details>"
        )
    return "".join(
        [
            f"<div><strong>{escape(clip(first.name, NAME_WIDTH))}</strong>: {first.num_classes} classes, "
            f"images of {height} × {width} pixels and {channels} {plural}, uint8 as in the file",
            table,
            *(_strip(split) for split in splits),
            "</div>",
        ]
    )


def _strip(split: "Dataset") -> str:
    images = split.images[:SHOWN_IMAGES]
    names = ", ".join(clip(split.class_names[label], NAME_WIDTH) for label in split.labels[:SHOWN_IMAGES])
    caption = escape(f"{split.split}, the first {len(images)}: {names}")
    picture = b64encode(strip_png(images)).decode()
    return (
        f'<figure style="margin: 0.5em 0"><img alt="{caption}" src="data:image/png;base64,{picture}" '
        'style="max-width: 100%; outline: 1px solid rgba(128, 128, 128, 0.5)">'
        f'<figcaption style="overflow-wrap: anywhere">{caption}</figcaption></figure>'
    )
