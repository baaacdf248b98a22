"""What of an inspection needs a person's eye: short sentences with numbers and a next step, the gravest first.

Values of an inspection to `Finding`s; nothing is measured here.
"""

from collections.abc import Iterator

from convscope.base.tables import clip
from convscope.data.inspection.finding import SEVERITIES, Finding, Measurements, count, percent
from convscope.data.inspection.findings_of_counts import imbalance, missing, size
from convscope.data.inspection.orientation import AS_THEY_ARE, TRAINING_IMAGES, UNKNOWN, Orientation
from convscope.data.inspection.shift import LEVEL, SMALL_EFFECT

_NARROW_RANGE = 128  # a brightest pixel below this leaves half of the range unused
_SHARES_APART = 0.05  # total variation distance
_MIXED = 0.005  # share of images on the other ground
_RARE = 0.001  # share of the test images: so many ones and dashes are alike in any set
_NAMED = 3  # images that a sentence names


def find(value: Measurements) -> tuple[Finding, ...]:
    """Return the findings of an inspection, faults before warnings before notes."""
    parts = (_duplicates, _orientation, _polarity, _range, missing, _blank, imbalance, _shift, _channels, size)
    found = [finding for part in parts for finding in part(value)]
    return tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity)))


def _duplicates(value: Measurements) -> Iterator[Finding]:
    copies, test = value.copies, value.test.num_images
    if copies.num_conflicts:
        yield Finding(
            "fault",
            "duplicates",
            f"{count(copies.num_conflicts, 'image')} {_stand(copies.num_conflicts)} in the data more than once with "
            "different labels.",
            "Look at them, keep the correct label and remove the rest.",
        )
    if copies.num_leaked:
        otherwise = f", {copies.num_leaked_otherwise:,} of them with a different label" * bool(
            copies.num_leaked_otherwise
        )
        yield Finding(
            "fault",
            "duplicates",
            f"{copies.num_leaked:,} of {test:,} test images ({percent(copies.num_leaked / test)}) are identical to a "
            f"training image{otherwise}.",
            "Remove them from the training images: the test should measure generalisation, not memory.",
        )
    if copies.num_near_leaked:
        yield Finding(
            "warning" if copies.num_near_leaked > _RARE * test else "note",
            "duplicates",
            f"{count(copies.num_near_leaked, 'more test image' if copies.num_leaked else 'test image')} of {test:,} "
            f"{'is' if copies.num_near_leaked == 1 else 'are'} similar to a training image (correlation of at least "
            f"{copies.duplicates.threshold:g}).",
            "Look at the pairs: simple drawings can be similar without being copies.",
        )
    if any(copies.num_extra):
        train, in_test = copies.num_extra
        yield Finding(
            "warning" if train + in_test > 0.01 * (value.train.num_images + test) else "note",
            "duplicates",
            f"{train:,} training and {in_test:,} test images are identical to an earlier image of their split.",
            "Remove the copies, or keep in mind that these images count several times.",
        )
    if copies.duplicates.num_left_out:
        searched = sum(copies.num_searched)
        yield Finding(
            "note",
            "duplicates",
            f"{searched:,} images were searched for identical images and {copies.duplicates.num_compared:,} for "
            f"similar ones, of {value.train.num_images + test:,}.",
            "The numbers of duplicates are lower bounds.",
        )


def _orientation(value: Measurements) -> Iterator[Finding]:
    told = False
    for one in value.orientations:
        told = told or (one.verdict != UNKNOWN and one.reference != TRAINING_IMAGES)
        if one.verdict in (AS_THEY_ARE, UNKNOWN):
            continue
        between = one.reference == TRAINING_IMAGES
        subject = (
            "The test images have another orientation than the training images"
            if between
            else (f"The {'training' if one.split == 'train' else 'test'} images are probably not upright")
        )
        yield Finding("fault", "orientation", f"{subject}: {_readings(one)}.", _turn(one.verdict, one.split))
    if not told:
        is_named = any(one.reference != TRAINING_IMAGES for one in value.orientations)
        reason = (
            "they do not look like their class names."
            if is_named
            else "the upright form of the classes is only known for digits and letters."
        )
        yield Finding(
            "note",
            "orientation",
            f"The orientation of the images (transposed, mirrored or rotated) cannot be determined: {reason}",
            "Look at the first images of each class.",
        )


def _readings(one: Orientation) -> str:
    best, first = one.best, one.as_they_are
    return (
        f"{one.verdict}, {percent(best.accuracy)} of {one.num_images} are closest to {one.reference} of their class, "
        f"as stored {percent(first.accuracy)}"
    )


def _turn(verdict: str, split: str) -> str:
    if verdict == "transposed":
        return f"Swap rows and columns of the {split} images: images.swapaxes(1, 2)."
    return f"Look at them; the {split} images match best {verdict} (rotations are counterclockwise)."


def _polarity(value: Measurements) -> Iterator[Finding]:
    train, test = value.train, value.test
    if train.polarity != test.polarity and "uneven background" not in (train.polarity, test.polarity):
        yield Finding(
            "fault",
            "polarity",
            f"Training images have {train.polarity}, test images {test.polarity}.",
            "Invert one of them: 255 - images.",
        )
        return
    for half in (train, test):
        if half.polarity == "uneven background":
            continue
        other = (
            half.num_light_ground if half.polarity == "light ink on dark" else half.num_images - half.num_light_ground
        )
        if other > _MIXED * half.num_images:
            yield Finding(
                "warning",
                "polarity",
                f"{other:,} of {half.num_images:,} {half.name} images ({percent(other / half.num_images)}) have the "
                f"opposite polarity; most are {half.polarity}.",
                "Look at them and invert them if needed: 255 - images.",
            )


def _range(value: Measurements) -> Iterator[Finding]:
    train, test = value.train, value.test
    low, high = min(train.low, test.low), max(train.high, test.high)
    if high == low:
        yield Finding(
            "fault",
            "range",
            f"All pixels of both splits are {low}.",
            "Check how the file was written: it contains no information.",
        )
    elif high < _NARROW_RANGE and train.polarity != "dark ink on light":
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
    if len(set(train.values)) == 2 and high > low:
        yield Finding(
            "note",
            "range",
            f"Training pixels have only two values, {train.values[0]} and {train.values[1]}.",
            "Convert photos to two values before you classify them: photos have intermediate shades.",
        )


def _blank(value: Measurements) -> Iterator[Finding]:
    for half in (value.train, value.test):
        if number := len(half.blank):
            first = ", ".join(str(index) for index in half.blank[:_NAMED].tolist())
            more = ", ..." if number > _NAMED else ""
            yield Finding(
                "warning",
                "blank",
                f"{count(number, f'{half.name} image')} of {half.num_images:,} {'is' if number == 1 else 'are'} blank: "
                f"index {first}{more}.",
                "Remove them: they show no class.",
            )


def _shift(value: Measurements) -> Iterator[Finding]:
    shift = value.shift
    if shift.relevant:
        strongest = shift.relevant[0]
        strength = "without variation" if strongest.effect is None else f"d = {strongest.effect:+.2f}"
        yield Finding(
            "warning",
            "shift",
            f"The brightness of {count(len(shift.relevant), 'class', 'classes')} differs between the splits, most for "
            f"{clip(value.class_names[strongest.label], 24)}: {strongest.train_mean:.1f} in training, "
            f"{strongest.test_mean:.1f} in test ({strength}).",
            "Find out how the splits were made: splits made the same way would not differ like this.",
        )
    elif small := sum(one.p_value < LEVEL for one in shift.brightness):
        yield Finding(
            "note",
            "shift",
            f"The brightness of {count(small, 'class', 'classes')} differs between the splits, but by less than "
            f"{SMALL_EFFECT:g} standard deviations.",
            "The splits may come from slightly different writers or cameras; the effect is small.",
        )
    if shift.shares_p_value < 0.001 and shift.shares_distance >= _SHARES_APART:
        yield Finding(
            "warning",
            "shift",
            "The class shares of the test images differ from those of the training images by "
            f"{percent(shift.shares_distance)} (total variation distance).",
            "Split the data again, stratified, or use balanced accuracy.",
        )


def _channels(value: Measurements) -> Iterator[Finding]:
    train, test = value.train, value.test
    if value.image_shape[2] >= 3 and train.num_grey == train.num_images and test.num_grey == test.num_images:
        yield Finding(
            "warning",
            "channels",
            "The colour channels of all images are equal: the images are grey, stored as colour.",
            "Keep one channel, images[..., :1]: the same result with a third of the data.",
        )
    elif grey := train.num_grey + test.num_grey:
        yield Finding(
            "note",
            "channels",
            f"{grey:,} of {train.num_images + test.num_images:,} images are grey, the others in colour.",
            "Check whether a class can be recognised by its colour alone.",
        )


def _stand(number: int) -> str:
    return "stands" if number == 1 else "stand"
