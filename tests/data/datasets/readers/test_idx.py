"""IDX files, plain and packed: what is written is read back, and damaged or oversized files are refused."""

import gzip
import hashlib
import os
import struct
import tracemalloc
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from convscope.base.errors import DatasetError
from convscope.data.datasets.readers.idx import idx_header, read_idx, read_idx_and_sha256, read_plain_shape

SHAPES = [(1,), (7,), (3, 5), (5, 28, 28), (2, 31, 17), (3, 4, 5, 3), (1, 1, 1, 1)]
GOOD = idx_header((5, 7, 3)) + bytes(range(105))
NEXT_STEPS = (
    "download it again", "unpack it", "name a", "save it", "has another format", "must be at least 1", "has 1 to 4",
)  # fmt: skip


def count_up(shape: tuple[int, ...]) -> np.ndarray:
    return (np.arange(np.prod(shape)) % 251).astype(np.uint8).reshape(shape)


def idx_bytes(array: np.ndarray) -> bytes:
    return idx_header(array.shape) + array.tobytes()


def zip_bytes(content: bytes) -> bytes:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images", content)
    return packed.getvalue()


PACKS = {"plain": bytes, "gzip": gzip.compress, "zip": zip_bytes}


@pytest.mark.parametrize("pack", PACKS.values(), ids=PACKS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_reading_gives_back_what_was_written(tmp_path, shape, pack):
    path = tmp_path / "images"
    path.write_bytes(pack(idx_bytes(count_up(shape))))
    array = read_idx(path)
    assert array.dtype == np.uint8
    np.testing.assert_array_equal(array, count_up(shape))


def test_the_first_bytes_decide_about_gzip_and_not_the_name(tmp_path):
    plain, packed = tmp_path / "plain.gz", tmp_path / "packed-ubyte"
    plain.write_bytes(GOOD)
    packed.write_bytes(gzip.compress(GOOD))
    np.testing.assert_array_equal(read_idx(plain), read_idx(packed))


@pytest.mark.parametrize(("mark", "kind"), [(0x09, "i1"), (0x0B, ">i2"), (0x0C, ">i4")])
@pytest.mark.parametrize("pack", PACKS.values(), ids=PACKS)
def test_integers_of_other_types_are_read_where_allowed(tmp_path, mark, kind, pack):
    values = np.array([[0, 1, -2], [3, 100, -100]], dtype=kind)
    content = bytes([0, 0, mark, 2]) + struct.pack(">2I", 2, 3) + values.tobytes()
    (tmp_path / "labels").write_bytes(pack(content))
    array, sha256 = read_idx_and_sha256(tmp_path / "labels", whole_numbers=True)
    assert array.dtype == np.int64
    np.testing.assert_array_equal(array, values)
    assert sha256 == hashlib.sha256(content).hexdigest()
    with pytest.raises(DatasetError, match="save it as unsigned bytes"):
        read_idx(tmp_path / "labels")


def test_the_length_of_four_byte_labels_is_counted_in_bytes(tmp_path):
    (tmp_path / "labels").write_bytes(header(2, start=b"\0\0\x0c") + bytes(7))
    with pytest.raises(DatasetError, match="should contain 2 × 4 = 8 bytes, but only 7 follow"):
        read_idx(tmp_path / "labels", whole_numbers=True)


def test_the_shape_of_a_plain_file_is_read_without_its_content(tmp_path):
    (tmp_path / "images").write_bytes(GOOD)
    with (tmp_path / "images").open("rb") as file:
        assert read_plain_shape(file) == (5, 7, 3)
        assert file.read() == GOOD[16:]


def header(*parts: int, start: bytes = b"\0\0\x08", dimensions: int | None = None) -> bytes:
    return start + bytes([len(parts) if dimensions is None else dimensions]) + struct.pack(f">{len(parts)}I", *parts)


MALFORMED = {
    "empty": (b"", "is empty"),
    "three bytes": (b"\0\0\x08", "starts with the bytes 00 00 08"),
    "a picture": (b"\x89PNG\r\n\x1a\n", "starts with the bytes 89 50 4e 47"),
    "wrong magic": (b"\1\0" + GOOD[2:], "starts with the bytes 01 00 08 03"),
    "signed bytes": (header(2, start=b"\0\0\x09") + b"ab", "type int8 (0x09)"),
    "int32": (header(1, start=b"\0\0\x0c") + b"abcd", "type int32 (0x0c)"),
    "float64": (header(1, start=b"\0\0\x0e") + bytes(8), "type float64 (0x0e)"),
    "unknown type": (header(2, start=b"\0\0\x07") + b"ab", "unknown type of number (0x07)"),
    "no dimension": (header() + b"a", "0 dimensions"),
    "five dimensions": (header(1, 1, 1, 1, 1) + b"a", "5 dimensions"),
    "255 dimensions": (header(1, dimensions=255) + b"a", "255 dimensions"),
    "header cut short": (header(2, dimensions=3), "ends within its header"),
    "zero images": (header(0, 28, 28), "has shape (0, 28, 28)"),
    "zero width": (header(2, 28, 0), "has shape (2, 28, 0)"),
    "dimension too large": (header(6, 7, 3) + GOOD[16:], "should contain 6 × 7 × 3 = 126 bytes, but only 105 follow"),
    "dimension too small": (header(4, 7, 3) + GOOD[16:], "should contain 4 × 7 × 3 = 84 bytes, but 105 follow"),
    "trailing byte": (GOOD + b"\0", "105 bytes, but 106 follow"),
    "product beyond 64 bits": (header(2**32 - 1, 2**32 - 1, 2**32 - 1) + b"a", "contain 4294967295 × 4294967295 ×"),
    "product zero in 64 bits": (header(2**31, 2**31, 4, 1), "contain 2147483648 × 2147483648 ×"),
}
DAMAGED_GZIP = {
    "magic alone": (b"\x1f\x8b", "ends too early"),
    "wrong method": (b"\x1f\x8b\x07" + gzip.compress(GOOD)[3:], "stream is damaged"),
    "wrong checksum": (gzip.compress(GOOD)[:-8] + b"\0\0\0\0" + gzip.compress(GOOD)[-4:], "stream is damaged"),
    "wrong length": (gzip.compress(GOOD)[:-4] + b"\0\0\0\0", "stream is damaged"),
    "no end": (gzip.compress(GOOD)[:-9], "ends too early"),
    "garbage behind": (gzip.compress(GOOD) + b"garbage", "stream is damaged"),
    "zeros behind": (gzip.compress(GOOD) + bytes(512), "stream is damaged"),
    "another member behind": (gzip.compress(GOOD) + gzip.compress(b"x"), "105 bytes, but more follow"),
    "promise beyond deflate": (gzip.compress(header(60000, 28, 28)), "more than its"),
    "promise beyond 64 bits": (gzip.compress(header(2**32 - 1, 2**32 - 1, 2**32 - 1)), "more than its"),
}


@pytest.mark.parametrize(("content", "message"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_file_is_refused(tmp_path, content, message):
    check_error(tmp_path / "images", content, message)


@pytest.mark.parametrize(("content", "message"), DAMAGED_GZIP.values(), ids=DAMAGED_GZIP)
def test_a_damaged_gzip_is_refused(tmp_path, content, message):
    check_error(tmp_path / "images.gz", content, message)


@pytest.mark.parametrize("pack", PACKS.values(), ids=PACKS)
def test_a_file_cut_short_anywhere_is_refused(tmp_path, pack):
    whole = pack(GOOD)
    for length in range(len(whole)):
        check_error(tmp_path / "images", whole[:length], "")


def check_error(path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    with pytest.raises(DatasetError) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)
    assert any(step in str(caught.value) for step in NEXT_STEPS), caught.value


def test_a_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DatasetError, match="is not a regular file"):
        read_idx(tmp_path / "pipe")


def peak_bytes_of_refusing(path: Path) -> int:
    tracemalloc.start()
    try:
        with pytest.raises(DatasetError):
            read_idx(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_header_that_asks_for_gigabytes_takes_no_memory(tmp_path):
    for pack in PACKS.values():
        path = tmp_path / "images"
        path.write_bytes(pack(header(60000, 1000, 1000) + bytes(1000)))
        assert peak_bytes_of_refusing(path) < 2_000_000


def reads_or_refuses(path: Path, content: bytes) -> None:
    """Read `content`, which must give a complete array or a `DatasetError`."""
    path.write_bytes(content)
    try:
        array = read_idx(path)
    except DatasetError:
        return
    assert 1 <= array.ndim <= 4
    assert array.size > 0


@pytest.fixture(scope="module")
def scratch(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("idx") / "file"


@pytest.mark.slow
@settings(deadline=None)  # the machine may be busy
@given(data=st.data(), pack=st.sampled_from(list(PACKS.values())))
def test_a_good_file_with_bytes_changed_is_read_or_refused(scratch, data, pack):
    content = bytearray(pack(GOOD))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    reads_or_refuses(scratch, bytes(content))
