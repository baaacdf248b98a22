"""The six sets of EMNIST: digits and letters of NIST's Special Database 19, in MNIST's format.

All lie in one archive. Its MD5: torchvision.datasets.EMNIST; its size: TensorFlow Datasets' url_checksums/emnist.txt.
The digests of the files within it are not published: a copy of these alone is checked against what must be in it.
Numbers of images and classes: NIST's page of the data set. The split into training and test: the headers of the files.
Names: the mapping files, by the first character that they give a class; so a class of `letters`, which holds both
cases, has the capital's name.
"""

import string

from convscope.data.datasets.named.entries import CatalogueEntry, PublishedFile

ARCHIVE = PublishedFile(
    "gzip.zip",
    urls=(
        "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip",
        "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/gzip.zip",  # where it was until 2023
    ),
    md5="58c8d27c78d21e728a6bc7b3cc06412e",
    size_bytes=561_753_746,
)
_DIGITS, _CAPITALS = tuple(string.digits), tuple(string.ascii_uppercase)
_BY_CLASS = (*_DIGITS, *_CAPITALS, *string.ascii_lowercase)
_BY_MERGE = (*_DIGITS, *_CAPITALS, *"abdefghnqrt")  # the other lower-case letters look like their capitals
_MERGED = "Letters whose two cases look alike are one class, named by the capital: c i j k l m o p s u v w x y z."


def _entry(
    name: str,
    what: str,
    class_names: tuple[str, ...],
    counts: tuple[int, int],
    balanced: bool = True,
    notes: str = "",
) -> CatalogueEntry:
    num_train, num_test = counts
    num_classes = len(class_names)
    return CatalogueEntry(
        name=f"emnist-{name}",
        title=(
            f"EMNIST {what}: {num_train:,} for training and {num_test:,} for test, {num_classes} classes, 28 × 28 grey"
        ),
        licence="none is stated; made from NIST Special Database 19, a work of the United States government",
        source="G. Cohen, S. Afshar, J. Tapson and A. van Schaik, EMNIST, arXiv:1702.05373, 2017; nist.gov",
        class_names=class_names,
        files=(ARCHIVE,),
        form="emnist",
        num_train=num_train,
        num_test=num_test,
        image_shape=(28, 28, 1),
        folder="emnist",
        torch_folder="EMNIST",
        class_counts=(
            ((num_train // num_classes,) * num_classes, (num_test // num_classes,) * num_classes)
            if balanced
            else (None, None)
        ),
        notes=f"The archive of 562 MB holds all six sets. {notes}".strip(),
    )


EMNIST = (
    _entry("letters", "Letters, A to Z in both cases", _CAPITALS, (124_800, 20_800), notes="A class holds both cases."),
    _entry("digits", "Digits", _DIGITS, (240_000, 40_000)),
    _entry("balanced", "Balanced, digits and letters", _BY_MERGE, (112_800, 18_800), notes=_MERGED),
    _entry("byclass", "ByClass, digits and letters", _BY_CLASS, (697_932, 116_323), balanced=False),
    _entry("bymerge", "ByMerge, digits and letters", _BY_MERGE, (697_932, 116_323), balanced=False, notes=_MERGED),
    _entry("mnist", "MNIST, digits", _DIGITS, (60_000, 10_000)),
)


def member(entry: CatalogueEntry, split: str, kind: str) -> str:
    """Return what a file is called in the archive's folder `gzip/`; `split` is train or test, `kind` images or labels.

    >>> member(EMNIST[0], "train", "images")
    'emnist-letters-train-images-idx3-ubyte.gz'
    """
    return f"{entry.name}-{split}-{kind}-idx{3 if kind == 'images' else 1}-ubyte.gz"
