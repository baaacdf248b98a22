"""The data's own faults as a section of the page: labels in doubt and duplicates, with pictures.

    suspect        an image whose label a network doubts that was not trained on it: the label is 4, the network is
                   confident of 9 (`given_label` 4, `suggested_label` 9)
    duplicates     a group of equal or nearly equal images, in one split or in both

The pictures come with the record. It has room for a part of them, so not every image in a list has a card.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from convscope.base.tables import clip
from convscope.data.inspection.duplicates import DuplicatesRecord
from convscope.data.inspection.pictures import PicturesRecord
from convscope.evidence.audit.faults import AuditRecord
from convscope.evidence.audit.label_suspects import LabelSuspectsRecord
from convscope.report.evidence.section import Card, Gallery, Section, Table, heads, topic_section
from convscope.report.findings import between, confidence_text, percent
from convscope.report.pixels import Pixels, image_pixels, tile
from convscope.texts import figure, format_rounded, join_sentences, join_texts, say

_MAX_MEMBERS = 3  # pictures of a group of duplicates
_WIDEST_NAME = 12  # columns of a class's name

Picture = Callable[[str, int], Pixels | None]


def audit_section(value: AuditRecord) -> Section:
    """Make the section of an audit."""
    names = [clip(name, _WIDEST_NAME) for name in value.class_names]
    suspects = value.label_suspects.by_split
    picture = _pictures(value.pictures)
    parts: list[Table | Gallery] = [
        *_accuracy_table(value),
        *(_suspects_gallery(split_suspects, names, picture) for split_suspects in suspects.values()),
        _counts_table(suspects),
        _duplicates_table(value.duplicates),
        *_duplicates_gallery(value.duplicates, names, picture),
    ]
    has_suspects = any(split_suspects.suspects for split_suspects in suspects.values())
    link = ("clean.html", say("evidence.audit.open")) if has_suspects else None
    return topic_section("audit", [part for part in parts if isinstance(part, Table) or part.cards], link=link)


def _pictures(value: PicturesRecord) -> Picture:
    """Make the function that finds the picture of an image; it returns None for images without one."""
    keys = zip(value.splits, value.indices, strict=True)
    pictures = dict(zip(keys, value.images.unpack(), strict=True))

    def picture(split: str, index: int) -> Pixels | None:
        image = pictures.get((split, index))
        return None if image is None else image_pixels(image)

    return picture


def _accuracy_table(value: AuditRecord) -> list[Table]:
    """Make the table of the accuracy with all test images and without the faulty ones, if there are any."""
    whole, *parts = value.accuracies
    if not parts:
        return []
    # How many images each row leaves out.
    left_out = {part.left_out: whole.num_images - part.num_images for part in parts}
    rows = [
        (
            say(f"evidence.audit.without.{part.left_out}", n=left_out[part.left_out])
            if part is not whole
            else say("evidence.ablation.all"),
            f"{part.num_images:,}",
            f"{part.num_correct:,}",
            percent(part.accuracy),
            between(part.interval),
        )
        for part in value.accuracies
    ]
    title = say("evidence.audit.duplicates", duplicates=left_out.get("duplicates", 0), images=whole.num_images)
    meanings = [say(f"evidence.audit.meaning.{name}") for name in left_out]
    look = join_sentences(*meanings, say("evidence.audit.neverLeftOut"))
    header = heads("audit", "testImages", "images", "right", "accuracy", "interval")
    return [Table(title, look, header, rows)]


def _suspects_gallery(suspects: LabelSuspectsRecord, names: Sequence[str], picture: Picture) -> Gallery:
    """Make the gallery of the suspects of a split."""
    split = suspects.split
    cards = []
    for suspect in suspects.suspects:
        lines = [
            f"{names[suspect.given_label]} → {names[suspect.suggested_label]}",
            say("head.confidence", probability=confidence_text(suspect.probability, 2)),
            *([suspect.file] if suspect.file else []),
        ]
        cards.append(_card(picture, split, suspect.index, lines))
    shown = [card for card in cards if card]
    title = say(f"evidence.audit.suspects.{split}", suspects=suspects.num_suspects, labels=suspects.num_images)
    is_part = len(shown) < suspects.num_suspects
    note = say("sentence", text=say("evidence.filters.areShown", n=len(shown))) if is_part else ""
    look = join_sentences(say("evidence.audit.suspectLook"), note)
    return Gallery(title, look, shown)


def _counts_table(suspects: Mapping[str, LabelSuspectsRecord]) -> Table:
    rows = [
        (
            say(f"split.{split}"),
            f"{split_suspects.num_images:,}",
            f"{split_suspects.num_confident:,}",
            f"{split_suspects.num_suspects:,}",
        )
        for split, split_suspects in suspects.items()
    ]
    counts = [
        say(f"evidence.audit.count.{split}", suspects=split_suspects.num_suspects, labels=split_suspects.num_images)
        for split, split_suspects in suspects.items()
    ]
    title = say("evidence.audit.suspect", counts=join_texts(counts, "and"))
    header = heads("audit", "split", "labels", "confident", "suspect")
    return Table(title, say("evidence.audit.confidentLook"), header, rows)


def _duplicates_table(duplicates: DuplicatesRecord) -> Table:
    equal, near = duplicates.num_equal_groups, duplicates.num_groups - duplicates.num_equal_groups
    images = duplicates.num_train + duplicates.num_test
    if equal:
        title = say("evidence.audit.groups.equal", n=equal, near=near, images=images)
    elif near:
        title = say("evidence.audit.groups.near", n=near, images=images)
    else:
        title = say("evidence.audit.groups.none", images=images)
    left_out = duplicates.num_left_out
    look = join_sentences(
        say("evidence.audit.similar", threshold=format_rounded(duplicates.threshold, 6)),
        say("evidence.audit.notSearched", n=left_out) if left_out else "",
    )
    counts = {
        "equal": equal,
        "near": near,
        "labels": duplicates.num_groups_with_two_labels,
        "across": duplicates.num_groups_across_splits,
        "duplicates": duplicates.num_test_duplicates,
    }
    rows = [(say(f"evidence.audit.row.{name}"), f"{count:,}") for name, count in counts.items()]
    return Table(title, look, [*heads("audit", "what"), say("evidence.rejection.head.number")], rows)


def _duplicates_gallery(duplicates: DuplicatesRecord, names: Sequence[str], picture: Picture) -> list[Gallery]:
    """Make the gallery of groups of duplicates: up to three members side by side, their labels and their indices."""
    cards = []
    for group in duplicates.groups:
        members = [(member, picture(member.split, member.index)) for member in group.members]
        shown = [(image, pixels) for image, pixels in members if pixels is not None][:_MAX_MEMBERS]
        # Of members without a picture nothing is shown, and one picture alone shows no duplicate.
        if len(shown) < 2:
            continue
        labels = [clip(names[label], _WIDEST_NAME) for label in dict.fromkeys(member.label for member in group.members)]
        more = group.num_images - len(shown)
        members_shown = join_texts(
            [image.file or say(f"evidence.audit.member.{image.split}", index=str(image.index)) for image, _ in shown]
        )
        lines = [
            join_texts(labels[:_MAX_MEMBERS], "or"),
            say("evidence.audit.andMore", members=members_shown, more=more) if more else members_shown,
            say("evidence.audit.equal")
            if group.is_equal
            else say("evidence.audit.correlation", value=figure(group.correlation, 4)),
        ]
        first = shown[-1][0]  # members are sorted by split, so this is a test image if there is one
        tiled = tile([pixels for _, pixels in shown], columns=len(shown))
        cards.append(Card(tiled, lines, first.split, first.index))
    count, across = duplicates.num_groups, duplicates.num_groups_across_splits
    title = say("evidence.audit.gallery", labels=duplicates.num_groups_with_two_labels, n=count, across=across)
    part = "" if len(cards) == count else say("evidence.audit.groupsShown", shown=len(cards), n=count)
    look = join_sentences(say("evidence.audit.galleryLook"), part)
    return [Gallery(title, look, cards, size=270)]


def _card(picture: Picture, split: str, index: int, lines: Iterable[str]) -> Card | None:
    pixels = picture(split, index)
    return None if pixels is None else Card(pixels, list(lines), split, index)
