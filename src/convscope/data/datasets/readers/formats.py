"""Choose the reader for a path: a file by its first bytes, a folder or zip archive by the names in it."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from convscope.base.errors import DatasetError
from convscope.data.datasets.data_file import Images, compute_sha256, naming_errors, open_data_file
from convscope.data.datasets.disk.files import file_sha256, open_npy, open_npz_member
from convscope.data.datasets.raw_splits import RawSplit, RawSplits, file_name
from convscope.data.datasets.readers import npz
from convscope.data.datasets.readers.containers import Container, PictureConverter, list_archive, list_folder, suffix_of
from convscope.data.datasets.readers.csv_files import CSV_SUFFIXES, read_csv, read_csv_file
from convscope.data.datasets.readers.idx_files import find_idx, is_idx_name, read_idx_files
from convscope.data.datasets.readers.npz_names import choose_arrays
from convscope.data.datasets.readers.parquet import read_parquet
from convscope.data.datasets.readers.rows import row_shape
from convscope.data.datasets.readers.tree import is_tree, read_tree
from convscope.data.datasets.readers.unpack import ZIP_MAGIC
from convscope.data.datasets.records import SourceFile

PARQUET_MAGIC, NPY_MAGIC = b"PAR1", b"\x93NUMPY"
READABLE = (
    "four IDX files, an .npz archive, .npy arrays, CSV or Parquet files, a table of file names and labels, or a folder "
    "of pictures for each class"
)

# By the first word of a file's or folder's name. Files of "other" splits are not read.
_PARQUET_SPLITS = {"train": "train", "training": "train", "test": "test", "testing": "test"} | dict.fromkeys(
    ("validation", "valid", "val", "unlabeled", "extra"), "other"
)

Size = tuple[int, int] | None


def read_folder(
    folder: Path, image_size: Size, *, skip_damaged: bool = False, converter: PictureConverter | None = None
) -> RawSplits:
    """Read the data set in a folder; raises `DatasetError` if there is none, and the errors of its reader."""
    container = replace(list_folder(folder), skip_damaged=skip_damaged, converter=converter)
    top = [name for name in container.names if "/" not in name]
    # From the clearest signs to the weakest: a folder of arrays or tables may also have pictures, such as plots.
    if find_idx(container.names):
        return read_idx_files(container)
    if parquets := [name for name in container.names if name.lower().endswith((".parquet", ".pq"))]:
        return _read_parquets(folder, parquets, image_size)
    if arrays := [name for name in top if suffix_of(name) == ".npy"]:
        return _read_arrays(folder, arrays, image_size)
    if content := _read_tables_or_tree(container, image_size):
        return content
    if len(archives := [name for name in top if name.lower().endswith(".npz")]) == 1:
        return _read_npz(folder / archives[0], image_size)
    if is_tree(container, min_classes=1):  # reading it raises the error that says what the tree lacks
        return read_tree(container, image_size)
    raise DatasetError(f"{folder}: holds no known data set; it may hold {READABLE}")


def read_file(
    path: Path, image_size: Size, *, skip_damaged: bool = False, converter: PictureConverter | None = None
) -> RawSplits:
    """Read the data set in a file, or the one of which the file is a part; raises the errors of its reader."""
    with open_data_file(path) as file:
        start = file.read(len(NPY_MAGIC))
    if is_idx_name(path.name):  # packed or not, and read with the other files of its set
        return read_idx_files(_beside(path), only=path.name)
    if start.startswith(ZIP_MAGIC):
        return _read_zip(path, image_size, skip_damaged, converter)
    if path.suffix.lower() == ".npz":  # no zip archive: reading it raises the error that says so
        return _read_npz(path, image_size)
    if start.startswith(PARQUET_MAGIC):
        return _read_parquets(path.parent, [path.name], image_size)
    if start == NPY_MAGIC:
        raise DatasetError(f"{path}: is a single array; name a folder with x_train.npy and y_train.npy")
    # IDX begins with two zero bytes and the type 8, unsigned bytes.
    if start[:3] == b"\0\0\x08":
        raise DatasetError(
            f"{path}: is an IDX file, but its name does not say what it holds; rename it to train-images-idx3-ubyte "
            "and its labels to train-labels-idx1-ubyte, or name a folder with four IDX files"
        )
    # Text has no magic bytes, so it comes last.
    return read_csv_file(path, image_size, skip_damaged=skip_damaged, converter=converter)


def _read_zip(path: Path, image_size: Size, skip_damaged: bool, converter: PictureConverter | None) -> RawSplits:
    """Read the data set in a zip archive, which may be an `.npz`, a compressed table, or a folder that was packed."""
    container = replace(list_archive(path), skip_damaged=skip_damaged, converter=converter)
    if any(name.endswith(".npy") for name in container.names) or path.suffix.lower() == ".npz":
        return _read_npz(path, image_size)
    if len(container.names) == 1:
        return read_csv_file(path, image_size, skip_damaged=skip_damaged)
    if find_idx(container.names):
        return read_idx_files(container)
    if content := _read_tables_or_tree(container, image_size):
        return content
    if is_tree(container, min_classes=1):  # reading it raises the error that says what the tree lacks
        return read_tree(container, image_size)
    raise DatasetError(f"{path}: is not a known data set; unpack it, or give {READABLE}")


def _read_tables_or_tree(container: Container, image_size: Size) -> RawSplits | None:
    """Read the tables nearest to the top, or else a tree of at least two classes; None if there is neither.

    A table without images is an error only if there is no tree to read instead.
    """
    tables = [name for name in container.names if suffix_of(name) in CSV_SUFFIXES]
    nearest = min((name.count("/") for name in tables), default=0)  # deeper tables may be anything, as annotations
    tables = [name for name in tables if name.count("/") == nearest]
    has_tree = is_tree(container)
    content = read_csv(container, tables, image_size, is_required=not has_tree)
    return read_tree(container, image_size) if content is None and has_tree else content


def _beside(path: Path) -> Container:
    """List the folder of a file, without its subfolders."""
    try:
        names = tuple(sorted(sibling.name for sibling in path.parent.iterdir()))
    except OSError as error:
        raise DatasetError(f"{path.parent}: cannot be listed ({error.strerror}); check its permissions") from error
    return Container(path.parent, names, is_archive=False)


def _read_npz(path: Path, image_size: Size) -> RawSplits:
    """Read the data set in an `.npz` archive; images that are large and uncompressed stay on disk."""
    on_disk: dict[str, Images] = {}  # by the array's name

    def stays_on_disk(name: str) -> bool:
        if (images := open_npz_member(path, name)) is not None:
            on_disk[name] = images
        return images is not None

    def to_raw_split(pair: npz.NpzPair) -> RawSplit:
        images = on_disk[pair.images_name] if pair.images is None else pair.images
        images_from, labels_from = f"{path}: {pair.images_name}", f"{path}: {pair.labels_name}"
        return RawSplit(_as_images(images, image_size, path), pair.labels, images_from, labels_from, source, pair.names)

    arrays = npz.read_npz(path, stays_on_disk)
    source = (SourceFile(file_name(path), arrays.sha256),)
    train, test = (None if pair is None else to_raw_split(pair) for pair in (arrays.train, arrays.test))
    # Labels that are text name their classes themselves.
    is_text = any(raw is not None and raw.names for raw in (train, test))
    return RawSplits(train, test, None if is_text else arrays.class_names)


def _read_arrays(folder: Path, files: Sequence[str], image_size: Size) -> RawSplits:
    """Read the data set in `.npy` files that are named as the arrays of an archive."""
    # A dict keeps the last of equal keys; reversed, that is the first of x.NPY and x.npy.
    paths = {name[: name.lower().rindex(".npy")]: folder / name for name in reversed(files)}
    with naming_errors(folder):
        chosen = choose_arrays(list(paths))
    train, test = (
        names and _read_array_files(paths[names[0]], paths[names[1]], image_size)
        for names in (chosen.train, chosen.test)
    )
    return RawSplits(train, test)


def _read_array_files(images_path: Path, labels_path: Path, image_size: Size) -> RawSplit:
    """Read a split from two `.npy` files; images that are large stay on disk."""
    if (images := open_npy(images_path)) is not None:
        digest = file_sha256(images)
    else:
        images, digest = npz.read_npy(images_path, npz.check_image_array), compute_sha256(images_path)
    with naming_errors(labels_path):
        labels, texts = npz.as_labels(npz.read_npy(labels_path, npz.check_label_array), "it")
    source = (
        SourceFile(file_name(images_path), digest),
        SourceFile(file_name(labels_path), compute_sha256(labels_path)),
    )
    images = _as_images(images, image_size, images_path)
    return RawSplit(images, labels, str(images_path), str(labels_path), source, texts)


def _as_images(images: Images, image_size: Size, path: Path) -> Images:
    """Give rows of pixels the shape of images."""
    if images.ndim != 2:
        return images
    with naming_errors(path):
        return images.reshape(len(images), *row_shape(images.shape[1], image_size))


def _read_parquets(folder: Path, names: Sequence[str], image_size: Size) -> RawSplits:
    """Read the data set in Parquet files, whose names, or those of their folders, tell the split.

    The first word of each part of a path counts: "default/train-00000-of-00002.parquet" has "default" and "train".
    """
    splits: dict[str, list[Path]] = {}
    for name in names:
        words = [word for part in name.lower().split("/") for word in re.findall(r"^[a-z]+", part)]
        split = next((word for word in words if word in _PARQUET_SPLITS), "")
        splits.setdefault(_PARQUET_SPLITS.get(split, ""), []).append(folder / name)
    # Files without a split in their names are training images, and so is a lone test split: it is divided later.
    train = splits.get("train") or splits.get("") or splits.get("test", [])
    if not train and len(names) > 1:
        raise DatasetError(f"{folder}: has no Parquet file of training or test images; name a file, such as {names[0]}")
    train = train or splits["other"]  # a file by itself is read whatever its split
    raw, class_names = read_parquet(train, image_size)
    if "train" not in splits or "test" not in splits:
        return RawSplits(raw, None, class_names)
    test, test_names = read_parquet(splits["test"], image_size)
    if test_names != class_names:
        raise DatasetError(f"{test.images_from}: has other class names than {raw.images_from}; both must have the same")
    return RawSplits(raw, test, class_names)
