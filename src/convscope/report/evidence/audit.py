"""The data's own faults as a section of the page: labels in doubt, known wrong ones, and duplicates, with pictures."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from convscope.base.packing import unpack
from convscope.base.tables import clip
from convscope.report.evidence.section import Card, Gallery, Section, Table
from convscope.report.findings import percent
from convscope.report.pixels import Pixels, image_pixels, tile

_MOST_PAIRS = 12
_MOST_MEMBERS = 3
_WIDEST_NAME, _WIDEST_IN_TABLE = 12, 24
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
        name="Faults of the data",
        shows="Labels that a network which did not learn from the image is sure are wrong, labels that people found to "
        "be wrong, and images that stand in the data twice.",
        does_not_show="A label in doubt may be right, since a hard image and a mistake of the network look the same; a "
        "wrong label that the network shares is not found.",
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
            f"without {_count(left_out[part['left_out']], part['left_out'])}" if part is not whole else "all",
            f"{part['num_images']:,}",
            f"{part['num_right']:,}",
            percent(part["accuracy"]),
            f"{percent(part['interval'][0])} to {percent(part['interval'][1])}",
        )
        for part in value["accuracies"]
    ]
    meanings = {
        "known errors": "A known error is a test image whose label most people rejected.",
        "twins": "A twin is a test image that is equal or near to a training image.",
    }
    if value["known_errors"] and value["known_errors"]["errors"]:
        number, ceiling = len(value["known_errors"]["errors"]), percent(value["known_errors"]["ceiling"])
        title = f"Who reads {_count(number, 'known errors')} as people do cannot score above {ceiling}"
    else:
        title = f"{_count(left_out['twins'], 'twins')} of training images among the {whole['num_images']:,} test images"
    look = " ".join(meanings[name] for name in left_out)
    header = ("Test images", "Images", "Right", "Accuracy", "95 % interval")
    return [Table(title, f"{look} Labels in doubt are never left out.", header, rows)]


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
            f"{error['votes_given']} of {people} kept {names[error['given']]}",
            f"network: {names[error['predicted']]}, {percent(error['probability'], 0)}",
        ]
        cards.append(_card(picture, "test", error["index"], lines))
    found = sum(error["rank"] is not None for error in errors)
    title = (
        f"People rejected {len(errors)} test labels; where they agreed on another one, "
        f"the network agrees with them in {joined} of {len(agreed)}"
    )
    look = (
        f"The given label, and the one that most people chose, ? where there is none. The network gives {kept} of the "
        f"rejected labels and is sure enough to doubt {found} (below). Only {known['num_reviewed']} images were shown "
        "to people; on the others no vote was taken."
    )
    return [Gallery(title, look, [card for card in cards if card])]


def _suspects_gallery(found: Value, known: Value | None, names: Sequence[str], picture: Picture) -> Gallery:
    split = found["split"]
    rejected = {error["index"] for error in known["errors"]} if known and split == "test" else set[int]()
    cards = []
    for one in found["suspects"]:
        lines = [f"{names[one['given']]} → {names[one['suggested']]}", f"{percent(one['probability'])} sure"]
        if one["index"] in rejected:
            lines.append("people reject it too")
        cards.append(_card(picture, split, one["index"], lines))
    shown = [card for card in cards if card]
    title = f"{found['num_suspects']:,} of {found['num_images']:,} {_SPLIT_NAMES[split]} labels are in doubt"
    if rejected:
        both = sum(one["index"] in rejected for one in found["suspects"])
        title += f"; people rejected {both} of them"
    look = "The given label, the one that the network suggests, and how sure it is of that; the most doubtful first."
    if len(shown) < found["num_suspects"]:
        look += f" Shown are {len(shown)}."
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
        f"In doubt: {counts}",
        "The network is sure of a class that it finds as probable as it does on average for images of that label. How "
        "many labels are wrong cannot be told from these numbers: they also count sure mistakes of the network.",
        ("Split", "Labels", "Network is sure", "In doubt"),
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
    look = "Labels in doubt by what they are and what the network suggests."
    if len(order) > _MOST_PAIRS:
        look += f" Shown are the {_MOST_PAIRS} most frequent of {len(order)} pairs."
    return [
        Table(
            f"Most often in doubt: {given} that may be {suggested}, {_count(most, 'labels')}",
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
        title = f"{_count(equal, 'groups')} of equal images and {near:,} of near ones among {images:,} images"
    elif near:
        title = f"No two of {images:,} images are equal; {_count(near, 'groups')} of them are near to one another"
    else:
        title = f"No two of {images:,} images are equal or near to each other"
    look = (
        f"Near are images whose pixels correlate by {found['threshold']:g} or more, as two simple drawings may without "
        "being one."
    )
    if found["num_left_out"]:
        look += f" {found['num_left_out']:,} images were not looked at for near ones."
    rows = [
        ("Groups of equal images", f"{equal:,}"),
        ("Groups of near images", f"{near:,}"),
        ("Groups with two labels", f"{found['num_groups_with_two_labels']:,}"),
        ("Groups across the splits", f"{found['num_groups_across_splits']:,}"),
        ("Test images with a twin", f"{found['num_test_twins']:,}"),
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
        f"{_number(found['num_groups_with_two_labels'])} of {_count(found['num_groups'], 'groups')} with two labels, "
        f"{_number(found['num_groups_across_splits']).lower()} with training and test images"
    )
    look = "The images of a group side by side, first where the labels differ or the splits do."
    if len(cards) < found["num_groups"]:
        look += f" Shown are {len(cards)} of {found['num_groups']:,} groups."
    return [Gallery(title, look, cards, size=270)]


def _card(picture: Picture, split: str, index: int, lines: Iterable[str]) -> Card | None:
    pixels = picture(split, index)
    return None if pixels is None else Card(pixels, list(lines), split, index)


def _number(number: int) -> str:
    return f"{number:,}" if number else "None"


def _count(number: int, plural: str) -> str:
    """Return a number with its noun, as "1 twin" and "2 twins"."""
    return f"{number:,} {plural.removesuffix('s') if number == 1 else plural}"
