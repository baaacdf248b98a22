"""The section on the last hidden layer: a cloud of images for each class.

The agreement of a class is the share of its images' nearest neighbours that are of the class, too. "61 % → 40 %" says
what it is among the layer's outputs as a whole, and in the plane that is drawn, where much of it is lost.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from convscope.base.palette import BLUE, RED
from convscope.base.tables import clip
from convscope.evidence.explanation.embedding import Embedding
from convscope.report.axes import CHART_WIDTH, LETTER
from convscope.report.evidence.section import Chart, Section, Table, heads, topic_section
from convscope.report.findings import count_images, percent
from convscope.report.pixels import Pixels
from convscope.report.style import INK, MUTED, Drawing, add_axes, house_style, new_drawing
from convscope.texts import figure, join_sentences, say

_MAX_GREY = 12_000  # dots of other classes in all clouds: what a file of 40 kB has room for
_MAX_PANELS = 26  # with more classes, panels of those whose images have the fewest neighbours of their class
_GREY = (128, 128, 128)
_FEW_IMAGES = 300  # up to so many images, the dots are larger
_GAP, _ABOVE, _TOP, _MIN_WIDTH = 16, 48, 40, 400  # pixels between panels, above each, above all, and of the drawing


def embedding_section(value: Embedding) -> Section:
    """Make the section of an embedding."""
    shows = say("evidence.embedding.shows", inputs=value.num_dimensions)
    return topic_section("embedding", [_clouds(value)], shows=shows, does_not_show=say("evidence.embedding.lostPlane"))


def _clouds(value: Embedding) -> Chart:
    shown = _choose_classes(value)
    agreement, picture = percent(value.agreement, 1), percent(value.agreement_in_picture, 1)
    title = say("evidence.embedding.agreement", agreement=agreement, plot=picture)
    num_classes = sum(count > 0 for count in _counts(value))
    images, chance = count_images(value), percent(value.chance_agreement, 1)
    blue = say(
        "evidence.embedding.look", images=images, n=value.num_neighbours, dimensions=value.num_dimensions, chance=chance
    )
    look = join_sentences(blue, "" if len(shown) == num_classes else say("evidence.embedding.fewest", n=len(shown)))
    return Chart("embedding", title, look, _draw(value, shown, title), _numbers(value), is_wide=True)


def _counts(value: Embedding) -> NDArray[np.int64]:
    return np.bincount(value.labels, minlength=len(value.class_names)).astype(np.int64)


def _choose_classes(value: Embedding) -> list[int]:
    """Choose the classes that have images; of many, those with the lowest agreement, in the order of their labels."""
    labels = [label for label, share in enumerate(value.agreement_by_class) if share is not None]
    return sorted(sorted(labels, key=lambda label: value.agreement_by_class[label] or 0.0)[:_MAX_PANELS])


def _draw(value: Embedding, shown: Sequence[int], title: str) -> Drawing:
    """Draw a panel for each class: its images blue, or red if predicted wrong, above the others in grey.

    All panels are one picture, in which a panel of `side` pixels follows room for two lines of text:

        name        gap  name
        61 % → 40 %      92 % → 70 %
        +---------+      +---------+
        | cloud   |      | cloud   |
        +---------+      +---------+
    """
    # Up to 15 panels in rows of five, more in rows of seven; four or fewer are larger, as far as the row has room.
    columns = min(len(shown), 5 if len(shown) <= 15 else 7)
    side = min(144 if len(shown) > 4 else 208, (2 * CHART_WIDTH - 16 - _GAP * (columns - 1)) // columns)
    rows = -(-len(shown) // columns)
    width, height = columns * (side + _GAP) - _GAP, rows * (side + _ABOVE)
    dot = 1 if len(value.labels) > _FEW_IMAGES else 2  # pixels of a grey dot; the dots of the class are twice as wide
    # A dot extends from its position to the right and down, for which the panel keeps room.
    positions = _compute_pixels(value.points.unpack(), side - 2 * dot)
    clouds = np.zeros((height, width, 4), np.uint8)
    with house_style():
        drawing = new_drawing(max(width + 16, _MIN_WIDTH), _TOP + height + 8, title)
        axes = add_axes(drawing, 8, _TOP, width, height)
        for number, label in enumerate(shown):
            left, top = (number % columns) * (side + _GAP), _ABOVE + (number // columns) * (side + _ABOVE)
            panel = clouds[top : top + side, left : left + side]
            panel[[0, -1], :] = panel[:, [0, -1]] = (*_GREY, 80)  # its frame
            _draw_cloud(panel, value, label, positions, dot, _MAX_GREY // len(shown))
            whole, plane = value.agreement_by_class[label] or 0.0, value.agreement_in_picture_by_class[label] or 0.0
            name = clip(value.class_names[label], int(side / LETTER))
            text = say("evidence.embedding.arrow", whole=figure(100 * whole, 0), plot=percent(plane, 0))
            if name.endswith("…"):  # a clipped name may not tell the classes apart
                text = say("both", first=text, second=say("evidence.embedding.label", label=str(label)))
            axes.text(left, top - 22, name, color=INK)
            axes.text(left, top - 6, text, color=MUTED)
        axes.imshow(clouds, interpolation="none", extent=(0, width, height, 0), aspect="auto")
        axes.axis("off")
    return drawing


def _compute_pixels(points: NDArray[np.float32], side: int) -> NDArray[np.int64]:
    """Compute (n, 2), the row and column of each point in a square of `side` pixels, on one scale for both axes."""
    low, high = points.min(axis=0), points.max(axis=0)
    span = float((high - low).max()) or 1.0
    # The middle of the points comes to 0.5, and 3 % stay free at either end. Rows count downwards, the second
    # coordinate upwards.
    scaled = 0.5 + (points - (low + high) / 2) / (1.06 * span)
    columns, rows = (scaled * (side - 1)).round().astype(np.int64).T
    return np.stack([side - 1 - rows, columns], axis=1)


def _draw_cloud(
    panel: Pixels, value: Embedding, label: int, positions: NDArray[np.int64], dot: int, max_grey: int
) -> None:
    """Draw the images of a class into its panel, above up to `max_grey` images of other classes."""
    labels, is_correct = np.array(value.labels), np.array(value.predicted) == label
    others, is_label = np.flatnonzero(labels != label), labels == label
    # Grey points are only the ground: evenly chosen ones keep the drawing light.
    others = others[np.linspace(0, len(others) - 1, min(len(others), max_grey)).astype(int)]
    # In this order, so that wrong predictions are on top.
    _draw_dots(panel, positions[others], dot, (*_GREY, 110))
    _draw_dots(panel, positions[is_label & is_correct], 2 * dot, (*BLUE, 255))
    _draw_dots(panel, positions[is_label & ~is_correct], 2 * dot, (*RED, 255))


def _draw_dots(panel: Pixels, positions: NDArray[np.int64], dot: int, colour: tuple[int, int, int, int]) -> None:
    """Put dots of `dot` by `dot` pixels into a panel."""
    for down, right in np.ndindex(dot, dot):
        panel[positions[:, 0] + down, positions[:, 1] + right] = colour


def _numbers(value: Embedding) -> Table:
    counts = _counts(value)
    agreements = zip(value.agreement_by_class, value.agreement_in_picture_by_class, strict=True)
    rows = [
        [clip(name, 24), f"{count:,}", percent(whole, 1), percent(plane, 1)]
        for name, count, (whole, plane) in zip(value.class_names, counts, agreements, strict=True)
        if whole is not None and plane is not None
    ]
    shares = [percent(share, 1) for share in (value.agreement, value.agreement_in_picture)]
    rows.append([say("evidence.ablation.all"), f"{counts.sum():,}", *shares])
    header = heads("embedding", "class", "images", "neighbours", "plot")
    look = say("sentence", text=say("evidence.embedding.variance", share=percent(sum(value.explained_variance[:2]), 1)))
    return Table("", look, header, rows)
