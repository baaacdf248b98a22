"""Choose the arrays of an archive that are images and labels, by their names.

A name is split at its underscores: one part tells images or labels, another one the split, as in `x_train`:

    x_train y_train x_test y_test          two splits
    images labels, or data target          no split is named: all of it is for training
    x_train y_train x y                    the split that is named; x and y are not used
"""

import re
from dataclasses import dataclass

from convscope.data.datasets.data_file import DataFileError

# In the order in which they are preferred: scikit-learn's digits have both `images` and `data`.
IMAGES = ("x", "images", "image", "imgs", "img", "pixels", "data", "features")
LABELS = ("y", "labels", "label", "targets", "target")
SPLITS = {"train": "train", "training": "train", "test": "test", "testing": "test"}
CLASS_NAMES = ("class_names", "label_names", "target_names", "classes", "names")
UNNAMED = ("arr_0", "arr_1")  # the names that numpy.savez(path, images, labels) gives to arrays without names


@dataclass(frozen=True)
class ArrayNames:
    """The names of the arrays (images, labels) of each split, and of the class names; None for a missing array."""

    train: tuple[str, str] | None
    test: tuple[str, str] | None
    class_names: str | None


def choose_arrays(present: list[str]) -> ArrayNames:
    """Choose the arrays of a data set among those that are `present`.

    Raises:
        DataFileError: if there is no pair of images and labels, or half of one.
    """
    chosen: dict[str, dict[str, str]] = {"train": {}, "test": {}, "": {}}  # by split, "" if none is named, and kind
    ranks: dict[tuple[str, str], int] = {}  # of the arrays chosen so far, by (split, kind)
    for name in present:
        role = _find_role(name)
        if role is None:
            continue
        split, kind, rank = role
        if rank < ranks.get((split, kind), 99):  # 99 is above any rank
            ranks[split, kind] = rank
            chosen[split][kind] = name
    if not chosen["train"] and not chosen["test"]:
        is_unnamed = all(name in present for name in UNNAMED)
        chosen["train"] = chosen[""] or (dict(zip(("images", "labels"), UNNAMED, strict=True)) if is_unnamed else {})
    shown = ", ".join(repr(name)[:40] for name in present[:8]) or "nothing"
    for split in ("train", "test"):
        is_needed = bool(chosen[split]) or (split == "train" and not chosen["test"])
        for kind, keras in (("images", "x"), ("labels", "y")):
            if is_needed and kind not in chosen[split]:
                raise DataFileError(
                    f"has no array {keras}_{split} (it holds {shown}); save x_train, y_train, x_test and y_test, or "
                    "images and labels"
                )
    train, test = (
        (chosen[split]["images"], chosen[split]["labels"]) if chosen[split] else None for split in ("train", "test")
    )
    names = next((name for name in CLASS_NAMES if name in present), None)
    return ArrayNames(train, test, names)


def _find_role(name: str) -> tuple[str, str, int] | None:
    """Find (split, images or labels, rank) of an array; None if its name does not tell.

    The rank is the word's index in `IMAGES` or `LABELS`: "Train_data" gives ("train", "images", 6).
    """
    parts = re.split(r"[_.\- ]+", name.lower())
    splits = [SPLITS[part] for part in parts if part in SPLITS]
    rest = [part for part in parts if part not in SPLITS]
    if len(rest) != 1 or len(splits) > 1:
        return None
    split = splits[0] if splits else ""
    for kind, words in (("images", IMAGES), ("labels", LABELS)):
        if rest[0] in words:
            return split, kind, words.index(rest[0])
    return None
