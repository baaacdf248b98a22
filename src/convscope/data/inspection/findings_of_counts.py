"""What the numbers of images alone give reason to say: classes without images, imbalance, and too few images."""

from collections.abc import Iterator

from convscope.base.tables import clip
from convscope.data.inspection.finding import Finding, Measurements, count, names_of, percent

_UNEVEN = 10  # images of the largest class for one of the smallest: from there on rare classes are easily given up
_NOTED = 1.5  # the same, from where it is worth a word
_WIDE, _NOTABLE, _WIDE_OF_CLASS = 0.1, 0.02, 0.2  # width of the interval of an accuracy, and of a recall
_FEW = 20  # training images of a class


def missing(value: Measurements) -> Iterator[Finding]:
    """Yield what is to be said of classes that one or both splits have no image of."""
    train, test = set(value.splits.train.balance.missing), set(value.splits.test.balance.missing)
    for labels, severity, text, next_step in (
        (
            train - test,
            "fault",
            "{} in the test images, but in no training image",
            "Split the data again, stratified: a network cannot learn classes without training images.",
        ),
        (
            test - train,
            "warning",
            "{} in the training images, but in no test image",
            "Split the data again, stratified: classes without test images cannot be measured.",
        ),
        (train & test, "note", "{} in no image at all", "Remove these classes, unless the labels are shifted by one."),
    ):
        if labels:
            many = f"{count(len(labels), 'class', 'classes')} ({names_of(value.class_names, sorted(labels))})"
            yield Finding(
                severity,  # type: ignore[arg-type]
                "balance",
                text.format(f"{many} {'is' if len(labels) == 1 else 'are'}") + ".",
                next_step,
            )


def imbalance(value: Measurements) -> Iterator[Finding]:
    """Yield what is to be said of how unevenly the training images are spread, and of classes with few."""
    found, names = value.splits.train.balance, value.class_names
    guess = value.guessing
    if found.ratio >= _UNEVEN:
        yield Finding(
            "warning",
            "balance",
            f"{clip(names[found.largest], 24)} has {found.largest_count:,} training images and "
            f"{clip(names[found.smallest], 24)} has {found.smallest_count:,}: {found.ratio:,.0f} to 1. Always "
            f"answering {clip(names[guess.majority], 24)} is correct for {percent(guess.majority_accuracy)} of the "
            "test images.",
            "Use class weights, and report balanced accuracy and macro F1 besides accuracy.",
        )
    elif found.ratio >= _NOTED:
        yield Finding(
            "note",
            "balance",
            f"The largest class has {found.ratio:.1f} times as many training images as the smallest; always answering "
            f"{clip(names[guess.majority], 24)} is correct for {percent(guess.majority_accuracy)} of the test images.",
            "Compare the accuracy of a network with this figure.",
        )
    if found.smallest_count < _FEW:
        few = sum(0 < number < _FEW for number in value.splits.train.class_counts)
        yield Finding(
            "warning",
            "size",
            f"{count(few, 'class has', 'classes have')} fewer than {_FEW} training images; "
            f"{clip(names[found.smallest], 24)} has {found.smallest_count}.",
            "Collect more images, merge classes, or fine-tune a model of a larger data set.",
        )


def size(value: Measurements) -> Iterator[Finding]:
    """Yield what the number of test images cannot tell."""
    found, (low, high) = value.resolution, value.resolution.interval
    tells = (
        f"With {found.num_images:,} test images, a measured {percent(found.num_correct / found.num_images)} could "
        f"truly be {percent(low)} to {percent(high)} (95 % Wilson interval)"
    )
    if found.width > _WIDE:
        apart = next(((a, b) for a, b in ((0.8, 0.95), (0.85, 0.95), (0.88, 0.92)) if low <= a and b <= high), None)
        cannot = f". They cannot distinguish {apart[0] * 100:.0f} % from {apart[1] * 100:.0f} %" if apart else ""
        text = f"The test set is small. {tells}{cannot}."
        next_step = "Use cross-validation over all images or collect more: this test set cannot rank models."
        yield Finding("warning", "size", text, next_step)
    elif found.width > _NOTABLE:
        next_step = "Treat smaller differences between models as chance, or compare the models image by image."
        yield Finding("note", "size", f"{tells}.", next_step)
    few = value.class_resolution
    if few is not None and few.width > _WIDE_OF_CLASS and found.width <= _WIDE:
        yield Finding(
            "note",
            "size",
            f"The smallest class has {count(few.num_images, 'test image')}: a measured "
            f"{percent(few.num_correct / max(few.num_images, 1))} could truly be {percent(few.interval[0])} to "
            f"{percent(few.interval[1])}.",
            "Do not rank classes by their recall.",
        )
