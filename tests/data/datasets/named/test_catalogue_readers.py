"""The readers of forms that only named sets come in, on files that may be anything."""

import bz2
import gzip
import tracemalloc
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convscope.base.errors import DatasetError
from convscope.data.datasets.named.sources_openml import read_openml
from convscope.data.datasets.named.sources_usps import MAX_LINES, read_usps

LINE = "3 " + " ".join(f"{place}:{place / 128 - 1:.4f}" for place in range(1, 257)) + "\n"
ROWS = b"@RELATION x\n@ATTRIBUTE class {0,1}\n@DATA\n1,2,3,4,0\n5,6,7,8,1\n"
fuzz = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def usps(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "usps.bz2"
    path.write_bytes(bz2.compress(text.encode() if isinstance(text, str) else text))
    return path


def arff(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "x.arff.gz"
    path.write_bytes(gzip.compress(content, 1))
    return path


# USPS


def test_the_label_1_is_the_digit_0_and_paper_is_black(tmp_path):
    images, labels, _ = read_usps(usps(tmp_path, f"1 1:-1 2:1 3:0\n{LINE}"))
    assert labels.tolist() == [0, 2]
    assert images.shape == (2, 16, 16)
    assert images[0, 0, :3].tolist() == [0, 255, 127]
    assert images[1].ravel().tolist() == [int((np.float32(f"{n / 128 - 1:.4f}") + 1) / 2 * 255) for n in range(1, 257)]
    assert not images.flags.writeable


def test_an_index_that_is_left_out_is_0_as_the_format_has_it(tmp_path):
    images, _, _ = read_usps(usps(tmp_path, "10 256:1\n"))
    assert images[0].ravel().tolist() == [127] * 255 + [255]


def test_bzip2_files_joined_end_to_end_are_read(tmp_path):
    path = usps(tmp_path, LINE)
    path.write_bytes(path.read_bytes() * 3)
    assert read_usps(path)[1].tolist() == [2, 2, 2]


def test_blank_lines_and_a_missing_last_line_feed_cost_nothing(tmp_path):
    assert read_usps(usps(tmp_path, f"\n{LINE}\n \n{LINE.strip()}"))[1].tolist() == [2, 2]


BAD_LINES = {
    "a label of 0": ("0 1:1\n", "line 1: the label is 0; it must be 1 to 10"),
    "a label of 11": (f"{LINE}11 1:1\n", "line 2: the label is 11"),
    "half a label": ("1.5 1:1\n", "the label is 1.5"),
    "a label that is no number": ("one 1:1\n", "line 1: could not convert string to float"),
    "an index of 0": ("1 0:1\n", "the index 0 follows 0"),
    "an index of 257": ("1 257:1\n", "the index 257 follows 0; indices must rise and be at most 256"),
    "an index twice": ("1 5:1 5:1\n", "the index 5 follows 5"),
    "not index": ("1 0.5\n", "b'0.5' is not index:value"),
    "a value above 1": ("1 1:1.5\n", "the value is 1.5; it must be -1 to 1"),
    "a value that is no number": ("1 1:nan\n", "the value is nan"),
    "an index without end": (f"1 {'9' * 5000}:1\n", "line 1: "),
    "nothing": ("", "is empty"),
    "a long line": ("1 " + "1:1 " * 10_000, "a line of more than 16,384 bytes"),
    "too many lines": ("1 1:1\n" * (MAX_LINES + 1), "has more than 100,000 lines"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("text", "message"), BAD_LINES.values(), ids=BAD_LINES)
def test_a_text_that_is_no_usps_file_is_refused(tmp_path, text, message):
    with pytest.raises(DatasetError, match=f"usps.bz2: .*{message}"):
        read_usps(usps(tmp_path, text))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[:-5], "ends too early"),
        (lambda content: content[:60] + b"????" + content[64:], "is damaged"),
        (lambda content: content + b"more", "is damaged"),
        (lambda _: b"", "ends too early"),
        (lambda _: b"plain text", "is damaged"),
    ],
    ids=["cut short", "changed", "more", "empty", "not packed"],
)
def test_a_damaged_stream_is_refused(tmp_path, damage, message):
    path = usps(tmp_path, LINE * 3)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DatasetError, match=f"usps.bz2: its bzip2 stream {message}"):
        read_usps(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"usps\.bz2: no such file"):
        read_usps(tmp_path / "usps.bz2")


@pytest.mark.slow
def test_a_stream_that_blows_up_takes_no_memory(tmp_path):
    path = usps(tmp_path, bytes(30_000_000))
    tracemalloc.start()
    with pytest.raises(DatasetError, match="a line of more than"):
        read_usps(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000


@pytest.mark.slow
@fuzz
@given(st.one_of(st.binary(max_size=300), st.text("0123456789:.- \nenai", max_size=300).map(str.encode)))
def test_any_text_is_read_or_refused(tmp_path, text):
    try:
        images, labels, _ = read_usps(usps(tmp_path, text))
    except DatasetError:
        return
    assert images.shape == (len(labels), 16, 16)
    assert labels.max() < 10


@pytest.mark.slow
@fuzz
@given(st.binary(max_size=200), st.integers(0, 200))
def test_any_bytes_are_read_or_refused(tmp_path, content, place):
    path = usps(tmp_path, LINE * 2)
    good = path.read_bytes()
    path.write_bytes(good[:place] + content + good[place + len(content) :])
    with suppress(DatasetError):
        read_usps(path)


# OpenML


def test_rows_are_pixels_and_a_label(tmp_path):
    pixels, labels = read_openml(arff(tmp_path, ROWS), 2, 4)
    assert pixels.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert labels.tolist() == [0, 1]
    assert not pixels.flags.writeable


@pytest.mark.parametrize("content", [ROWS.replace(b"@DATA", b"@data"), ROWS.replace(b"\n", b"\r\n"), ROWS[:-1]])
def test_the_small_differences_of_writers_cost_nothing(tmp_path, content):
    assert read_openml(arff(tmp_path, content), 2, 4)[0].tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]


@pytest.mark.parametrize(
    ("count", "num_pixels", "message"),
    [
        (3, 4, "has 2 rows, not 3"),
        (1, 4, "has more than 1 rows"),
        (2, 3, "has rows that do not have 4 columns"),
    ],
)
def test_another_shape_is_refused(tmp_path, count, num_pixels, message):
    with pytest.raises(DatasetError, match=f"x.arff.gz: {message}"):
        read_openml(arff(tmp_path, ROWS), count, num_pixels)


@pytest.mark.slow
@fuzz
@given(st.one_of(st.binary(max_size=200), st.text("0123456789,-.\n", max_size=200).map(str.encode)))
def test_any_rows_are_read_or_refused(tmp_path, content):
    with suppress(DatasetError):
        pixels, _ = read_openml(arff(tmp_path, b"@RELATION x\n@DATA\n" + content), 2, 4)
        assert pixels.shape == (2, 4)


@pytest.mark.parametrize("number", [b"99999999999999999999", b"-1", b"1.0", b"", b"1e3", b"\xff"])
def test_a_number_that_is_no_pixel_is_refused(tmp_path, number):
    with pytest.raises(DatasetError, match=r"x\.arff\.gz: has "):
        read_openml(arff(tmp_path, ROWS.replace(b"2", number)), 2, 4)
