"""What an inspection found as sections of a page: classes, their images, duplicates, pixels, and the splits' shift."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.packing import unpack
from convscope.base.tables import clip
from convscope.report.charts import CHART_WIDTH, draw_class_balance
from convscope.report.evidence.section import Card, Chart, Gallery, Section, Table
from convscope.report.findings import percent
from convscope.report.pixels import Pixels, enlarge, image_pixels, paint, scale_to, tile
from convscope.report.style import ACCENT, INK, Drawing, add_axes, house_style, new_drawing

Value = Mapping[str, Any]
Picture = Callable[[str, int], Pixels | None]

_WIDEST_NAME, _WIDEST_IN_TABLE = 24, 40
_MOST_MEMBERS = 3
_MOST_SHIFTS = 40
_PICTURE = 84  # pixels that a picture of a gallery is wide, or less
_STRIP_PICTURE = 56  # the same, of several in a row
_MOST_BAR_CLASSES = 40
_GROUNDS = {"light ink on dark": "dark", "dark ink on light": "light", "no even ground": "not even"}


def data_sections(found: Value) -> list[Section]:
    """Return the sections of `Inspection.to_dict()`; those with nothing in them are left out."""
    picture = _pictures(found["pictures"])
    sections = [
        _classes(found),
        _class_images(found),
        _examples(found, picture),
        _duplicates(found, picture),
        _blank(found, picture),
        _pixels(found),
        _orientation(found),
        _shift(found),
    ]
    return [section for section in sections if section.parts]


def _pictures(value: Value) -> Picture:
    """Return what gives the picture of an image, None where it had no room."""
    found = dict(zip(zip(value["splits"], value["indices"], strict=True), unpack(value["images"]), strict=True))

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


def _classes(found: Value) -> Section:
    names, train, test = found["class_names"], *(found["splits"][split] for split in ("train", "test"))
    counts, test_counts = train["class_counts"], test["class_counts"]
    total, test_total = sum(counts), sum(test_counts)
    ratio = train["balance"]["ratio"]
    title = (
        f"{clip(names[train['balance']['largest']], _WIDEST_NAME)} has {ratio:.3g} times the training images of "
        f"{clip(names[train['balance']['smallest']], _WIDEST_NAME)}"
        if ratio > 1
        else "Every class has as many training images"
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
    look = "Each class's share of the training images (bar) and of the test images (mark)."
    return Section(
        "classes",
        "Classes",
        f"As uneven as these are {train['balance']['effective_classes']:.4g} equal classes.",
        "Shares are those of these files; where the network is used they may be others.",
        [Chart("class-balance", title, look, draw_class_balance(counts, test_counts, names, title), numbers, is_wide)],
    )


def _class_images(found: Value) -> Section:
    labels, means = found["class_images"]["labels"], unpack(found["class_images"]["means"])
    variances = unpack(found["class_images"]["variances"])
    names, counts = found["class_names"], found["splits"]["train"]["class_counts"]
    deviations = np.sqrt(variances.astype(np.float64)).mean(axis=3)
    highest = float(deviations.max()) if deviations.size else 0.0
    cards = []
    for place, (label, mean) in enumerate(zip(labels, means, strict=False)):
        pictures = [image_pixels(mean)]
        if place < len(deviations):
            pictures.append(paint(deviations[place], "viridis", 0, highest))
        lines = [clip(names[label], _WIDEST_NAME), f"{counts[label]:,} images"]
        cards.append(Card(_in_a_row(pictures, _PICTURE), lines))
    left_out = f" {len(labels) - len(cards):,} classes had no room." if len(cards) < len(labels) else ""
    gallery = Gallery(
        "What the classes have in common, and where they vary",
        "On the left the mean of the training images, on the right how much each pixel varies, from dark blue (not at "
        f"all) to yellow (a standard deviation of {highest:.0f} grey levels), one scale for all classes.{left_out}",
        cards,
        size=_widest(cards),
    )
    return Section(
        "class-images",
        "Class images",
        "The mean image of a class shows where its images agree.",
        "A class of several kinds has a mean that looks like none of them.",
        [gallery] if cards else [],
    )


def _examples(found: Value, picture: Picture) -> Section:
    by_class = dict[int, list[tuple[int, Pixels]]]()
    for one in found["examples"]:
        pixels = picture("train", one["index"])
        if pixels is not None:
            by_class.setdefault(one["label"], []).append((one["index"], pixels))
    cards = []
    for label, shown in sorted(by_class.items()):
        lines = [clip(found["class_names"][label], _WIDEST_NAME), ", ".join(f"{index:,}" for index, _ in shown)]
        cards.append(Card(_in_a_row([pixels for _, pixels in shown], _STRIP_PICTURE), lines))
    look = "The first training images of each class, with their places in the file."
    left_out = sum(count > 0 for count in found["splits"]["train"]["class_counts"]) - len(cards)
    look += f" Those of {left_out:,} classes had no room." if left_out else ""
    return Section(
        "examples",
        "First images",
        "What the images look like, as they are in the file.",
        "The first of a file need not be like the others.",
        [Gallery("", look, cards, size=_widest(cards))] if cards else [],
    )


def _duplicates(found: Value, picture: Picture) -> Section:
    copies, names = found["copies"], found["class_names"]
    duplicates = copies["duplicates"]
    (extra, test_extra), test = copies["num_extra"], found["splits"]["test"]["num_images"]
    table = Table(
        f"{copies['num_leaked']:,} of {test:,} test images are equal to a training image",
        f"Near are images whose pixels correlate by {duplicates['threshold']:g} or more. Searched for equal ones were "
        f"{sum(copies['num_searched']):,} images, for near ones {duplicates['num_compared']:,}.",
        ("What", "Images"),
        [
            ("Training images that repeat an earlier one", f"{extra:,}"),
            ("Test images that repeat an earlier one", f"{test_extra:,}"),
            ("Test images equal to a training image", f"{copies['num_leaked']:,}"),
            ("of these under another label", f"{copies['num_leaked_otherwise']:,}"),
            ("Test images near to a training image", f"{copies['num_near_leaked']:,}"),
            ("Equal images with differing labels (groups)", f"{copies['num_conflicts']:,}"),
        ],
    )
    cards = list[Card]()
    for group in duplicates["groups"]:
        members = [(one, picture(one["split"], one["index"])) for one in group["members"]]
        shown = [(one, pixels) for one, pixels in members if pixels is not None][:_MOST_MEMBERS]
        if len(shown) < 2:
            continue
        labels = dict.fromkeys(one["label"] for one in group["members"])
        more = f" and {group['num_images'] - len(shown):,} more" if group["num_images"] > len(shown) else ""
        lines = [
            clip(" or ".join(clip(names[label], _WIDEST_NAME) for label in labels), 2 * _WIDEST_NAME),
            ", ".join(f"{one['split']} {one['index']:,}" for one, _ in shown) + more,
            "equal" if group["is_equal"] else f"correlation {group['correlation']:.4f}",
        ]
        cards.append(Card(_in_a_row([pixels for _, pixels in shown], _PICTURE), lines))
    gallery = Gallery(
        f"{len(cards):,} of {duplicates['num_groups']:,} group{'s' * (duplicates['num_groups'] != 1)} of equal or near "
        "images",
        "The images of a group side by side with their labels; first where the labels differ, then across the splits.",
        cards,
        size=_widest(cards),
    )
    return Section(
        "duplicates",
        "Duplicates",
        "Images that stand in the data more than once, within a split or in both.",
        "A copy that was moved, turned or mirrored is not found.",
        [table, gallery] if cards else [table],
    )


def _blank(found: Value, picture: Picture) -> Section:
    cards = []
    for one in found["blank"]:
        pixels = picture(one["split"], one["index"])
        if pixels is not None:
            name = clip(found["class_names"][one["label"]], _WIDEST_NAME)
            cards.append(Card(pixels, [name, f"{one['split']} {one['index']:,}"], one["split"], one["index"]))
    train, test = (found["splits"][split]["num_blank"] for split in ("train", "test"))
    gallery = Gallery(
        f"{train:,} training and {test:,} test images are blank", "The first of them.", cards, size=_PICTURE
    )
    return Section(
        "blank",
        "Blank images",
        "Images that have one value throughout, and so show no class.",
        "An image that is all but blank is not counted.",
        [gallery] if cards else [],
    )


def _pixels(found: Value) -> Section:
    train, test = (found["splits"][split] for split in ("train", "test"))
    rows = [
        ("Lowest and highest value", *(f"{h['pixels']['low']} to {h['pixels']['high']}" for h in (train, test))),
        ("Different values", *(f"{h['pixels']['num_values']}" for h in (train, test))),
        ("At 0", *(percent(h["pixels"]["share_black"]) for h in (train, test))),
        ("At 255", *(percent(h["pixels"]["share_white"]) for h in (train, test))),
        ("Mean", *(f"{h['pixels']['mean']:.2f}" for h in (train, test))),
        ("Standard deviation", *(f"{h['pixels']['deviation']:.2f}" for h in (train, test))),
        ("Ground", *(_GROUNDS[h["polarity"]] for h in (train, test))),
        ("Images on light ground", *(f"{h['num_light_ground']:,}" for h in (train, test))),
        ("Centred", *("yes" if h["centred"] else "no" for h in (train, test))),
    ]
    if found["image_shape"][2] >= 3:
        rows.append(("Grey, stored as colour", *(f"{half['num_grey']:,}" for half in (train, test))))
    title = (
        f"Training pixels run from {train['pixels']['low']} to {train['pixels']['high']}, "
        f"{percent(train['pixels']['share_black'], 1)} of them at 0"
    )
    drawing = draw_values(train["pixels"]["histogram"], test["pixels"]["histogram"], title)
    return Section(
        "pixels",
        "Pixels",
        "How often each value occurs, over all places and channels.",
        "It says nothing of where in the image a value stands.",
        [
            Chart("pixel-values", title, "Share of the values; bars: training, line: test.", drawing),
            Table("Range, ground and form", "", ("", "Training", "Test"), rows),
        ],
    )


def _orientation(found: Value) -> Section:
    tables = []
    for one in found["orientations"]:
        split = "training" if one["split"] == "train" else "test"
        verdict = one["verdict"]
        title = (
            f"How the {split} images lie cannot be told by {one['reference']}"
            if verdict == "cannot be told"
            else f"The {split} images read best {verdict}, by {one['reference']}"
        )
        look = (
            f"{one['num_images']:,} images of {one['num_classes']:,} classes, each read as the class whose mean image "
            "correlates most with it."
        )
        rows = [
            (
                reading["orientation"].capitalize(),
                percent(reading["accuracy"], 1),
                f"{percent(reading['interval'][0], 1)} to {percent(reading['interval'][1], 1)}",
            )
            for reading in one["readings"]
        ]
        tables.append(Table(title, look, ("Orientation", "Read right", "95 % interval"), rows))
    return Section(
        "orientation",
        "Orientation",
        "Whether rows and columns are swapped, or the images mirrored or turned: in which orientation they read best.",
        "What classes look like upright is known for digits and letters; of others only whether both splits lie alike.",
        tables,
    )


def _shift(found: Value) -> Section:
    shift = found["shift"]
    classes = sorted(shift["brightness"], key=lambda one: (one["p_value"], -abs(one["effect"] or 0)))[:_MOST_SHIFTS]
    rows = [
        (
            clip(found["class_names"][one["label"]], _WIDEST_IN_TABLE),
            f"{one['train_mean']:.1f}",
            f"{one['test_mean']:.1f}",
            "" if one["effect"] is None else f"{one['effect']:+.2f}",
            f"{one['p_value']:.2g}",
        )
        for one in classes
    ]
    certain = sum(one["p_value"] < 0.05 for one in shift["brightness"])
    count = len(shift["brightness"])
    title = (
        f"The brightness of {certain:,} of {count:,} classes differs between the splits"
        if certain
        else f"The brightness of no class differs beyond chance, of {count:,}"
    )
    look = (
        "Mean value of the images of a class; d is the difference in standard deviations (below 0.2 it is small), p "
        "that of Welch's test after Holm's correction. The shares of the classes are "
        f"{percent(shift['shares_distance'], 1)} apart (p = {shift['shares_p_value']:.2g})."
    )
    if len(classes) < count:
        look += f" Shown are the {len(classes)} with the smallest p."
    return Section(
        "shift",
        "Training against test",
        "Whether the test images are like the training images.",
        "Images of one person or camera are not independent, so p is too small. Other differences are not looked for.",
        [Table(title, look, ("Class", "Training", "Test", "d", "p"), rows)] if rows else [],
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
        axes.grid(axis="y")
        axes.spines["left"].set_visible(False)
        axes.tick_params(left=False)
    return drawing


def _binned(counts: Sequence[int]) -> NDArray[np.float64]:
    values = np.asarray(counts, np.float64).reshape(_NUM_BINS, -1).sum(axis=1)
    return np.asarray(values / values.sum(), np.float64)
