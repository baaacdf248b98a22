"""Images as rows of pixels in text tables: the layouts that are understood, and tables that are refused."""

import gzip
import hashlib
import zipfile
from pathlib import Path

import numpy as np
import pytest

from convscope.base.errors import DatasetError
from convscope.data.datasets.loading import load_dataset

# The first image begins with the pixels 0, 7, 14. So with the label first, ",7," is its second pixel: column 3 of
# line 2. Many tables below replace that cell.
IMAGES = (np.arange(12 * 16) * 7 % 256).astype(np.uint8).reshape(12, 4, 4)
LABELS = [0, 1, 2] * 4
HEADER = ["label", *(f"pixel{i}" for i in range(16))]


def csv(images=IMAGES, labels=LABELS, header=HEADER, last=False, delimiter=",", end="\n") -> str:
    """Return a table with a row for each image; its label is the first cell, or with `last` the last one."""
    rows = [header] if header else []
    rows += [[str(label), *map(str, image.ravel())] for image, label in zip(images, labels, strict=True)]
    if last:
        rows = [[*row[1:], row[0]] for row in rows]
    return "".join(delimiter.join(row) + end for row in rows)


def write(folder: Path, text: str | bytes, name: str = "mine.csv") -> Path:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder / name


def join_splits(data) -> dict[bytes, str]:
    """Return the class name of each image of both splits, by the bytes of its pixels."""
    classes = {}
    for split in (data.train, data.test):
        for image, label in zip(split.images, split.labels, strict=True):
            classes[image.tobytes()] = split.class_names[label]
    return classes


EXPECTED = {image.tobytes(): str(label) for image, label in zip(IMAGES, LABELS, strict=True)}
QUOTED_COMMA = '","'
FORMS = {
    "Kaggle's": csv(),
    "label last": csv(last=True),
    "no header": csv(header=None),
    "no header, label last": csv(header=None, last=True),
    "semicolons": csv(delimiter=";"),
    "tabs": csv(delimiter="\t"),
    "lines of Windows": csv(end="\r\n"),
    "no last newline": csv().rstrip("\n"),
    "empty lines at the end": csv() + "\n\r\n\n",
    "empty lines between": csv(end="\n\n"),
    "numbers as names": csv(header=["label", *map(str, range(16))]),
    "rows and columns as names": csv(header=["label", *(f"{r}x{c}" for r in range(1, 5) for c in range(1, 5))]),
    "blanks around": csv(delimiter=" , "),
    "quotes": csv(header=[f'"{name}"' for name in HEADER], labels=[f'"{label}"' for label in LABELS]),
    "numbers in quotes": "".join(f'"{line.replace(",", QUOTED_COMMA)}"\n' for line in csv().splitlines()),
    "floats": csv().replace(",7,", ",7.0,").replace(",14,", ",1.4e1,"),
    "labels as floats": csv(labels=[f"{label}.0" for label in LABELS]),
    "leading zeros": csv().replace(",7,", ",007,"),
    "a byte order mark": "\ufeff" + csv(),
    "a number of the row": "\n".join(f"{i or ''},{line}" for i, line in enumerate(csv().splitlines())),
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
def test_every_layout_gives_the_same_images(tmp_path, text):
    data = load_dataset(write(tmp_path, text))
    assert data.image_shape == (4, 4, 1)
    assert data.class_names == ("0", "1", "2")
    assert join_splits(data) == EXPECTED


def test_a_packed_table_is_read_and_its_unpacked_bytes_are_the_source(tmp_path):
    data = load_dataset(write(tmp_path, gzip.compress(csv().encode()), "mine.csv.gz"))
    assert join_splits(data) == EXPECTED
    assert data.train.source[0].sha256 == hashlib.sha256(csv().encode()).hexdigest()
    assert data.train.source[0].name == "mine.csv.gz"


@pytest.mark.parametrize("label", ["A", "</script>", "ß, ʃ", 'a "b"', "漢"])
def test_labels_that_are_text_become_class_names(tmp_path, label):
    texts = [f'"{label.replace(chr(34), chr(34) * 2)}"' if i % 2 else "b10" for i in range(12)]
    for header, last in ((HEADER, False), (None, True), (None, False)):
        data = load_dataset(write(tmp_path, csv(labels=texts, header=header, last=last)))
        assert sorted(data.class_names) == sorted(["b10", label])
        assert join_splits(data)[IMAGES[1].tobytes()] == label


def test_a_thousand_classes_are_read(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (2000, 2, 2), dtype=np.uint8)
    labels = [i // 2 for i in range(2000)]
    for header in (None, HEADER[:5]):
        data = load_dataset(write(tmp_path, csv(images, labels, header)))
        assert data.num_classes == 1000
        assert data.train.class_counts.min() == 1


def test_colour_is_inferred_from_the_number_of_pixels(tmp_path):
    images = (np.arange(8 * 48) * 5).astype(np.uint8).reshape(8, 4, 4, 3)
    data = load_dataset(write(tmp_path, csv(images, [0, 1] * 4, None)))
    assert data.image_shape == (4, 4, 3)
    assert images[0].tobytes() in join_splits(data)


def test_images_that_are_not_square_need_a_size(tmp_path):
    path = write(tmp_path, csv(IMAGES[:, :2], header=HEADER[:9]))
    with pytest.raises(
        DatasetError, match=r"mine\.csv: has 8 pixels per image, which is not a square .*give the image size"
    ):
        load_dataset(path)
    assert load_dataset(path, image_size=(2, 4)).image_shape == (2, 4, 1)
    with pytest.raises(DatasetError, match="has 8 pixels per image, which is not 5 × 5"):
        load_dataset(path, image_size=(5, 5))


@pytest.mark.slow
def test_a_table_of_many_blocks_is_read_to_its_end(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (1500, 28, 28), dtype=np.uint8)
    labels = np.arange(1500) % 10
    data = load_dataset(write(tmp_path, csv(images, labels, None)))
    assert (len(data.train), len(data.test)) == (1200, 300)
    assert all(image.tobytes() in join_splits(data) for image in images[::250])


@pytest.mark.slow
def test_a_file_sorted_by_class_without_header_is_understood(tmp_path):
    # The first megabyte shows one class only, and dark corners.
    images = np.random.default_rng(0).integers(0, 256, (1000, 28, 28), dtype=np.uint8)
    images[:, 0, 0] = images[:, -1, -1] = 0
    data = load_dataset(write(tmp_path, csv(images, np.repeat([0, 1], 500), None)))
    assert data.train.class_counts.tolist() == [400, 400]


def test_train_and_test_in_a_folder_are_both_splits(tmp_path):
    write(tmp_path, csv(IMAGES[:9], LABELS[:9]), "mnist_train.csv")
    write(tmp_path, gzip.compress(csv(IMAGES[9:], ["0", "1", "7"]).encode()), "mnist_test.csv.gz")
    write(tmp_path, "ImageId,Label\n1,0\n", "sample_submission.csv")
    write(tmp_path, "notes", "readme.txt")
    data = load_dataset(tmp_path)
    assert (len(data.train), len(data.test)) == (9, 3)
    assert data.class_names == ("0", "1", "2", "7")
    assert data.test.class_counts.tolist() == [1, 1, 0, 1]


def test_a_test_file_without_labels_is_left_out(tmp_path):
    write(tmp_path, csv(), "train.csv")
    unlabelled = "\n".join(line.partition(",")[2] for line in csv().splitlines())
    write(tmp_path, unlabelled, "test.csv")
    data = load_dataset(tmp_path)
    assert (len(data.train), len(data.test)) == (10, 2)
    assert data.options.test_fraction == 0.2


def test_a_zip_archive_of_tables_is_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "digit-recognizer.zip", "w") as archive:
        archive.writestr("train.csv", csv(IMAGES[:9], LABELS[:9]))
        archive.writestr("test.csv", csv(IMAGES[9:], LABELS[9:]))
    data = load_dataset(tmp_path / "digit-recognizer.zip")
    assert (len(data.train), len(data.test)) == (9, 3)


REFUSED = {
    "empty": ("", "has an empty first line"),
    "one line without end": ("hello", "has one column only; separate the columns by commas"),
    "header alone": (csv([], []), "has no line with an image"),
    "UTF-16": (csv().encode("utf-16"), "is text in UTF-16; save it as UTF-8"),
    "zeros": (bytes(100), "is not a text file"),
    "no UTF-8 in the header": (b"label,\xff\n0,1\n", "line 1 is not text in UTF-8"),
    "no UTF-8 in a label": (csv(labels=["x"] * 12).encode().replace(b"x", b"\xff"), "is not text in UTF-8"),
    "a line too short": (csv().replace(",7,", ",", 1), "line 2 has 16 cells, but the first line 17"),
    # A cell less in line 2, and one more in line 3, whose label is 1.
    "errors that cancel out": (csv().replace(",7,", ",", 1).replace("\n1,", "\n1,1,", 1), "line 2 has 16 cells"),
    "a word": (csv().replace(",7,", ",seven,", 1), "line 2, column 3 is 'seven'; pixels must be whole numbers from 0"),
    "an empty cell": (csv().replace(",7,", ",,", 1), "line 2, column 3 is ''"),
    "256": (csv().replace(",7,", ",256,", 1), "line 2, column 3 is '256'"),
    "minus": (csv().replace(",7,", ",-7,", 1), "line 2, column 3 is '-7'"),
    "a fraction": (csv().replace(",7,", ",0.5,", 1), "multiply fractions of 1 by 255 and round them"),
    "a control character in a number": (b"\t0\x1f\n\t0", "column 2 of image 1 is .0"),
    "nan": (csv().replace(",7,", ",nan,", 1), "line 2, column 3 is 'nan'"),
    "an infinity": (csv().replace(",7,", ",1e999,", 1), "line 2, column 3 is '1e999'"),
    "no label": (csv().replace("\n0,", "\n,", 1), "image 1 has no label"),
    "one class": (csv(labels=["a"] * 12), "holds one class only, 'a'; add images of at least one other class"),
    "no label column": (csv(header=["pixel99", *HEADER[1:]]), "has no label column; name it label"),
    "two odd columns": (csv(header=["a", "b", *HEADER[2:]]), r"columns that are neither label nor pixel \('a', 'b'\)"),
    "either column could be the labels": (
        csv(np.concatenate([IMAGES[:, :3], np.reshape(LABELS, (12, 1, 1)).repeat(4, 2)], 1), header=None),
        "it is not clear whether its first or its last column holds the labels; add a first line such",
    ),
    "neither column could be the labels": (csv(IMAGES * 0, [0] * 12, None), "it is not clear"),
    "text in both columns": (csv(labels=["a"] * 12, header=None).replace("\n", "b\n"), "column 1 of image 1 is 'a'"),
    "quotes without end": (csv().replace(",7,", ',"7,', 1), "line 2 has 3 cells"),
    "a line of 5 MB": ("1," * 2_500_000, "has more than 4 MiB"),
    "a cell of 200 kB": (
        csv().replace(",7,", "," + "7" * 200_000 + ",", 1),
        "line 2 has 200,[0-9]+ characters; the limit is 131,072 for a cell",
    ),
    "5,000 labels": (
        csv(np.zeros((5000, 1, 1), np.uint8), range(5000), HEADER[:2]),
        "has more than 4096 different labels .*is this the label column",
    ),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_an_impossible_table_is_refused(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(DatasetError, match=message) as caught:
        load_dataset(path)
    assert str(path) in str(caught.value)


@pytest.mark.slow
def test_an_error_in_a_later_block_names_its_line(tmp_path):
    images = np.random.default_rng(0).integers(100, 256, (900, 28, 28), dtype=np.uint8)
    images[800, 0, 0] = 7
    text = csv(images, np.arange(900) % 10, None).replace("\n0,7,", "\n0,x,")
    with pytest.raises(DatasetError, match="line 801, column 2 is 'x'"):
        load_dataset(write(tmp_path, text))


def test_the_only_table_of_a_folder_is_named_when_it_is_wrong(tmp_path):
    write(tmp_path, "a,b,c\n1,2,3\n")
    with pytest.raises(DatasetError, match=r"mine\.csv: has "):
        load_dataset(tmp_path)


def test_several_tables_are_refused(tmp_path):
    write(tmp_path, csv(), "a.csv")
    write(tmp_path, csv(), "b.csv")
    with pytest.raises(DatasetError, match=r"holds several tables \('a.csv', 'b.csv'\); name one of them"):
        load_dataset(tmp_path)


def test_splits_of_other_sizes_are_refused(tmp_path):
    write(tmp_path, csv(), "train.csv")
    write(tmp_path, csv(IMAGES[:, :3, :3], header=[*HEADER[:10]]), "test.csv")
    with pytest.raises(DatasetError, match=r"train.csv holds images of .*4 × 4 × 1.*, but .*test.csv of 3 × 3 × 1"):
        load_dataset(tmp_path)
