"""The data's own faults as a section of the page: labels in doubt, known wrong ones, and duplicates, with pictures."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from convscope.base.packing import unpack
from convscope.base.tables import clip
from convscope.report.evidence.section import Card, Gallery, Section, Table
from convscope.report.findings import confidence_text, percent
from convscope.report.pixels import Pixels, image_pixels, tile
from convscope.report.texts import say

_MOST_PAIRS = 12
_MOST_MEMBERS = 3
_WIDEST_NAME, _WIDEST_IN_TABLE = 12, 24
_LEFT_OUT_NAMES = {"known errors": "known errors", "twins": "duplicates"}
_SPLIT_NAMES = {"train": "training", "test": "test"}

Value = dict[str, Any]
Picture = Callable[[str, int], Pixels | None]


def audit_section(value: Value) -> Section:
    """Return the section of an audit, `Audit.to_dict()`."""
    names = [clip(name, _WIDEST_NAME) for name in value["class_names"]]
    suspects = {split: found for split, found in value["label_suspects"].items() if found is not None}
    picture = _pictures(value["pictures"])
    parts: list[Table | Gallery] = [
        *_accuracy_table(value),
        *_known_gallery(value["known_errors"], names, picture),
        *(_suspects_gallery(found, value["known_errors"], names, picture) for found in suspects.values()),
        _counts_table(suspects),
        *_pairs_table(suspects, [clip(name, _WIDEST_IN_TABLE) for name in value["class_names"]]),
        _duplicates_table(value["duplicates"]),
        *_duplicates_gallery(value["duplicates"], names, picture),
    ]
    return Section(
        anchor="audit",
        name=say("evidence.audit.name"),
        shows=say("evidence.audit.shows"),
        does_not_show=say("evidence.audit.doesNotShow"),
        parts=[part for part in parts if isinstance(part, Table) or part.cards],
    )


def _pictures(value: Value) -> Picture:
    """Return what gives the picture of an image, None where it had no room."""
    places = zip(value["splits"], value["indices"], strict=True)
    found = dict(zip(places, unpack(value["images"]), strict=True))

    def picture(split: str, index: int) -> Pixels | None:
        image = found.get((split, index))
        return None if image is None else image_pixels(image)

    return picture


def _accuracy_table(value: Value) -> list[Table]:
    """Return the accuracy with all test images and without some, where there is something to leave out."""
    whole, *parts = value["accuracies"]
    if not parts:
        return []
    left_out = {part["left_out"]: whole["num_images"] - part["num_images"] for part in parts}
    rows = [
        (
            f"without {_count(left_out[part['left_out']], _LEFT_OUT_NAMES[part['left_out']])}"
            if part is not whole
            else "all",
            f"{part['num_images']:,}",
            f"{part['num_right']:,}",
            percent(part["accuracy"]),
            f"{percent(part['interval'][0])} to {percent(part['interval'][1])}",
        )
        for part in value["accuracies"]
    ]
    meanings = {
        "known errors": "A known error is a test image whose label most people rejected.",
        "twins": "A duplicate is a test image that is identical or similar to a training image.",
    }
    if value["known_errors"] and value["known_errors"]["errors"]:
        number, ceiling = len(value["known_errors"]["errors"]), percent(value["known_errors"]["ceiling"])
        title = say("evidence.audit.known", n=number, ceiling=ceiling)
    else:
        title = say("evidence.audit.twins", twins=left_out["twins"], images=whole["num_images"])
    look = " ".join(meanings[name] for name in left_out)
    header = ("Test images", "Images", "Right", "Accuracy", "95 % interval")
    return [Table(title, f"{look} Suspect labels are never left out.", header, rows)]


def _known_gallery(known: Value | None, names: Sequence[str], picture: Picture) -> list[Gallery]:
    if not known or not known["errors"]:
        return []
    errors = known["errors"]
    agreed = [error for error in errors if error["agreed_label"] is not None]
    joined = sum(error["predicted"] == error["agreed_label"] for error in agreed)
    kept = sum(error["predicted"] == error["given"] for error in errors)
    cards = []
    for error in errors:
        people = error["votes_given"] + error["votes_other"] + error["votes_neither"]
        other = "?" if error["agreed_label"] is None else names[error["agreed_label"]]
        lines = [
            f"{names[error['given']]} → {other}",
            f"{error['votes_given']} of {people} confirmed {names[error['given']]}",
            f"network: {names[error['predicted']]}, {confidence_text(error['probability'])}",
        ]
        cards.append(_card(picture, "test", error["index"], lines))
    found = sum(error["rank"] is not None for error in errors)
    title = (
        f"People rejected {len(errors)} test labels. Where they agreed on another label, the network gives the same "
        f"one in {joined} of {len(agreed)} cases"
    )
    look = (
        "The given label, then the label that most people chose (? if there is no majority). The network predicts "
        f"{kept} of the rejected labels and marks {found} of these images as suspect (below). Only "
        f"{known['num_reviewed']} images were reviewed by people."
    )
    return [Gallery(title, look, [card for card in cards if card])]


def _suspects_gallery(found: Value, known: Value | None, names: Sequence[str], picture: Picture) -> Gallery:
    split = found["split"]
    rejected = {error["index"] for error in known["errors"]} if known and split == "test" else set[int]()
    cards = []
    for one in found["suspects"]:
        lines = [
            f"{names[one['given']]} → {names[one['suggested']]}",
            f"confidence {confidence_text(one['probability'], 2)}",
        ]
        if one["index"] in rejected:
            lines.append("also rejected by people")
        cards.append(_card(picture, split, one["index"], lines))
    shown = [card for card in cards if card]
    counts = {"suspects": found["num_suspects"], "labels": found["num_images"]}
    title = say(f"evidence.audit.suspects.{split}", **counts)
    if rejected:
        both = sum(one["index"] in rejected for one in found["suspects"])
        title = say(f"evidence.audit.suspectsRejected.{split}", **counts, rejected=both)
    look = (
        "The given label, the label that the network suggests, and its confidence. The most suspect label comes first."
    )
    if len(shown) < found["num_suspects"]:
        look += f" {len(shown)} are shown."
    return Gallery(title, look, shown)


def _counts_table(suspects: dict[str, Value]) -> Table:
    rows = [
        (
            _SPLIT_NAMES[split],
            f"{found['num_images']:,}",
            f"{found['num_confident']:,}",
            f"{found['num_suspects']:,}",
        )
        for split, found in suspects.items()
    ]
    counts = " and ".join(
        f"{found['num_suspects']:,} of {found['num_images']:,} {_SPLIT_NAMES[split]} labels"
        for split, found in suspects.items()
    )
    return Table(
        f"Suspect: {counts}",
        "An image counts as confident for a class if its probability reaches the average for images with that label. "
        "The number of wrong labels cannot be derived from this table, because confident mistakes of the network count "
        "too.",
        ("Split", "Labels", "Network is confident", "Suspect"),
        rows,
    )


def _pairs_table(suspects: dict[str, Value], names: Sequence[str]) -> list[Table]:
    """Return for the most frequent pairs of labels how many are in doubt in each split."""
    counts = dict[tuple[int, int], dict[str, int]]()
    for split, found in suspects.items():
        for pair in found["pairs"]:
            counts.setdefault((pair["given"], pair["suggested"]), {})[split] = pair["count"]
    if not counts:
        return []
    order = sorted(counts, key=lambda pair: (-sum(counts[pair].values()), pair))
    given, suggested = (names[label] for label in order[0])
    most = sum(counts[order[0]].values())
    look = "Suspect labels by given and suggested class."
    if len(order) > _MOST_PAIRS:
        look += f" The {_MOST_PAIRS} most frequent of {len(order)} pairs are shown."
    return [
        Table(
            f"Most frequent suspect pair: {given} that may be {suggested}, {_count(most, 'labels')}",
            look,
            ("Given", "Suggested", *(f"{_SPLIT_NAMES[split].capitalize()} labels" for split in suspects)),
            [
                (names[pair[0]], names[pair[1]], *(f"{counts[pair].get(split, 0):,}" for split in suspects))
                for pair in order[:_MOST_PAIRS]
            ],
            left=2,
        )
    ]


def _duplicates_table(found: Value) -> Table:
    equal, near = found["num_equal_groups"], found["num_groups"] - found["num_equal_groups"]
    images = found["num_train"] + found["num_test"]
    if equal:
        title = f"{_count(equal, 'groups')} of identical images and {near:,} of similar images among {images:,} images"
    elif near:
        title = f"No two of {images:,} images are identical; there are {_count(near, 'groups')} of similar images"
    else:
        title = f"No two of {images:,} images are identical or similar"
    look = (
        f"Images count as similar if their pixels have a correlation of at least {found['threshold']:g}. Two different "
        "but simple drawings can reach this too."
    )
    if found["num_left_out"]:
        look += f" {found['num_left_out']:,} images were not searched for similar ones."
    rows = [
        ("Groups of identical images", f"{equal:,}"),
        ("Groups of similar images", f"{near:,}"),
        ("Groups with different labels", f"{found['num_groups_with_two_labels']:,}"),
        ("Groups across the splits", f"{found['num_groups_across_splits']:,}"),
        ("Test images that duplicate a training image", f"{found['num_test_twins']:,}"),
    ]
    return Table(title, look, ("What", "Number"), rows)


def _duplicates_gallery(found: Value, names: Sequence[str], picture: Picture) -> list[Gallery]:
    cards = []
    for group in found["groups"]:
        members = [(one, picture(one["split"], one["index"])) for one in group["members"]]
        shown = [(one, pixels) for one, pixels in members if pixels is not None][:_MOST_MEMBERS]
        if len(shown) < 2:
            continue
        labels = " or ".join(names[label] for label in dict.fromkeys(one["label"] for one in group["members"]))
        more = group["num_images"] - len(shown)
        lines = [
            clip(labels, 3 * _WIDEST_NAME),
            ", ".join(f"{one['split']} {one['index']}" for one, _ in shown) + (f" and {more:,} more" if more else ""),
            "equal" if group["is_equal"] else f"correlation {group['correlation']:.4f}",
        ]
        first = shown[-1][0]  # of the test images where there is one
        tiled = tile([pixels for _, pixels in shown], columns=len(shown))
        cards.append(Card(tiled, lines, first["split"], first["index"]))
    title = (
        f"Groups with different labels: {found['num_groups_with_two_labels']:,} of {found['num_groups']:,}; across "
        f"training and test images: {found['num_groups_across_splits']:,}"
    )
    look = "The images of each group side by side. Groups with different labels or across the splits come first."
    if len(cards) < found["num_groups"]:
        look += f" {len(cards)} of {found['num_groups']:,} groups are shown."
    return [Gallery(title, look, cards, size=270)]


def _card(picture: Picture, split: str, index: int, lines: Iterable[str]) -> Card | None:
    pixels = picture(split, index)
    return None if pixels is None else Card(pixels, list(lines), split, index)


def _count(number: int, plural: str) -> str:
    """Return a number with its noun, as "1 label" and "2 labels"."""
    return f"{number:,} {plural.removesuffix('s') if number == 1 else plural}"
