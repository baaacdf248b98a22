"""Read a folder tree with a folder of pictures for each class.

A place's names to a data set: CLASS/picture.png, or train/CLASS/picture.png with test/CLASS/picture.png. A folder's
name is its class's, and what lies deeper in it belongs to it too.
"""

from collections.abc import Iterable

from convscope.base.errors import DatasetError
from convscope.data.datasets.data_file import refusals_of, sealed
from convscope.data.datasets.halves import Half, Parts, file_name
from convscope.data.datasets.readers.labels import TextLabels
from convscope.data.datasets.readers.picture_files import read_pictures
from convscope.data.datasets.readers.places import FilePlace, suffix_of
from convscope.data.datasets.records import SourceFile
from convscope.data.image_files import SUFFIXES

# Folders that are splits; those of validation are left out, as they are in archives.
SPLITS = {
    "train": "train",
    "training": "train",
    "train_images": "train",
    "test": "test",
    "testing": "test",
    "test_images": "test",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
}


def is_tree(source: FilePlace, least: int = 2) -> bool:
    """Return whether the pictures of a place lie in folders, of at least so many classes."""
    splits = _by_split(source.names)
    return len({_class_of(name, depth) for depth, names in splits.values() for name in names}) >= least


def read_tree(place: FilePlace, image_size: tuple[int, int] | None) -> Parts:
    """Return the data set whose classes are the folders of a place for which `is_tree` holds.

    Raises:
        DatasetError: if there is no picture for training or tests, a folder's name is blank or too long for a class, or
            a picture is damaged or of another size.
    """
    splits = _by_split(place.names)
    if not splits.keys() & {"train", "test"}:
        raise DatasetError(
            f"{place.path}: has no folder train besides {', '.join(splits)}; add it, or name one of them"
        )
    names = [name for split in ("train", "test") for name in splits.get(split, (0, []))[1]]
    labels = TextLabels()
    for split in ("train", "test"):
        depth, held = splits.get(split, (0, []))
        for folder in {_class_of(name, depth): None for name in held}:
            if not folder.strip():
                raise DatasetError(f"{place.path}: the folder name {folder!r} is not a class name; rename it")
        with refusals_of(place.path):
            labels.extend((file_text(_class_of(name, depth)) for name in held), "picture")
    with place.opened() as content_of:
        images, kept, sha256 = read_pictures(names, content_of, place.called, image_size, place.skip_damaged)
    source = (SourceFile(file_name(place.path), sha256, len(names) - len(kept)),)
    count = int((kept < len(splits.get("train", (0, []))[1])).sum())
    numbers = sealed(labels.labels[kept])
    called = str(place.path)
    train, test = (
        Half(images[part], numbers[part], called, called, source, labels.names) if len(numbers[part]) else None
        for part in (slice(0, count), slice(count, None))
    )
    return Parts(train, test)


def picture_names(names: Iterable[str]) -> list[str]:
    """Return those names that are of pictures."""
    return [name for name in names if suffix_of(name) in SUFFIXES]


def file_text(name: str) -> str:
    """Return a file's or folder's name as text that can be written anywhere, whatever bytes the system has for it."""
    return name.encode(errors="surrogateescape").decode(errors="replace")


def _by_split(names: Iterable[str]) -> dict[str, tuple[int, list[str]]]:
    """Return for each split the place of the class in its names, and the names of its pictures."""
    pictures = picture_names(names)
    depth = 0
    tops = {name.split("/")[0] for name in pictures}
    # A folder that holds all others is only a wrapper.
    while len(tops) == 1 and SPLITS.get(next(iter(tops)).lower()) is None:
        if any(name.count("/") < depth + 2 for name in pictures):
            alone = all(name.count("/") == depth + 1 for name in pictures)  # it is the only class
            return {"train": (depth, pictures)} if alone else {}
        depth += 1
        tops = {name.split("/")[depth] for name in pictures}
    kinds = {top: kind for top in tops if (kind := SPLITS.get(top.lower()))}
    inside = [name for name in pictures if name.count("/") > depth]
    in_splits = [name for name in inside if name.split("/")[depth] in kinds]
    # Pictures that lie in `train` itself are of trains.
    if not in_splits or any(name.count("/") == depth + 1 for name in in_splits):
        return {"train": (depth, inside)} if inside else {}
    splits: dict[str, tuple[int, list[str]]] = {}
    for name in in_splits:
        kind = kinds[name.split("/")[depth]]
        if kind != "validation":
            splits.setdefault(kind, (depth + 1, []))[1].append(name)
    return splits


def _class_of(name: str, depth: int) -> str:
    return name.split("/")[depth]
