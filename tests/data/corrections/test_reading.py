"""A list of corrections is checked line by line against the data set that it is about."""

import re
from pathlib import Path

import numpy as np
import pytest

import convscope as cs
from convscope.base.errors import DatasetError
from convscope.data.corrections import read_corrections
from convscope.data.corrections.reading import DROPPED

from .conftest import NAMES, Write

HEADER = "file,split,index,class,action,new_class"


@pytest.fixture
def splits(pictures: Path) -> cs.Splits:
    return cs.load_dataset(pictures)


@pytest.fixture(scope="module")
def arrays() -> cs.Splits:
    """Two classes in arrays: the labels alternate, and the test split has one image of class b."""
    images = np.arange(96, dtype=np.uint8).reshape(6, 4, 4, 1)
    train = cs.Dataset(images, np.array([0, 1, 0, 1, 0, 0]), ("a", "b"), "few")
    return cs.Splits(train, cs.Dataset(images[:2], np.array([0, 1]), ("a", "b"), "few", "test"))


def test_decisions_become_labels_and_counts_and_names_like_formulas_are_read_back(splits, write_list: Write):
    path = write_list(splits, ("train", 0, "relabel", NAMES[2]), ("train", 23, "relabel", NAMES[0]),
                      ("train", 4, "keep", ""), ("test", 1, "drop", ""))  # fmt: skip
    assert "'=1+1" in path.read_text(encoding="utf-8")
    result, label_of = read_corrections(path, splits), splits.class_names.index
    assert result.labels["train"][[0, 23]].tolist() == [label_of(NAMES[2]), label_of(NAMES[0])]
    np.testing.assert_array_equal(np.delete(result.labels["train"], [0, 23]), np.delete(splits.train.labels, [0, 23]))
    assert np.flatnonzero(result.labels["test"] == DROPPED).tolist() == [1]
    train, test = result.counts["train"], result.counts["test"]
    assert (train.kept, train.relabelled, train.dropped, train.num_images) == (1, 2, 0, 24)
    assert (test.kept, test.relabelled, test.dropped, test.num_images) == (0, 0, 1, 5)


def test_a_list_that_a_spreadsheet_saved_again_is_read(arrays, tmp_path: Path):
    path = tmp_path / "list.csv"
    header = "note;" + HEADER.replace(",", ";")
    path.write_text(f"\ufeff{header}\r\nsure;;train;0;a;relabel;b\r\n;;;;;;\r\n", encoding="utf-8")
    assert read_corrections(path, arrays).labels["train"][0] == 1


def test_a_class_may_give_its_last_image_if_it_gets_another(arrays, tmp_path: Path):
    path = tmp_path / "list.csv"
    path.write_text(f"{HEADER}\n,train,1,b,drop,\n,train,3,b,relabel,a\n,train,0,a,relabel,b\n")
    assert np.flatnonzero(read_corrections(path, arrays).labels["train"] == 1).tolist() == [0]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((HEADER,), "has no line with a correction"),
        (("file,split,index,class,action", "x"), "has no column 'new_class'; its first line must be file,split"),
        ((HEADER, ",train,0,a"), "line 2: has 4 cells, but the first line 6"),
        ((HEADER, ",validation,0,a,keep,"), "line 2: the split is 'validation'; it must be train or test"),
        ((HEADER, ",train,6,a,keep,"), "line 2: the index is '6'; the train split has images 0 to 5"),
        ((HEADER, ",train,-1,a,keep,"), "line 2: the index is '-1'"),
        ((HEADER, ",train,²,a,keep,"), "line 2: the index is '²'"),
        ((HEADER, "x.png,train,0,a,keep,"), "the file is 'x.png', but train image 0 is without a file of its own"),
        ((HEADER, ",train,0,b,keep,"), "line 2: the class is 'b', but train image 0 has class 'a'; is the list about"),
        ((HEADER, ",train,0,a,label,b"), "line 2: the action is 'label'; it must be keep, relabel or drop"),
        ((HEADER, ",train,0,a,relabel,c"), "the new class is 'c', which the data set does not have; the classes are"),
        ((HEADER, ",train,0,a,relabel,"), "the new class is '', which the data set does not have"),
        ((HEADER, "", ",train,0,a,keep,", ",train,0,a,drop,"), "line 4: is about the same image as line 3"),
        ((HEADER, ",train,1,b,drop,", ",train,3,b,relabel,a"), "line 3: takes the last training image from class 'b'"),
        ((HEADER, ",test,0,a,drop,", ",test,1,b,drop,"), "drops every test image; keep some"),
    ],
)
def test_a_list_that_does_not_fit_is_refused_with_its_line(arrays, tmp_path: Path, lines, message: str):
    path = tmp_path / "list.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=f"^{re.escape(str(path))}: .*{re.escape(message)}"):
        read_corrections(path, arrays)


def test_lists_that_are_no_text_or_missing_are_refused(arrays, tmp_path: Path):
    path = tmp_path / "list.csv"
    path.write_bytes(HEADER.encode() + b"\n,train,0,\xfc,keep,\n")
    with pytest.raises(DatasetError, match="is not text in UTF-8; save it as CSV in UTF-8"):
        read_corrections(path, arrays)
    with pytest.raises(DatasetError, match="no such file"):
        read_corrections(tmp_path / "none.csv", arrays)


def test_a_list_for_other_files_is_refused(splits, write_list: Write, pictures: Path):
    path = write_list(splits, ("train", 3, "drop", ""))
    splits_otherwise = cs.load_dataset(pictures, test_fraction=0.5)
    with pytest.raises(DatasetError, match=r"line 2: the file is .*; is the list about these data, loaded with the"):
        read_corrections(path, splits_otherwise)


def test_a_name_over_two_lines_does_not_shift_the_lines_of_errors(tmp_path: Path):
    images = np.arange(64, dtype=np.uint8).reshape(4, 4, 4, 1)
    data = cs.Dataset(images, np.array([0, 1, 0, 1]), ("a\nb", "c"), "few")
    path = tmp_path / "list.csv"
    path.write_text(f'{HEADER}\n,train,0,"a\nb",keep,\n,train,9,c,keep,\n')
    with pytest.raises(DatasetError, match="line 4: the index is '9'"):
        read_corrections(path, cs.Splits(data, cs.Dataset(images, data.labels, data.class_names, "few", "test")))
