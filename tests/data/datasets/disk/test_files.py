"""Which files of images stay on disk, which are left to the readers, and which damaged ones are refused."""

import gzip
import hashlib
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from convscope.base.errors import DatasetError
from convscope.data.datasets.disk.files import file_sha256, open_idx, open_npy, open_npz_member
from convscope.data.datasets.disk.images import IN_MEMORY_VARIABLE, is_on_disk
from convscope.data.datasets.readers.idx import idx_header, read_idx_and_sha256

ARRAYS = {
    "grey": np.random.default_rng(0).integers(0, 256, (40, 6, 5), dtype=np.uint8),
    "colour": np.random.default_rng(1).integers(0, 256, (40, 6, 5, 3), dtype=np.uint8),
}


@pytest.fixture(autouse=True)
def _small_bound(monkeypatch):
    monkeypatch.setenv(IN_MEMORY_VARIABLE, "500")  # bytes, less than the files of these tests


@pytest.fixture(params=ARRAYS)
def array(request) -> np.ndarray:
    return ARRAYS[request.param]


def as_4d(array: np.ndarray) -> np.ndarray:
    return array.reshape(*array.shape[:3], -1)


# --- Files that stay on disk ------------------------------------------------------------------------------------------


def test_a_large_plain_idx_file_stays_on_disk(tmp_path, array):
    path = tmp_path / "images"
    path.write_bytes(idx_header(array.shape) + array.tobytes())
    images = open_idx(path)
    assert is_on_disk(images)
    assert images.shape == as_4d(array).shape
    np.testing.assert_array_equal(images[:], as_4d(array))
    assert file_sha256(images) == read_idx_and_sha256(path)[1]


def test_a_large_npy_file_stays_on_disk(tmp_path, array):
    np.save(tmp_path / "images.npy", array)
    images = open_npy(tmp_path / "images.npy")
    assert is_on_disk(images)
    np.testing.assert_array_equal(images[:], as_4d(array))
    assert file_sha256(images) == hashlib.sha256((tmp_path / "images.npy").read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["x_train", "x_test"])
def test_a_stored_array_of_an_archive_stays_there(tmp_path, array, name):
    # x_train is the first of the archive, and x_test the last.
    others = {"y": np.arange(40), "extra": np.zeros((100, 3, 3), np.uint8)}
    np.savez(tmp_path / "set.npz", **({name: array, **others} if name == "x_train" else {**others, name: array}))
    images = open_npz_member(tmp_path / "set.npz", name)
    assert is_on_disk(images)
    np.testing.assert_array_equal(images[:], as_4d(array))


def test_an_archive_with_extra_fields_is_read_at_the_right_offset(tmp_path, array):
    np.save(tmp_path / "x.npy", array)
    info = zipfile.ZipInfo("x_train.npy")
    info.extra = b"\xfe\xca\x04\x00abcd"  # a field of four bytes that no program knows
    with zipfile.ZipFile(tmp_path / "set.npz", "w") as archive:
        archive.writestr(info, (tmp_path / "x.npy").read_bytes())
    np.testing.assert_array_equal(open_npz_member(tmp_path / "set.npz", "x_train")[:], as_4d(array))


# --- Files that are read into memory ----------------------------------------------------------------------------------


def test_data_within_the_bound_are_left_to_the_reader(tmp_path, monkeypatch):
    array = ARRAYS["grey"]
    (tmp_path / "images").write_bytes(idx_header(array.shape) + array.tobytes())
    np.save(tmp_path / "images.npy", array)
    np.savez(tmp_path / "set.npz", x_train=array)
    monkeypatch.setenv(IN_MEMORY_VARIABLE, str(max(path.stat().st_size for path in tmp_path.iterdir())))
    assert open_idx(tmp_path / "images") is None
    assert open_npy(tmp_path / "images.npy") is None
    assert open_npz_member(tmp_path / "set.npz", "x_train") is None


def test_compressed_data_are_left_to_the_reader(tmp_path):
    array = ARRAYS["grey"]
    (tmp_path / "images").write_bytes(gzip.compress(idx_header(array.shape) + array.tobytes()))
    np.savez_compressed(tmp_path / "set.npz", x_train=array)
    assert open_idx(tmp_path / "images") is None
    assert open_npy(tmp_path / "images") is None
    assert open_npz_member(tmp_path / "set.npz", "x_train") is None


@pytest.mark.parametrize(
    "array",
    [np.asfortranarray(ARRAYS["grey"]), ARRAYS["grey"].astype(np.float32), ARRAYS["grey"].reshape(40, -1)],
    ids=["Fortran's order", "floats", "rows"],
)
def test_other_dtypes_and_orders_are_left_to_the_reader(tmp_path, array):
    np.save(tmp_path / "images.npy", array)
    np.savez(tmp_path / "set.npz", x_train=array)
    assert open_npy(tmp_path / "images.npy") is None
    assert open_npz_member(tmp_path / "set.npz", "x_train") is None


# --- Damaged files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (idx_header((40, 6, 5)) + bytes(1000), "incomplete, download"),  # of 40 · 6 · 5 = 1,200 bytes
        (idx_header((40, 6, 5)) + bytes(1201), "damaged or has another format"),
        (idx_header((2000,)) + bytes(2000), r"has the shape \(2000,\); images must be"),
        (b"\0\0\x0d\3" + bytes(1000), "float32"),
        (b"text" * 200, "not with those of an IDX file"),
    ],
    ids=["cut short", "too long", "labels", "floats", "text"],
)
def test_a_large_idx_file_that_is_damaged_is_refused_by_name(tmp_path, content, message):
    (tmp_path / "images").write_bytes(content)
    with pytest.raises(DatasetError, match=message) as error:
        open_idx(tmp_path / "images")
    assert str(tmp_path / "images") in str(error.value)


def test_a_large_npy_file_that_is_cut_short_is_refused(tmp_path):
    np.save(tmp_path / "images.npy", ARRAYS["grey"])
    content = (tmp_path / "images.npy").read_bytes()
    for damaged in (content[:-1], content + b"x"):
        (tmp_path / "images.npy").write_bytes(damaged)
        with pytest.raises(DatasetError, match="should contain uint8 of shape"):
            open_npy(tmp_path / "images.npy")


def test_a_stored_array_with_another_checksum_is_refused(tmp_path):
    np.savez(tmp_path / "set.npz", x_train=ARRAYS["grey"])
    content = bytearray((tmp_path / "set.npz").read_bytes())
    content[600] ^= 1  # one of the 1,200 pixels
    (tmp_path / "set.npz").write_bytes(content)
    with pytest.raises(DatasetError, match="x_train is damaged"):
        open_npz_member(tmp_path / "set.npz", "x_train")


def test_an_archive_whose_table_points_elsewhere_is_refused(tmp_path):
    np.savez(tmp_path / "set.npz", x_train=ARRAYS["grey"])
    content = bytearray((tmp_path / "set.npz").read_bytes())
    content[0] ^= 1  # the first byte of the signature of the member
    (tmp_path / "set.npz").write_bytes(content)
    with pytest.raises(DatasetError, match="not where the archive's table says"):
        open_npz_member(tmp_path / "set.npz", "x_train")


CHANGES = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=6)


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(kind=st.sampled_from(["idx", "npy", "npz"]), changes=CHANGES, near_end=st.booleans(), cut=st.integers(0, 50))
def test_images_of_changed_bytes_are_complete_or_refused(tmp_path, kind, changes, near_end, cut):
    array, path = ARRAYS["grey"], tmp_path / f"images.{kind}"
    if kind == "idx":
        path.write_bytes(idx_header(array.shape) + array.tobytes())
    elif kind == "npy":
        np.save(path, array)
    else:
        np.savez(path, x_train=array, y_train=np.arange(40))
    content = bytearray(path.read_bytes())
    for number, value in changes:  # the headers and the table of an archive lie within 200 bytes of an end
        content[-1 - number % 200 if near_end else number % 200] = value
    path.write_bytes(content[: len(content) - cut if cut > 40 else None])  # a fifth of the files end too early
    read = {"idx": open_idx, "npy": open_npy, "npz": lambda file: open_npz_member(file, "x_train")}[kind]
    try:
        images = read(path)
    except DatasetError:
        return
    if images is not None:
        assert images[: len(images)].nbytes == images.nbytes <= path.stat().st_size
