"""Read a tree of folders with a folder of pictures for each class: CLASS/picture.png, or train/CLASS/picture.png.

A folder's name is its class's, and deeper folders belong to the class too.
"""

from collections.abc import Iterable

from convscope.base.errors import DatasetError
from convscope.data.datasets.data_file import naming_errors, seal
from convscope.data.datasets.raw_splits import RawSplit, RawSplits, file_name
from convscope.data.datasets.readers.containers import SPLIT_WORDS, Container, suffix_of
from convscope.data.datasets.readers.labels import TextLabels
from convscope.data.datasets.readers.picture_files import read_pictures
from convscope.data.image_files import SUFFIXES

FOLDER_SPLITS = SPLIT_WORDS | {"train_images": "train", "test_images": "test"}
"""The splits by the names of their folders; validation images are left out."""


def is_tree(container: Container, min_classes: int = 2) -> bool:
    """True if the pictures of a folder or archive are in folders of at least `min_classes` classes."""
    splits = _group_by_split(container.names)
    return len({_class_of(name, depth) for depth, names in splits.values() for name in names}) >= min_classes


def read_tree(container: Container, image_size: tuple[int, int] | None) -> RawSplits:
    """Read the data set whose classes are the folders of a container; `is_tree` must be true for it.

    Raises:
        DatasetError: if a folder's name is blank or too long for a class, or a picture is damaged or of another size.
    """
    splits = _group_by_split(container.names)
    names, labels = list[str](), TextLabels()
    num_train = len(splits["train"][1]) if "train" in splits else 0
    for split in ("train", "test"):
        depth, in_split = splits.get(split, (0, []))
        names += in_split
        for folder in dict.fromkeys(_class_of(name, depth) for name in in_split):
            if not folder.strip():
                raise DatasetError(f"{container.path}: the folder name {folder!r} is not a class name; rename it")
        with naming_errors(container.path):
            # Bytes that are not UTF-8 become valid text, as in `read_pictures`.
            classes = (_class_of(name, depth).encode(errors="surrogateescape") for name in in_split)
            labels.extend((name.decode(errors="replace") for name in classes), "picture")
    read = read_pictures(container, names, image_size, file_name(container.path))
    count = int((read.kept < num_train).sum())  # training pictures come first
    numbers = seal(labels.labels[read.kept])
    called = str(container.path)
    train, test = (
        RawSplit(read.images[part], numbers[part], called, called, (read.source,), labels.names, read.files[part])
        if len(numbers[part])
        else None
        for part in (slice(0, count), slice(count, None))
    )
    return RawSplits(train, test)


def _group_by_split(names: Iterable[str]) -> dict[str, tuple[int, list[str]]]:
    """Find for each split the depth of the class's folder in its names, and the names of its pictures.

    cat/1.png  dog/2.png                        {"train": (0, both)}
    data/cat/1.png  data/dog/2.png              {"train": (1, both)}: `data` is only a wrapper
    data/train/cat/1.png  data/test/cat/2.png   {"train": (2, the first), "test": (2, the second)}
    train/1.png  bus/2.png                      {"train": (0, both)}: pictures are in `train` itself, a class
    data/1.png  data/cat/2.png                  {}: `data` cannot be both a class and a wrapper
    """
    pictures = [name for name in names if suffix_of(name) in SUFFIXES]
    depth = 0
    tops = {name.split("/")[0] for name in pictures}  # the folders at this depth
    while len(tops) == 1 and FOLDER_SPLITS.get(next(iter(tops)).lower()) is None:  # a wrapper, or the only class
        if any(name.count("/") < depth + 2 for name in pictures):  # a picture is in the folder itself
            is_only_class = all(name.count("/") == depth + 1 for name in pictures)
            return {"train": (depth, pictures)} if is_only_class else {}
        depth += 1
        tops = {name.split("/")[depth] for name in pictures}
    split_of = {top: split for top in tops if (split := FOLDER_SPLITS.get(top.lower()))}
    inside = [name for name in pictures if name.count("/") > depth]
    in_splits = [name for name in inside if name.split("/")[depth] in split_of]
    if not in_splits or any(name.count("/") == depth + 1 for name in in_splits):
        return {"train": (depth, inside)} if inside else {}
    splits: dict[str, tuple[int, list[str]]] = {}
    for name in in_splits:
        split = split_of[name.split("/")[depth]]
        if split != "validation":
            splits.setdefault(split, (depth + 1, []))[1].append(name)
    return splits


def _class_of(name: str, depth: int) -> str:
    return name.split("/")[depth]
