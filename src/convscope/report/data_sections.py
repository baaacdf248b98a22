"""What an inspection found as sections of a page: classes, their images, duplicates and pixels."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from convscope.base.tables import clip
from convscope.data.inspection import Inspection
from convscope.data.inspection.pictures import PicturesRecord
from convscope.report.axes import CHART_WIDTH, draw_grid
from convscope.report.charts import draw_class_balance
from convscope.report.evidence.section import Card, Chart, Gallery, Section, Table
from convscope.report.findings import percent
from convscope.report.pixels import Pixels, enlarge, image_pixels, scale_to, tile
from convscope.report.style import ACCENT, INK, Drawing, add_axes, house_style, new_drawing

Picture = Callable[[str, int], Pixels | None]

_WIDEST_NAME, _WIDEST_IN_TABLE = 24, 40
_MOST_MEMBERS = 3
_PICTURE = 84  # pixels that a picture of a gallery is wide, or less
_STRIP_PICTURE = 56  # the same, of several in a row
_MOST_BAR_CLASSES = 40
_GROUNDS = {"light ink on dark": "dark", "dark ink on light": "light", "uneven background": "uneven"}


def data_sections(found: Inspection) -> list[Section]:
    """Return the sections of an inspection; those with nothing in them are left out."""
    picture = _pictures(found.pictures)
    sections = [
        _classes(found),
        _examples(found, picture),
        _duplicates(found, picture),
        _blank(found, picture),
        _pixels(found),
    ]
    return [section for section in sections if section.parts]


def _pictures(record: PicturesRecord) -> Picture:
    """Return what gives the picture of an image, None where it had no room."""
    found = dict(zip(zip(record.splits, record.indices, strict=True), record.images.unpack(), strict=True))

    def picture(split: str, index: int) -> Pixels | None:
        image = found.get((split, index))
        return None if image is None else image_pixels(image)

    return picture


def _in_a_row(pictures: Sequence[Pixels], size: int) -> Pixels:
    """Return equally large pictures side by side, each enlarged by a whole factor to at most `size` pixels."""
    scale = scale_to(max(pictures[0].shape[:2]), size)
    return tile([enlarge(picture, scale) for picture in pictures], len(pictures))


def _widest(cards: Sequence[Card]) -> int:
    return max((card.picture.shape[1] for card in cards), default=1)


def _classes(found: Inspection) -> Section:
    names, train, test = found.class_names, found.splits.train, found.splits.test
    counts, test_counts = train.class_counts, test.class_counts
    total, test_total = sum(counts), sum(test_counts)
    ratio = train.balance.ratio
    title = (
        f"{clip(names[train.balance.largest], _WIDEST_NAME)} has {ratio:.3g} times as many training images as "
        f"{clip(names[train.balance.smallest], _WIDEST_NAME)}"
        if ratio > 1
        else "All classes have the same number of training images"
    )
    numbers = Table(
        "",
        "",
        ("Class", "Training", "of all", "Test", "of all"),
        [
            (clip(name, _WIDEST_IN_TABLE), f"{a:,}", percent(a / total), f"{b:,}", percent(b / test_total))
            for name, a, b in zip(names, counts, test_counts, strict=True)
        ],
    )
    is_wide = len(names) > _MOST_BAR_CLASSES
    look = "The share of each class in the training images (bar) and in the test images (mark)."
    return Section(
        "classes",
        "Classes",
        "How many images each class has.",
        "Class shares can differ where the network is used.",
        [Chart("class-balance", title, look, draw_class_balance(counts, test_counts, names, title), numbers, is_wide)],
    )


def _examples(found: Inspection, picture: Picture) -> Section:
    by_class = dict[int, list[tuple[int, Pixels]]]()
    for one in found.examples:
        pixels = picture("train", one.index)
        if pixels is not None:
            by_class.setdefault(one.label, []).append((one.index, pixels))
    cards = []
    for label, shown in sorted(by_class.items()):
        lines = [clip(found.class_names[label], _WIDEST_NAME), ", ".join(f"{index:,}" for index, _ in shown)]
        cards.append(Card(_in_a_row([pixels for _, pixels in shown], _STRIP_PICTURE), lines))
    look = "The first training images of each class, with their index in the file."
    left_out = sum(count > 0 for count in found.splits.train.class_counts) - len(cards)
    look += f" {left_out:,} classes are not shown." if left_out else ""
    return Section(
        "examples",
        "First images",
        "Examples of the images, exactly as they are in the file.",
        "The first images of a file are not always typical.",
        [Gallery("", look, cards, size=_widest(cards))] if cards else [],
    )


def _duplicates(found: Inspection, picture: Picture) -> Section:
    copies, names = found.copies, found.class_names
    duplicates = copies.duplicates
    (extra, test_extra), test = copies.num_extra, found.splits.test.num_images
    table = Table(
        f"{copies.num_leaked:,} of {test:,} test images are identical to a training image",
        f"Near-duplicates are images whose pixels have a correlation of at least {duplicates.threshold:g}. "
        f"{duplicates.num_compared:,} images were compared for near-duplicates.",
        ("What", "Images"),
        [
            ("Training images identical to an earlier one", f"{extra:,}"),
            ("Test images identical to an earlier one", f"{test_extra:,}"),
            ("Test images identical to a training image", f"{copies.num_leaked:,}"),
            ("of these with a different label", f"{copies.num_leaked_otherwise:,}"),
            ("Test images similar to a training image", f"{copies.num_near_leaked:,}"),
            ("Groups of identical images with different labels", f"{copies.num_conflicts:,}"),
        ],
    )
    cards = list[Card]()
    for group in duplicates.groups:
        members = [(one, picture(one.split, one.index)) for one in group.members]
        shown = [(one, pixels) for one, pixels in members if pixels is not None][:_MOST_MEMBERS]
        if len(shown) < 2:
            continue
        labels = dict.fromkeys(one.label for one in group.members)
        more = f" and {group.num_images - len(shown):,} more" if group.num_images > len(shown) else ""
        lines = [
            clip(" or ".join(clip(names[label], _WIDEST_NAME) for label in labels), 2 * _WIDEST_NAME),
            ", ".join(f"{one.split} {one.index:,}" for one, _ in shown) + more,
            "equal" if group.is_equal else f"correlation {group.correlation:.4f}",
        ]
        cards.append(Card(_in_a_row([pixels for _, pixels in shown], _PICTURE), lines))
    gallery = Gallery(
        f"{len(cards):,} of {duplicates.num_groups:,} group{'s' * (duplicates.num_groups != 1)} of identical or "
        "similar images",
        (
            "Each group shows its images side by side with their labels. Groups with different labels come first, then "
            "groups across the splits."
        ),
        cards,
        size=_widest(cards),
    )
    return Section(
        "duplicates",
        "Duplicates",
        "Images that occur more than once, within a split or in both splits.",
        "Shifted, rotated or mirrored copies are not detected.",
        [table, gallery] if cards else [table],
    )


def _blank(found: Inspection, picture: Picture) -> Section:
    cards = []
    for one in found.blank:
        pixels = picture(one.split, one.index)
        if pixels is not None:
            name = clip(found.class_names[one.label], _WIDEST_NAME)
            cards.append(Card(pixels, [name, f"{one.split} {one.index:,}"], one.split, one.index))
    train, test = found.splits.train.num_blank, found.splits.test.num_blank
    gallery = Gallery(
        f"{train:,} training and {test:,} test images are blank", "The first of them.", cards, size=_PICTURE
    )
    return Section(
        "blank",
        "Blank images",
        "Images with the same value in every pixel. They cannot show a class.",
        "Almost blank images are not counted.",
        [gallery] if cards else [],
    )


def _pixels(found: Inspection) -> Section:
    train, test = found.splits.train, found.splits.test
    rows = [
        ("Min and max value", *(f"{h.pixels.low} to {h.pixels.high}" for h in (train, test))),
        ("Distinct values", *(f"{h.pixels.num_values}" for h in (train, test))),
        ("Mean", *(f"{h.pixels.mean:.2f}" for h in (train, test))),
        ("Standard deviation", *(f"{h.pixels.deviation:.2f}" for h in (train, test))),
        ("Background", *(_GROUNDS[h.polarity] for h in (train, test))),
        ("Images on a light background", *(f"{h.num_light_ground:,}" for h in (train, test))),
        ("Centred", *("yes" if h.centred else "no" for h in (train, test))),
    ]
    if found.image_shape[2] >= 3:
        rows.append(("Grey images stored as colour", *(f"{half.num_grey:,}" for half in (train, test))))
    title = (
        f"Training pixels range from {train.pixels.low} to {train.pixels.high}; "
        f"{percent(train.pixels.histogram[0] / sum(train.pixels.histogram), 1)} of them are 0"
    )
    drawing = draw_values(train.pixels.histogram, test.pixels.histogram, title)
    return Section(
        "pixels",
        "Pixels",
        "How often each pixel value occurs, over all positions and channels.",
        "It does not show where in the image a value occurs.",
        [
            Chart("pixel-values", title, "Share of each value. Bars: training images, line: test images.", drawing),
            Table("Range, background and format", "", ("", "Training", "Test"), rows),
        ],
    )


_NUM_BINS = 32


def draw_values(train: Sequence[int], test: Sequence[int], title: str) -> Drawing:
    """Draw the shares of pixel values, eight to a bar, on a logarithmic scale."""
    bars, line = (_binned(counts) for counts in (train, test))
    width = 256 // _NUM_BINS
    edges = np.arange(_NUM_BINS + 1) * width
    low = min(values[values > 0].min() for values in (bars, line)) / 2
    with house_style():
        drawing = new_drawing(CHART_WIDTH, 272, title)
        axes = add_axes(drawing, 64, 40, CHART_WIDTH - 80, 184)
        axes.bar(edges[:-1], np.maximum(bars - low, 0), width * 0.86, low, align="edge", color=ACCENT, alpha=0.6)
        axes.stairs(np.maximum(line, low), edges, baseline=None, color=INK, linewidth=1.5)
        axes.set_yscale("log")
        axes.set_ylim(low, 1.2)
        axes.set_xlim(0, 256)
        axes.set_xticks([0, 64, 128, 192, 255])
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g} %")
        axes.minorticks_off()
        axes.set_xlabel("value")
        draw_grid(axes)
    return drawing


def _binned(counts: Sequence[int]) -> NDArray[np.float64]:
    values = np.asarray(counts, np.float64).reshape(_NUM_BINS, -1).sum(axis=1)
    return np.asarray(values / values.sum(), np.float64)
