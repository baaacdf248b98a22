"""Write findings about an inspected data set: short sentences with numbers and a next step, most severe first."""

from collections.abc import Callable, Iterator, Sequence
from statistics import median_low
from typing import Literal, get_args

from convscope.base.records import Count, Record
from convscope.base.tables import clip
from convscope.data.inspection.copies import Copies
from convscope.data.inspection.duplicates import DuplicateGroup, DuplicatesRecord
from convscope.data.inspection.split_facts import InspectedSplits

Severity = Literal["fault", "warning", "note"]

SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""A fault makes figures wrong or training useless, a warning may do so, and a note should be kept in mind."""


class Finding(Record):
    """A fact about a data set, with a next step.

    Attributes:
        severity: see `SEVERITIES`.
        topic: "balance", "duplicates", "blank", "range", "polarity", "channels" or "size".
        text: the fact, with its numbers.
        next_step: advice.
    """

    severity: Severity
    topic: str
    text: str
    next_step: str


class Measurements(Record, kw_only=True):
    """The measurements of a data set."""

    name: str
    class_names: tuple[str, ...]
    image_shape: tuple[Count, Count, Count]
    splits: InspectedSplits
    copies: Copies


_NARROW_RANGE = 128  # a brightest pixel below this leaves half of the range unused
_MIXED = 0.005  # share of images with the opposite polarity that is worth a warning
_RARE = 0.001  # share of test images that are similar to training images; any set has about as many simple drawings
_NAMED = 3  # images or classes that a sentence names
_UNEVEN = 10  # largest to smallest class: from this ratio on, networks easily give up rare classes
_FEW = 20  # training images of a class
# Typical training images of a class below which accuracy stays low, and the same for data with many classes.
_SPARSE, _SPARSE_OF_MANY, _MANY_CLASSES = 30, 100, 100
# Accuracies of `cnn` with the recipes classic and thorough, from benchmarks/README.md, "Own pictures".
_REACHED = {"100 symbols with 30 images each": (70, 88), "10 digits with 30 images each": (78, 92)}


def find(value: Measurements) -> tuple[Finding, ...]:
    """Write the findings of an inspection: first faults, then warnings, then notes."""
    checks = (_duplicates, _polarity, _range, _missing_classes, _blank, _imbalance, _sparse, _channels)
    findings = [finding for check in checks for finding in check(value)]
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def _duplicates(value: Measurements) -> Iterator[Finding]:
    copies, test = value.copies, value.splits.test.num_images
    if copies.num_conflicts:
        yield Finding(
            "fault",
            "duplicates",
            f"{_count(copies.num_conflicts, 'image')} {'occurs' if copies.num_conflicts == 1 else 'occur'} more than "
            f"once, with different labels{_files_of(copies.duplicates, lambda group: group.has_two_labels)}.",
            "Look at them, keep the correct label and remove the rest.",
        )
    if copies.num_leaked:
        otherwise = f", {copies.num_leaked_otherwise:,} of them with a different label" * bool(
            copies.num_leaked_otherwise
        )
        yield Finding(
            "fault",
            "duplicates",
            f"{copies.num_leaked:,} of {test:,} test images ({_percent(copies.num_leaked / test)}) are identical to a "
            f"training image{otherwise}"
            f"{_files_of(copies.duplicates, lambda group: group.is_across_splits and group.is_equal)}.",
            "Remove them from the training images: the test should measure generalisation, not memory.",
        )
    if copies.num_near_leaked:
        yield Finding(
            "warning" if copies.num_near_leaked > _RARE * test else "note",
            "duplicates",
            f"{_count(copies.num_near_leaked, 'more test image' if copies.num_leaked else 'test image')} of {test:,} "
            f"{'is' if copies.num_near_leaked == 1 else 'are'} similar to a training image (correlation of at least "
            f"{copies.duplicates.threshold:g})"
            f"{_files_of(copies.duplicates, lambda group: group.is_across_splits and not group.is_equal)}.",
            "Look at the pairs: simple drawings can be similar without being copies.",
        )
    if any(copies.num_extra):
        in_train, in_test = copies.num_extra
        yield Finding(
            "warning" if in_train + in_test > 0.01 * (value.splits.train.num_images + test) else "note",
            "duplicates",
            f"{in_train:,} training and {in_test:,} test images are identical to an earlier image of their split"
            f"{_files_of(copies.duplicates, lambda group: group.is_equal and not group.is_across_splits)}.",
            "Remove the copies, or keep in mind that these images count several times.",
        )
    if copies.duplicates.num_left_out:
        yield Finding(
            "note",
            "duplicates",
            f"{copies.duplicates.num_compared:,} of {value.splits.train.num_images + test:,} images were compared with "
            "each other.",
            "The numbers of similar images are lower bounds.",
        )


def _polarity(value: Measurements) -> Iterator[Finding]:
    train, test = value.splits.train, value.splits.test
    if train.polarity != test.polarity and "uneven background" not in (train.polarity, test.polarity):
        yield Finding(
            "fault",
            "polarity",
            f"Training images have {train.polarity}, test images {test.polarity}.",
            "Invert one of them: 255 - images.",
        )
        return
    for name, split in (("training", train), ("test", test)):
        if split.polarity == "uneven background":
            continue
        is_ground_dark = split.polarity == "light ink on dark"
        opposite = split.num_light_ground if is_ground_dark else split.num_images - split.num_light_ground
        if opposite > _MIXED * split.num_images:
            yield Finding(
                "warning",
                "polarity",
                f"{opposite:,} of {split.num_images:,} {name} images ({_percent(opposite / split.num_images)}) have "
                f"the opposite polarity; most are {split.polarity}.",
                "Look at them and invert them if needed: 255 - images.",
            )


def _range(value: Measurements) -> Iterator[Finding]:
    train, test = value.splits.train.pixels, value.splits.test.pixels
    low, high = min(train.low, test.low), max(train.high, test.high)
    if high == low:
        yield Finding(
            "fault",
            "range",
            f"All pixels of both splits are {low}.",
            "Check how the file was written: it contains no information.",
        )
    elif high < _NARROW_RANGE and value.splits.train.polarity != "dark ink on light":
        yield Finding(
            "fault" if high <= 16 else "warning",
            "range",
            f"Pixels range from {low} to {high} only; networks here expect 0 to 255.",
            f"Scale them when you write the file: images * {255 / high:.4g}."
            if high <= 16
            else "Check the exposure, and whether the file was scaled by mistake.",
        )
    if train.high != test.high and min(train.high, test.high) * 2 <= max(train.high, test.high):
        yield Finding(
            "fault",
            "range",
            f"The training pixels have a maximum of {train.high}, the test pixels of {test.high}.",
            "Use the same scale for both splits.",
        )


def _blank(value: Measurements) -> Iterator[Finding]:
    for name, split in (("training", value.splits.train), ("test", value.splits.test)):
        if num_blank := split.num_blank:
            first = ", ".join(split.blank_files[:_NAMED]) or "index " + ", ".join(map(str, split.blank[:_NAMED]))
            more = ", ..." if num_blank > _NAMED else ""
            yield Finding(
                "warning",
                "blank",
                f"{_count(num_blank, f'{name} image')} of {split.num_images:,} {'is' if num_blank == 1 else 'are'} "
                f"blank: {first}{more}.",
                "Remove them: they show no class.",
            )


def _channels(value: Measurements) -> Iterator[Finding]:
    train, test = value.splits.train, value.splits.test
    if value.image_shape[2] >= 3 and train.num_grey == train.num_images and test.num_grey == test.num_images:
        yield Finding(
            "warning",
            "channels",
            "The colour channels of all images are equal: the images are grey, stored as colour.",
            "Keep one channel, images[..., :1]: the same result with a third of the data.",
        )


def _missing_classes(value: Measurements) -> Iterator[Finding]:
    train, test = set(value.splits.train.balance.missing), set(value.splits.test.balance.missing)
    untrained = "Split the data again, stratified: a network cannot learn classes without training images."
    untested = "Split the data again, stratified: classes without test images cannot be measured."
    for labels, severity, text, next_step in (
        (train - test, "fault", "{} in the test images, but in no training image", untrained),
        (test - train, "warning", "{} in the training images, but in no test image", untested),
        (train & test, "note", "{} in no image at all", "Remove these classes, unless the labels are shifted by one."),
    ):
        if labels:
            classes = f"{_count(len(labels), 'class', 'classes')} ({_names_of(value.class_names, sorted(labels))})"
            yield Finding(
                severity,  # type: ignore[arg-type]
                "balance",
                text.format(f"{classes} {'is' if len(labels) == 1 else 'are'}") + ".",
                next_step,
            )


def _imbalance(value: Measurements) -> Iterator[Finding]:
    balance, names = value.splits.train.balance, value.class_names
    if balance.ratio >= _UNEVEN:
        yield Finding(
            "warning",
            "balance",
            f"{clip(names[balance.largest], 24)} has {balance.largest_count:,} training images and "
            f"{clip(names[balance.smallest], 24)} has {balance.smallest_count:,}: {balance.ratio:,.0f} to 1.",
            "Use class weights, and report balanced accuracy and macro F1 besides accuracy.",
        )
    if balance.smallest_count < _FEW:  # the smallest class with any image; `_missing_classes` names the others
        few = sum(0 < number < _FEW for number in value.splits.train.class_counts)
        yield Finding(
            "warning",
            "size",
            f"{_count(few, 'class has', 'classes have')} fewer than {_FEW} training images; "
            f"{clip(names[balance.smallest], 24)} has {balance.smallest_count}.",
            "Collect more images, merge classes, or fine-tune a model of a larger data set.",
        )


def _sparse(value: Measurements) -> Iterator[Finding]:
    counts = [count for count in value.splits.train.class_counts if count]
    typical = int(median_low(counts))
    has_many = len(counts) >= _MANY_CLASSES
    if typical < _SPARSE or (has_many and typical < _SPARSE_OF_MANY):
        example = list(_REACHED)[0 if has_many else 1]
        default, thorough = _REACHED[example]
        yield Finding(
            "warning",
            "size",
            f"{len(counts):,} classes have only {_count(typical, 'training image')} each (median). For comparison, on "
            f"{example} the default recipe reached {default} % accuracy, and thorough {thorough} %.",
            "Train with --recipe thorough, collect more images, or start from a trained network with --from.",
        )


def _files_of(duplicates: DuplicatesRecord, condition: Callable[[DuplicateGroup], bool]) -> str:
    """Name two files of the first group with this condition, if images have files of their own."""
    files = [m.file for group in duplicates.groups if condition(group) for m in group.members if m.file]
    return f", such as {' and '.join(files[:2])}" if files else ""


def _percent(share: float) -> str:
    """Format a fraction in percent with a decimal, or below 0.1 % with two significant digits."""
    return f"{100 * share:.1f} %" if share >= 0.001 or share == 0 else f"{100 * share:.2g} %"


def _count(number: int, singular: str, several: str | None = None) -> str:
    """Format a number with its noun, as "1 class" and "2 classes"."""
    return f"{number:,} {singular if number == 1 else several or singular + 's'}"


def _names_of(class_names: Sequence[str], labels: Sequence[int]) -> str:
    """Format the names of the first three classes, clipped."""
    named = ", ".join(clip(class_names[label], 24) for label in labels[:_NAMED])
    return named + (", ..." if len(labels) > _NAMED else "")
