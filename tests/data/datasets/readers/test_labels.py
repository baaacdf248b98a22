"""Class names from texts: counted, cleaned, bounded and sorted."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from convscope.data.datasets.data_file import DataFileError
from convscope.data.datasets.readers.labels import MAX_CLASSES, TextLabels, clean_name, sort_names


def test_labels_count_the_different_texts():
    labels = TextLabels()
    labels.extend(["b", " a", "b", "a"], "line")
    assert labels.labels.tolist() == [0, 1, 0, 1]
    assert labels.labels.dtype == np.int64
    assert labels.names == ("b", "a")


@pytest.mark.parametrize(
    ("text", "name"),
    [(" a b ", "a b"), ("3.0", "3"), ("3.", "3"), ("-1.00", "-1"), ("3.5", "3.5"), ("a.0", "a.0"), ("\ud800", "?")],
)
def test_names_are_cleaned(text, name):
    assert clean_name(text) == name


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["a", ""], "line 8 has no label"),
        (["a", " \t"], "line 8 has no label"),
        (["x" * 256], "line 7: the label has 256 characters; the limit is 255"),
        ([str(i) for i in range(MAX_CLASSES + 1)], "has more than 4096 different labels .*'4096' in line 4,103"),
    ],
    ids=["empty", "blank", "long", "many"],
)
def test_invalid_labels_are_refused(texts, message):
    with pytest.raises(DataFileError, match=message):
        TextLabels().extend(texts, "line", 7)


def test_names_are_sorted_as_people_do():
    names = ("b", "10", "9", "a10b", "a9b", "a", "08", "8", "\u00e4", "100000000000000000000000000000000000000")
    expected = ("08", "8", "9", "10", "100000000000000000000000000000000000000", "a", "a9b", "a10b", "b", "\u00e4")
    assert sort_names(names, ("a",)) == expected


@pytest.mark.slow
@given(st.lists(st.text(max_size=20)), st.randoms())
def test_any_names_have_one_order(names, random):
    mixed = random.sample(names, len(names))
    assert sort_names(tuple(names)) == sort_names(tuple(mixed))


def test_a_number_of_ten_thousand_digits_is_sorted():
    assert sort_names(("9" * 10_000, "1")) == ("1", "9" * 10_000)
