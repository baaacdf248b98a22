"""`DiskImages`: it is indexed like an array, never reads all at once, and notices that its file has changed."""

import hashlib
import os
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import convscope as cs
from convscope.base.errors import DatasetError
from convscope.data.datasets.disk import images as disk
from convscope.data.datasets.disk.images import DiskImages, blocks, in_memory_bytes, is_on_disk

COUNT, SHAPE = 500, (5, 4, 3)


@pytest.fixture
def array() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (COUNT, *SHAPE), dtype=np.uint8)


@pytest.fixture
def images(array, tmp_path, monkeypatch) -> DiskImages:
    """The array in a file; limits of a few hundred images make reads span several windows, gaps and blocks."""
    monkeypatch.setattr(disk, "PART_BYTES", 200 * array[0].size)
    monkeypatch.setattr(disk, "BLOCK_BYTES", 150 * array[0].size)
    monkeypatch.setattr(disk, "_WINDOW_BYTES", 7 * array[0].size)
    monkeypatch.setattr(disk, "_GAP_BYTES", 3 * array[0].size)
    monkeypatch.setenv(disk.IN_MEMORY_VARIABLE, "0")
    path = tmp_path / "images"
    path.write_bytes(b"header " + array.tobytes() + b"tail")
    return DiskImages(path, len(b"header "), (COUNT, *SHAPE))


# --- Indexing like an array -------------------------------------------------------------------------------------------

RANDOM = np.random.default_rng(1)
KEYS = [
    0, -1, np.int64(17), slice(3, 10), slice(None, None, 100), slice(50, 10, -3), slice(9, 9), [5, 4, 4, 9, -1], [],
    RANDOM.integers(-COUNT, COUNT, 150), np.arange(100, 300),
    np.sort(RANDOM.permutation(COUNT)[:150]).astype(np.uint16), RANDOM.random(COUNT) < 0.2, range(5, 60, 2), (3, 0),
    (slice(0, 4), ..., 0), ([7, 3], slice(1, 3)),
]  # fmt: skip


def select(array: np.ndarray, key) -> np.ndarray:
    """Index an array, also with an empty list, which NumPy takes for an array of floats."""
    return array[:0] if isinstance(key, list) and not key else array[key]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: f"{type(key).__name__} {str(key)[:20]}")
def test_an_index_selects_as_in_an_array(images: DiskImages, array, key):
    np.testing.assert_array_equal(images[key], select(array, key))
    assert images[key].dtype == np.uint8


def test_neighbouring_images_larger_than_a_gap_are_read_at_once(images: DiskImages, array, monkeypatch):
    monkeypatch.setattr(disk, "_GAP_BYTES", array[0].size - 1)
    reads = []
    read = images._file.read
    monkeypatch.setattr(images._file, "read", lambda out, offset: reads.append(len(out)) or read(out, offset))
    images.read(np.array([3, 4, 5, 7]))  # image 6 is a gap larger than `_GAP_BYTES`
    assert reads == [3, 1]


@pytest.mark.parametrize("order", [np.arange(0, COUNT, 2), RANDOM.permutation(COUNT)[:400], np.arange(COUNT)[::-1]])
@pytest.mark.parametrize("key", KEYS[:9], ids=str)
def test_a_part_on_disk_reads_as_a_part_of_an_array(images: DiskImages, array, order, key):
    part = images.take(order)
    assert is_on_disk(part)
    assert part.shape == (len(order), *SHAPE)
    np.testing.assert_array_equal(part[key], select(array[order], key))
    again = part.take(np.arange(1, 249))  # a part of the part, without its first image
    assert is_on_disk(again)
    np.testing.assert_array_equal(again[50:60], array[order][51:61])


def test_iterating_yields_all_images_one_by_one_or_in_blocks(images: DiskImages, array):
    np.testing.assert_array_equal(np.stack(list(images)), array)
    np.testing.assert_array_equal(np.concatenate(list(blocks(images, 1000))), array)
    assert max(map(len, blocks(images, 1000))) == 1000 // array[0].size


@pytest.mark.parametrize(
    "key", [COUNT, -COUNT - 1, [0, COUNT], 1.5, "0", np.ones(3, bool), np.zeros((2, 2), int), None]
)
def test_an_index_beyond_the_images_is_an_index_error(images: DiskImages, key):
    with pytest.raises(IndexError):
        images[key]


def test_several_threads_read_at_once(images: DiskImages, array):
    def is_same(seed: int) -> bool:
        stream = np.random.default_rng(seed)
        chosen = [stream.integers(0, COUNT, 20) for _ in range(100)]
        return all(np.array_equal(images[indices], array[indices]) for indices in chosen)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(is_same, range(4)))


def test_without_preadv_it_reads_the_same(images: DiskImages, array, monkeypatch):
    monkeypatch.delattr(os, "preadv", raising=False)
    test_several_threads_read_at_once(images, array)


# --- Limits of a read -------------------------------------------------------------------------------------------------


def test_too_many_requests_at_once_are_refused_with_advice(images: DiskImages):
    for read in (lambda: images[:201], lambda: np.asarray(images), lambda: images[np.arange(300)]):  # 200 may be read
        with pytest.raises(DatasetError, match="process them in parts, or set CONVSCOPE_IN_MEMORY_BYTES"):
            read()


def test_images_on_disk_that_fit_may_become_an_array(images: DiskImages, array, monkeypatch):
    monkeypatch.setenv(disk.IN_MEMORY_VARIABLE, str(array.nbytes))
    np.testing.assert_array_equal(np.asarray(images), array)
    with pytest.raises(ValueError, match="without being read"):
        np.array(images, copy=False)


# --- A file that changes ----------------------------------------------------------------------------------------------


def test_a_file_that_was_cut_short_is_an_error_that_names_it(images: DiskImages):
    os.truncate(images.path, 1000)
    with pytest.raises(DatasetError, match="images: has changed since the data set was loaded; load it again"):
        images[400]
    with pytest.raises(DatasetError, match="has changed"):
        images[0]


def test_a_file_that_was_replaced_by_another_of_its_name_is_still_read(images: DiskImages, array):
    replacement = images.path.with_name("other")
    replacement.write_bytes(bytes(10_000))
    replacement.replace(images.path)
    np.testing.assert_array_equal(images[:5], array[:5])


def test_a_disk_that_fails_is_an_error_that_names_the_file(images: DiskImages, monkeypatch):
    def fail(*_: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "preadv", fail, raising=False)
    with pytest.raises(DatasetError, match=r"images: cannot be read \(Input/output error\)"):
        images[0]


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(DatasetError, match="gone: cannot be opened"):
        DiskImages(tmp_path / "gone", 0, (1, 1, 1, 1))


def test_a_pickled_copy_opens_the_file_for_itself(images: DiskImages, array):
    part = pickle.loads(pickle.dumps(images.take(np.arange(499, 200, -1))))
    np.testing.assert_array_equal(part[:3], array[[499, 498, 497]])


def test_a_copy_in_another_process_does_not_read_another_file(images: DiskImages):
    packed = pickle.dumps(images)
    images.path.write_bytes(bytes(images.path.stat().st_size))
    os.utime(images.path, ns=(0, 0))
    with pytest.raises(DatasetError, match="has changed"):
        pickle.loads(packed)


# --- The limit of images in memory ------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["-1", "2 GB", "1e9", "²"])
def test_an_invalid_bound_in_bytes_is_an_error(monkeypatch, text):
    monkeypatch.setenv("CONVSCOPE_IN_MEMORY_BYTES", text)
    with pytest.raises(DatasetError, match="must be a whole number of bytes"):
        in_memory_bytes()


def test_the_bound_is_a_quarter_of_free_memory(monkeypatch):
    monkeypatch.delenv("CONVSCOPE_IN_MEMORY_BYTES", raising=False)
    monkeypatch.setattr(disk, "_cgroup_files", lambda: ())
    assert 1 << 20 < in_memory_bytes() < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 4


@pytest.mark.parametrize(("limits", "expected"), [(("max", "4000000"), 1_000_000), (("8000000", "4000000"), 1_000_000)])
def test_a_memory_control_group_bounds_the_memory(monkeypatch, tmp_path, limits, expected):
    files = [tmp_path / f"memory{number}" for number in range(3)]  # the last is not there
    for file, limit in zip(files, limits, strict=False):
        file.write_text(f"{limit}\n")
    monkeypatch.delenv("CONVSCOPE_IN_MEMORY_BYTES", raising=False)
    monkeypatch.setattr(disk, "_cgroup_files", lambda: tuple(files))
    assert in_memory_bytes() == expected


# --- As a data set ----------------------------------------------------------------------------------------------------


@pytest.fixture
def both(images: DiskImages, array) -> tuple[cs.Dataset, cs.Dataset]:
    """The same data set, on disk and in memory."""
    labels = (np.arange(COUNT) % 3).astype(np.uint8)
    return tuple(cs.Dataset(pixels, labels, ("a", "b", "c")) for pixels in (images, array))


def test_a_data_set_on_disk_has_the_same_summary(both, monkeypatch):
    on_disk, in_memory = both
    assert on_disk.to_dict() == in_memory.to_dict()
    monkeypatch.setattr(disk, "PART_BYTES", 1 << 20)  # less than all images: a sample of them is taken
    assert on_disk.handwriting == in_memory.handwriting
    assert on_disk._repr_html_() == in_memory._repr_html_()


def test_the_digest_covers_the_whole_file(images: DiskImages):
    assert images.file_sha256 == hashlib.sha256(images.path.read_bytes()).hexdigest()
    assert images.take(np.arange(300)).file_sha256 == images.file_sha256
