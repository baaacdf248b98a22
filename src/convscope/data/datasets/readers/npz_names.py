"""Which arrays of an archive are images and which labels, by the names that people give them.

Names to names. A name is taken apart at its underscores: one part says images or labels, another one the split.
"""

import re
from dataclasses import dataclass

from convscope.data.datasets.data_file import DataFileError

# In the order in which they are preferred: scikit-learn's digits have both `images` and `data`.
IMAGES = ("x", "images", "image", "imgs", "img", "pixels", "data", "features")
LABELS = ("y", "labels", "label", "targets", "target")
SPLITS = {"train": "train", "training": "train", "test": "test", "testing": "test"}
CLASS_NAMES = ("class_names", "label_names", "target_names", "classes", "names")
UNNAMED = ("arr_0", "arr_1")  # as numpy.savez(path, images, labels) calls them


@dataclass(frozen=True)
class ArrayNames:
    """The names of (images, labels) of each split, and of the class names; None for what is not there."""

    train: tuple[str, str] | None
    test: tuple[str, str] | None
    class_names: str | None


def array_names(held: list[str]) -> ArrayNames:
    """Choose the arrays among `held` that are a data set.

    Raises:
        DataFileError: if there is no pair of images and labels, or half of one.
    """
    found: dict[str, dict[str, str]] = {"train": {}, "test": {}, "": {}}
    ranks: dict[tuple[str, str], int] = {}
    for name in held:
        role = _role(name)
        if role is None:
            continue
        split, kind, rank = role
        if rank < ranks.get((split, kind), 99):
            ranks[split, kind] = rank
            found[split][kind] = name
    if not found["train"] and not found["test"]:
        found["train"] = found[""] or (
            dict(zip(("images", "labels"), UNNAMED, strict=True)) if _has_unnamed(held) else {}
        )
    shown = ", ".join(repr(name)[:40] for name in held[:8]) or "nothing"
    for split, needed in (("train", bool(found["train"]) or not found["test"]), ("test", bool(found["test"]))):
        for kind, keras in (("images", "x"), ("labels", "y")):
            if needed and kind not in found[split]:
                raise DataFileError(
                    f"has no array {keras}_{split} (it holds {shown}); save x_train, y_train, x_test and y_test, or "
                    "images and labels"
                )
    train, test = (
        (found[split]["images"], found[split]["labels"]) if found[split] else None for split in ("train", "test")
    )
    names = next((name for name in CLASS_NAMES if name in held), None)
    return ArrayNames(train, test, names)


def _has_unnamed(held: list[str]) -> bool:
    return all(name in held for name in UNNAMED)


def _role(name: str) -> tuple[str, str, int] | None:
    """Return (split, images or labels, rank) of an array, or None if its name says nothing."""
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
