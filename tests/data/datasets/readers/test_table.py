"""Tables of file names and labels: the forms that are understood, and tables that are refused."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from tests.shared import encode_picture

from convscope.base.errors import DatasetError
from convscope.data.datasets.loading import load_dataset

from .test_csv_files import join_splits

ROWS = [("0.png", "cat"), ("1.png", "dog"), ("2.png", "cat"), ("3.png", "dog")]


def picture(number: int, shape: tuple[int, ...] = (4, 3)) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, shape, dtype=np.uint8)


def write(folder: Path, text: str, *, name: str = "labels.csv", below: str = "", suffix: str = ".png") -> Path:
    """Write a table, and four pictures into its folder or the folder `below` inside it."""
    (folder / below).mkdir(parents=True, exist_ok=True)
    for number in range(4):
        (folder / below / f"{number}{suffix}").write_bytes(encode_picture(picture(number)))
    (folder / name).write_text(text)
    return folder / name


def table(header: str = "file,label", rows=ROWS, delimiter: str = ",", before: str = "") -> str:
    lines = [header, *(f"{before}{file},{label}" for file, label in rows)]
    return "\n".join(line.replace(",", delimiter) for line in lines if line) + "\n"


EXPECTED = {picture(number).tobytes(): label for number, (_, label) in enumerate(ROWS)}
FORMS = {
    "file,label": (table(), "labels.csv", "", ".png"),
    "of Hugging Face": (table("file_name,label"), "metadata.csv", "", ".png"),
    "tabs": (table("filename,class", delimiter="\t"), "labels.tsv", "", ".png"),
    "no header": (table(""), "labels.csv", "", ".png"),
    "label first": ("label;image\n" + "".join(f"{label};{file}\n" for file, label in ROWS), "x.csv", "", ".png"),
    "paths": (table(before="./deep/er/"), "labels.csv", "deep/er", ".png"),
    "paths of Windows": (table(before="deep\\er\\"), "labels.csv", "deep/er", ".png"),
    "in images": (table(), "labels.csv", "images", ".png"),
    "in a folder called like the table": (table(), "digits.csv", "digits", ".png"),
    "no endings": (table(rows=[(file[0], label) for file, label in ROWS]), "labels.csv", "", ".png"),
    "no endings, other ones": (table(rows=[(f[0], label) for f, label in ROWS]), "labels.csv", "images", ".jpeg"),
    "a number of the row": (
        "\n".join(f"{i or ''},{line}" for i, line in enumerate(table().splitlines())), "labels.csv", "", ".png",
    ),
    "a label of another name": (table("path,species"), "labels.csv", "", ".png"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "name", "below", "suffix"), FORMS.values(), ids=FORMS)
def test_every_form_of_a_table_gives_the_same_images(tmp_path, text, name, below, suffix):
    path = write(tmp_path, text, name=name, below=below, suffix=suffix)
    for data in (load_dataset(path, test_fraction=0.5), load_dataset(tmp_path, test_fraction=0.5)):
        assert join_splits(data) == EXPECTED
        assert data.class_names == ("cat", "dog")
        assert [source.name for source in data.train.source] == [name, "pictures"]


def test_a_column_may_say_the_split(tmp_path):
    rows = [("0.png", "cat,train"), ("1.png", "dog,Training"), ("2.png", "cat,test"), ("3.png", "dog,valid")]
    data = load_dataset(write(tmp_path, table("file,label,split", rows)))
    assert data.train.images[..., 0].tolist() == [picture(0).tolist(), picture(1).tolist()]
    assert data.test.images[..., 0].tolist() == [picture(2).tolist()]
    assert data.options.test_fraction is None


def test_train_and_test_tables_are_both_splits(tmp_path):
    write(tmp_path, table(rows=ROWS[:2]), name="train.csv", below="train")
    write(tmp_path, table(rows=ROWS[2:]), name="test.csv", below="train")
    data = load_dataset(tmp_path)
    assert (len(data.train), len(data.test)) == (2, 2)


def test_a_table_comes_before_the_folders_beside_it(tmp_path):
    write(tmp_path, table(rows=[("a/0.png", 1), ("b/1.png", 1), ("b/2.png", 2), ("a/3.png", 2)]), below="a")
    write(tmp_path / "b", "")
    (tmp_path / "b" / "labels.csv").unlink()
    assert load_dataset(tmp_path, test_fraction=0.5).class_names == ("1", "2")


def test_an_unrelated_table_next_to_folders_is_ignored(tmp_path):
    write(tmp_path, "name,age\nx,3\n", name="people.csv", below="a")
    write(tmp_path / "b", "", name="notes.txt")
    assert load_dataset(tmp_path).class_names == ("a", "b")


def test_a_zip_archive_with_a_table_is_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
        archive.writestr("mine/labels.csv", table())
        for number in range(4):
            archive.writestr(f"mine/images/{number}.png", encode_picture(picture(number)))
    assert join_splits(load_dataset(tmp_path / "mine.zip", test_fraction=0.5)) == EXPECTED


REFUSED = {
    "a lost file": (table(rows=[*ROWS, ("9.png", "cat")]), r"labels\.csv: line 6 names '9\.png', but there is no such"),
    "above": (table(before="../"), r"line 2 names '\.\./0\.png', which is outside the table's folder; move the file"),
    "a way around": (table(before="a/../../"), "outside the table's folder"),
    "an absolute path": (table(rows=[("/etc/passwd", "a")]), "'/etc/passwd', which is outside the table's folder"),
    "a drive": (table(rows=[("C:\\0.png", "a")]), "outside the table's folder"),
    "a device": (table(rows=[("/dev/zero", "a")]), "outside the table's folder"),
    "no file": (table(rows=[*ROWS, ("", "cat")]), "line 6 has no file name"),
    "no label": (table(rows=[*ROWS, ("0.png", "")]), "line 6 has no label"),
    "no label column": (table("file,a,b", [("0.png", "1,2")]), r"has no label column \('file', 'a', 'b'\)"),
    "a line too long": (table(rows=[("0.png", "a,b")]), "line 2 has 3 cells, but the first line 2"),
    "an odd split": (table("file,label,split", [("0.png", "a,7")]), "line 2 has the split '7'; write train, test or"),
    "validation alone": (table("file,label,split", [("0.png", "a,val")]), "has no line with a training or test image"),
    "header alone": (table(rows=[]), "has no line with a training or test image"),
    "no header and three columns": ("0.png,a,b\n", "has no header; add a first line such as file,label"),
    "the table itself": (table(rows=[("labels.csv", "a")]), r"labels\.csv: "),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_an_impossible_table_is_refused(tmp_path, text, message):
    with pytest.raises(DatasetError, match=message):
        load_dataset(write(tmp_path, text))
