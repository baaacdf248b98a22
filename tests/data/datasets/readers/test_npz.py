"""NumPy archives: arrays of any usual form are read, and malformed or oversized archives are refused."""

import io
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.lib import format as npy_format
from tests.shared import assert_refused_wherever_it_ends

from convscope.base.errors import DatasetError
from convscope.data.datasets.readers.npz import NpzArrays, check_image_array, read_npy, read_npz

X_TRAIN = (np.arange(6 * 5 * 4) % 256).astype(np.uint8).reshape(6, 5, 4)
X_TEST = X_TRAIN[:3] + 1
Y_TRAIN = np.array([0, 1, 2, 0, 1, 2], dtype=np.uint8)
Y_TEST = np.array([2, 1, 0], dtype=np.uint8)
ARRAYS = {"x_train": X_TRAIN, "y_train": Y_TRAIN, "x_test": X_TEST, "y_test": Y_TEST}


def archive(**members: np.ndarray | bytes) -> bytes:
    """Return a good archive in which these members, arrays or raw .npy bytes, replace the good ones."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, member in {**ARRAYS, **members}.items():
            packed.writestr(f"{name}.npy", member if isinstance(member, bytes) else npy(member))
    return content.getvalue()


def npy(array: np.ndarray, version: tuple[int, int] = (1, 0)) -> bytes:
    content = io.BytesIO()
    npy_format.write_array(content, array, version=version)
    return content.getvalue()


def npy_header(descr: object, shape: object, body: bytes = b"", fortran_order: object = False) -> bytes:
    text = repr({"descr": descr, "fortran_order": fortran_order, "shape": shape}).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + body


def get_array(read: NpzArrays, name: str) -> np.ndarray:
    """Return the array with Keras's name, such as x_train."""
    split = read.train if name.endswith("train") else read.test
    assert split is not None
    return split.images if name.startswith("x") else split.labels


def write(folder: Path, content: bytes) -> Path:
    path = folder / "data.npz"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_archive_as_numpy_writes_it_is_read_whole(tmp_path, save):
    save(tmp_path / "data.npz", **ARRAYS)
    read = read_npz(tmp_path / "data.npz")
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(get_array(read, name), array)
        assert get_array(read, name).dtype == np.uint8


def test_colour_images_in_fortran_order_are_read_as_they_were(tmp_path):
    colour = np.asfortranarray((np.arange(2 * 3 * 4 * 3) * 7 % 256).astype(np.uint8).reshape(2, 3, 4, 3))
    read = read_npz(write(tmp_path, archive(x_train=colour)))
    np.testing.assert_array_equal(read.train.images, colour)
    assert read.train.images.flags.c_contiguous


def test_a_header_of_version_2_is_read(tmp_path):
    read = read_npz(write(tmp_path, archive(x_train=npy(X_TRAIN, version=(2, 0)))))
    np.testing.assert_array_equal(read.train.images, X_TRAIN)


@pytest.mark.parametrize("dtype", [">i2", "<i4", "i8", "u8", "i1"])
def test_labels_of_any_whole_number_type_become_int64(tmp_path, dtype):
    read = read_npz(write(tmp_path, archive(y_train=Y_TRAIN.astype(dtype))))
    assert read.train.labels.dtype == np.int64
    np.testing.assert_array_equal(read.train.labels, Y_TRAIN)


def test_an_array_larger_than_one_piece_is_read_whole(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (700, 28, 28), dtype=np.uint8)
    np.testing.assert_array_equal(read_npz(write(tmp_path, archive(x_train=images))).train.images, images)


@pytest.mark.parametrize("kind", ["U", "S"])
def test_labels_that_are_text_stay_text(tmp_path, kind):
    texts = np.array(["cat", "dög", " cat", "cat", "dög", "cat"])
    texts = texts if kind == "U" else np.char.encode(texts, "utf-8")
    read = read_npz(write(tmp_path, archive(y_train=texts)))
    assert [read.train.names[label] for label in read.train.labels] == ["cat", "dög", "cat", "cat", "dög", "cat"]


def test_images_may_be_left_in_the_file(tmp_path):
    read = read_npz(write(tmp_path, archive()), lambda name: name == "x_test")
    assert read.train.images is not None
    assert read.test.images is None


def test_an_npy_file_is_read_and_checked(tmp_path):
    np.save(tmp_path / "x.npy", X_TRAIN)
    np.testing.assert_array_equal(read_npy(tmp_path / "x.npy", check_image_array), X_TRAIN)
    whole = (tmp_path / "x.npy").read_bytes()
    for content, message in (
        (whole[:-1], "120 bytes, but 119 follow"),
        (whole + b"a", "120 bytes, but 121 follow"),
        (b"", "no readable .npy header"),
        (npy(X_TRAIN / 255), "it is float64; save images as uint8"),
    ):
        (tmp_path / "x.npy").write_bytes(content)
        with pytest.raises(DatasetError, match=message):
            read_npy(tmp_path / "x.npy", check_image_array)


def without(name: str) -> bytes:
    content = io.BytesIO()
    np.savez(content, **{key: array for key, array in ARRAYS.items() if key != name})
    return content.getvalue()


def with_method(method: int) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as packed:
        for name, array in ARRAYS.items():
            packed.writestr(f"{name}.npy", npy(array))
    return content.getvalue()


def with_field(offset: int, value: int, size: int) -> bytes:
    """Return a good archive with a changed field in the central directory's entry of the first member, x_train.

    Fields of an entry and their offsets: 8 flags, 16 CRC-32, 20 packed size, 24 size, 42 offset of the member.
    """
    content = bytearray(archive())
    start = content.index(b"PK\x01\x02") + offset
    content[start : start + size] = value.to_bytes(size, "little")
    return bytes(content)


def pickle_array() -> bytes:
    content = io.BytesIO()
    npy_format.write_array(content, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return content.getvalue()


FOLLOW = bytes(120)  # the pixels of x_train, 6 images of 5 × 4
MALFORMED = {
    "empty": (b"", "is not a complete .npz archive"),
    "an IDX file": (b"\0\0\x08\x01\0\0\0\x01a", "or name a folder with four IDX files"),
    "no x_train": (without("x_train"), "has no array x_train (it holds 'y_train', 'x_test', 'y_test')"),
    "no y_test": (without("y_test"), "has no array y_test"),
    "no member": (b"PK\x05\x06" + bytes(18), "(it holds nothing)"),
    "images as floats": (archive(x_train=X_TRAIN / 255), "x_train is float64; save images as uint8"),
    "images as int64": (archive(x_test=X_TEST.astype(int)), "x_test is int64; save images as uint8"),
    "images of one dimension": (archive(x_train=X_TRAIN.reshape(120)), "x_train has the shape (120,)"),
    "images of five dimensions": (archive(x_train=X_TRAIN.reshape(6, 5, 4, 1, 1)), "(6, 5, 4, 1, 1); images must be"),
    "no images": (archive(x_train=X_TRAIN[:0]), "(0, 5, 4); every dimension must be at least 1"),
    "labels as floats": (archive(y_train=Y_TRAIN / 1), "y_train is float64; save labels as whole numbers"),
    "labels as dates": (archive(y_train=Y_TRAIN.astype("M8[D]")), "y_train is datetime64[D]; save labels as whole"),
    "labels in two columns": (archive(y_train=np.stack([Y_TRAIN] * 2, 1)), "(6, 2); labels must be (N,)"),
    "a label of blanks": (archive(y_train=np.array(["a", " "] * 3)), "y_train: image 2 has no label"),
    "a long label": (archive(y_train=np.array(["a" * 300] * 6)), "the label has 300 characters; the limit is 255"),
    "a label that is no UTF-8": (archive(y_train=np.array([b"\xff"] * 6)), "holds text that cannot be read"),
    "5,000 labels": (archive(y_train=np.arange(5000).astype(str)), "more than 4096 different labels"),
    "class names as numbers": (archive(class_names=np.arange(3)), "class_names is int64 of shape (3,); save"),
    "text of no letters": (archive(y_train=npy_header("<U0", (6,))), "which has no bytes"),
    "objects": (archive(y_train=pickle_array()), "y_train is an array of Python objects, which are never read"),
    "records": (archive(y_train=npy(np.zeros(6, dtype=[("a", "u1")]))), "y_train is [('a', 'u1')]"),
    "32 GiB asked for": (archive(x_train=npy_header("|u1", (1 << 15, 1 << 10, 1 << 10))), "but 0 follow"),
    "more than 64 bits asked for": (archive(x_train=npy_header("|u1", (1 << 62, 4, 4))), "but 0 follow"),
    "one image too few": (archive(x_train=npy_header("|u1", (6, 5, 4), FOLLOW[:100])), "120 bytes, but 100 follow"),
    "one byte too many": (archive(x_train=npy_header("|u1", (6, 5, 4), FOLLOW + b"a")), "120 bytes, but 121 follow"),
    "header is code": (archive(x_train=b"\x93NUMPY\x01\x00\x0a\x00exit(code)"), "no readable .npy header"),
    "header nested deeply": (archive(x_train=b"\x93NUMPY\x01\x00\x00\x20" + b"[" * 8192), "no readable .npy header"),
    "header of minus signs": (archive(x_train=b"\x93NUMPY\x01\x00\x00\x20" + b"-" * 8191 + b"1"), "no readable .npy"),
    "header of 4 GiB": (archive(x_train=b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + FOLLOW), "no readable .npy header"),
    "header of 1 MB": (archive(x_train=b"\x93NUMPY\x02\x00\0\0\x10\0" + b" " * (1 << 20)), "no readable .npy header"),
    "no .npy magic": (archive(x_train=b"hello, this is text"), "no readable .npy header"),
    ".npy version 9": (archive(x_train=b"\x93NUMPY\x09\x00\x00\x00"), "x_train is of .npy version 9.0"),
    ".npy version 3": (archive(x_train=npy(X_TRAIN, version=(3, 0))), ".npy version 3.0"),
    "bzip2": (with_method(zipfile.ZIP_BZIP2), "compressed by method 12; save the archive with deflate"),
    "LZMA": (with_method(zipfile.ZIP_LZMA), "compressed by method 14"),
    "encrypted": (with_field(8, 1, 2), "x_train is encrypted"),
    "size of 4 GB": (with_field(24, 0xFFFFFFF0, 4), "should contain 4,294,967,280 bytes packed into"),
    "size one too small": (with_field(24, len(npy(X_TRAIN)) - 1, 4), "is not a complete .npz archive"),
    "wrong checksum": (with_field(16, 0, 4), "Bad CRC-32"),
    "packed size too large": (with_field(20, 0x7FFFFFFF, 4), "packed into 2,147,483,647, which a file of"),
    "offset beyond the file": (with_field(42, 0x7FFFFFFF, 4), "is not a complete .npz archive"),
}


@pytest.mark.parametrize(("content", "message"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_archive_is_refused(tmp_path, content, message):
    path = write(tmp_path, content)
    with pytest.raises(DatasetError) as caught:
        read_npz(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "; " in str(caught.value), "the next step"


def test_an_archive_cut_short_anywhere_is_refused(tmp_path):
    assert_refused_wherever_it_ends(write(tmp_path, archive()), read_npz, DatasetError, 7, "archive")


def zip_bomb() -> bytes:
    """Return an archive whose member x_train has the header of a small array and then 64 MiB of zeros."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed:
        with packed.open("x_train.npy", "w") as member:
            member.write(npy_header("|u1", (6, 5, 4)))
            for _ in range(64):
                member.write(bytes(1 << 20))
        for name in ("y_train", "x_test", "y_test"):
            packed.writestr(f"{name}.npy", npy(ARRAYS[name]))
    return content.getvalue()


def lying_bomb() -> bytes:
    """Return the same archive, whose central directory states the size of the small array."""
    content = bytearray(zip_bomb())
    start = content.index(b"PK\x01\x02") + 24  # the field of the unpacked size
    content[start : start + 4] = (len(npy_header("|u1", (6, 5, 4))) + 120).to_bytes(4, "little")
    return bytes(content)


@pytest.mark.slow
@pytest.mark.parametrize(
    "content", [zip_bomb, lying_bomb, lambda: MALFORMED["32 GiB asked for"][0], lambda: MALFORMED["header of 1 MB"][0]]
)
def test_an_archive_that_would_grow_is_refused_without_taking_memory(tmp_path, content):
    path = write(tmp_path, content())
    tracemalloc.start()
    try:
        with pytest.raises(DatasetError):
            read_npz(path)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def scratch(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("npz")


def reads_or_refuses(folder: Path, content: bytes) -> None:
    try:
        read = read_npz(write(folder, content))
    except DatasetError:
        return
    assert read.train.images.dtype == np.uint8
    assert read.train.labels.ndim == 1


@pytest.mark.slow
@settings(deadline=None)  # the machine may be busy
@given(text=st.text("{}[]()'\": ,-+.LuUbi<>|0123456789descrfortan_shpTu\\\n", max_size=120))
def test_any_header_text_is_read_or_refused(scratch, text):
    header = text.encode()
    member = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + FOLLOW
    reads_or_refuses(scratch, archive(x_train=member))
