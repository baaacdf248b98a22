import gzip
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

import convscope as cs
from convscope.datasets import DATASETS, catalogue, loading
from convscope.datasets.catalogue import DATA_FOLDER, cache_folder
from convscope.datasets.idx import idx_header
from convscope.datasets.loading import load_dataset
from convscope.errors import DatasetError

MNIST_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


def random_images(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).integers(0, 256, shape, dtype=np.uint8)


def labels(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.uint8)


TRAIN_IMAGES, TRAIN_LABELS = random_images(4, 6, 9), labels(0, 3, 1, 0)
TEST_IMAGES, TEST_LABELS = random_images(2, 6, 9), labels(2, 4)


def write_folder(folder: Path, **arrays: np.ndarray) -> Path:
    """Four IDX files, good ones where `arrays` has no other."""
    files = {
        "train-images-idx3-ubyte": arrays.get("train_images", TRAIN_IMAGES),
        "train-labels-idx1-ubyte": arrays.get("train_labels", TRAIN_LABELS),
        "t10k-images-idx3-ubyte": arrays.get("test_images", TEST_IMAGES),
        "t10k-labels-idx1-ubyte": arrays.get("test_labels", TEST_LABELS),
    }
    folder.mkdir(exist_ok=True, parents=True)
    for name, array in files.items():
        (folder / name).write_bytes(idx_header(array.shape) + array.tobytes())
    return folder


def write_archive(path: Path, **arrays: np.ndarray) -> Path:
    good = {"x_train": TRAIN_IMAGES, "y_train": TRAIN_LABELS, "x_test": TEST_IMAGES, "y_test": TEST_LABELS}
    np.savez_compressed(path, **{**good, **arrays})
    return path


# MNIST itself


def test_mnist_has_its_published_sizes(mnist):
    assert mnist.train.images.shape == (60_000, 28, 28, 1)
    assert mnist.test.images.shape == (10_000, 28, 28, 1)
    assert mnist.class_names == tuple("0123456789")
    assert (mnist.name, mnist.train.split, mnist.test.split) == ("mnist", "train", "test")


def test_the_first_training_image_is_a_5(mnist):
    assert mnist.train.labels[0] == 5
    assert mnist.train.images[0, 5, 12:20, 0].tolist() == [3, 18, 18, 18, 126, 136, 175, 26]


def test_the_classes_of_mnist_have_their_published_counts(mnist):
    assert mnist.train.class_counts.tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert mnist.test.class_counts.tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_the_embedded_files_have_the_published_digests():
    for name, sha256 in MNIST_SHA256.items():
        packed = (DATA_FOLDER / "mnist" / f"{name}.gz").read_bytes()
        assert hashlib.sha256(gzip.decompress(packed)).hexdigest() == sha256


def test_mnist_says_which_files_it_came_from(mnist):
    source = (*mnist.train.source, *mnist.test.source)
    assert {file.name: file.sha256 for file in source} == MNIST_SHA256


def test_every_entry_says_what_it_is_and_who_may_use_it():
    for name, entry in DATASETS.items():
        assert entry.name == name
        assert entry.title
        assert entry.licence
        assert entry.source


def test_mnist_is_read_only(mnist):
    with pytest.raises(ValueError, match="read-only"):
        mnist.train.images[0] = 0


# The uncompressed copies


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("CONVSCOPE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def small_entry(tmp_path, monkeypatch, cache) -> str:  # noqa: ARG001  # with a cache of its own
    """The name of an embedded data set of a few images, of which no copy is kept yet."""
    write_folder(tmp_path / "embedded" / "small")
    files = []
    for path in sorted(
        (tmp_path / "embedded" / "small").iterdir(), key=lambda path: list(MNIST_SHA256).index(path.name)
    ):
        files.append(cs.datasets.SourceFile(path.name, hashlib.sha256(path.read_bytes()).hexdigest()))
        Path(f"{path}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    entry = catalogue.CatalogueEntry("small", "Small", "none", "made up", tuple("01234"), tuple(files))
    monkeypatch.setattr(catalogue, "DATA_FOLDER", tmp_path / "embedded")
    monkeypatch.setattr(loading, "DATASETS", {"small": entry})
    return "small"


def is_good(splits: cs.Splits) -> bool:
    return bool((splits.train.images[..., 0] == TRAIN_IMAGES).all() and (splits.test.labels == TEST_LABELS).all())


def test_the_first_load_leaves_uncompressed_copies(small_entry, cache):
    assert is_good(load_dataset(small_entry))
    assert sorted(path.name for path in (cache / "small").iterdir()) == sorted(MNIST_SHA256)
    assert (cache / "small" / "train-images-idx3-ubyte").read_bytes()[16:] == TRAIN_IMAGES.tobytes()


def test_the_second_load_reads_the_copies(small_entry, tmp_path):
    load_dataset(small_entry)
    for packed in (tmp_path / "embedded" / "small").iterdir():
        packed.unlink()
    assert is_good(load_dataset(small_entry))


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1],
        lambda content: content[:-1] + b"?",
        lambda content: content[:0],
        lambda content: content + b"?",
        lambda content: b"\1" + content[1:],
    ],
    ids=["cut short", "a byte changed", "empty", "a byte more", "wrong magic"],
)
def test_a_damaged_copy_is_passed_over_and_written_anew(small_entry, cache, damage):
    load_dataset(small_entry)
    copy = cache / "small" / "train-images-idx3-ubyte"
    good = copy.read_bytes()
    copy.write_bytes(damage(good))
    assert is_good(load_dataset(small_entry))
    assert copy.read_bytes() == good


def test_a_folder_in_the_place_of_a_copy_costs_nothing(small_entry, cache):
    (cache / "small" / "train-images-idx3-ubyte" / "in the way").mkdir(parents=True)
    assert is_good(load_dataset(small_entry))


def test_a_cache_that_cannot_be_written_costs_nothing(small_entry, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("CONVSCOPE_CACHE", str(tmp_path / "file" / "below"))
    assert is_good(load_dataset(small_entry))


def test_a_full_disk_costs_nothing_and_leaves_nothing(small_entry, cache, monkeypatch):
    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert is_good(load_dataset(small_entry))
    assert list((cache / "small").iterdir()) == []


def test_a_user_without_a_home_can_load(small_entry, monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("CONVSCOPE_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert cache_folder() is None
    assert is_good(load_dataset(small_entry))


def test_an_embedded_file_with_another_digest_is_refused(small_entry, tmp_path):
    packed = tmp_path / "embedded" / "small" / "t10k-labels-idx1-ubyte.gz"
    packed.write_bytes(gzip.compress(idx_header((2,)) + b"\0\1"))
    with pytest.raises(DatasetError, match=r"t10k-labels-idx1-ubyte\.gz: its SHA-256 is .*; install convscope again"):
        load_dataset(small_entry)


@pytest.mark.parametrize(
    ("own", "shared", "expected"),
    [
        ("/own", "/shared", "/own"),
        ("", "/shared", "/shared/convscope"),
        (None, "/shared", "/shared/convscope"),
        (None, "relative", "/home/someone/.cache/convscope"),
        (None, "", "/home/someone/.cache/convscope"),
        (None, None, "/home/someone/.cache/convscope"),
    ],
)
def test_the_cache_is_where_the_environment_says(monkeypatch, own, shared, expected):
    monkeypatch.setenv("HOME", "/home/someone")
    for name, value in (("CONVSCOPE_CACHE", own), ("XDG_CACHE_HOME", shared)):
        monkeypatch.setenv(name, value) if value is not None else monkeypatch.delenv(name, raising=False)
    assert cache_folder() == Path(expected)


# Folders and archives of one's own


def test_a_folder_of_idx_files_is_a_data_set(tmp_path):
    data = load_dataset(write_folder(tmp_path / "mine"))
    assert data.name == "mine"
    assert data.image_shape == (6, 9, 1)
    assert is_good(data)
    assert (
        data.train.source[0].sha256
        == hashlib.sha256((tmp_path / "mine" / "train-images-idx3-ubyte").read_bytes()).hexdigest()
    )


def test_an_archive_is_a_data_set(tmp_path):
    path = write_archive(tmp_path / "mine.npz")
    data = load_dataset(str(path))
    assert data.name == "mine.npz"
    assert is_good(data)
    (source,) = data.test.source
    assert (source.name, source.sha256) == ("mine.npz", hashlib.sha256(path.read_bytes()).hexdigest())


def test_a_folder_and_an_archive_of_the_same_images_are_equal_data(tmp_path):
    folder, archive = write_folder(tmp_path / "mine"), write_archive(tmp_path / "mine.npz")
    assert load_dataset(folder).train.sha256 == load_dataset(archive).train.sha256


@pytest.mark.parametrize(
    ("images", "suffix"),
    [
        ("{}-images-idx3-ubyte", ""),
        ("{}-images-idx3-ubyte", ".gz"),
        ("{}-images.idx3-ubyte", ""),
        ("{}-images.idx3-ubyte", ".gz"),
    ],
)
@pytest.mark.parametrize("test", ["t10k", "test"])
def test_the_usual_names_of_the_files_are_known(tmp_path, images, suffix, test):
    write_folder(tmp_path / "mine")
    for path in sorted((tmp_path / "mine").iterdir()):
        name = path.name.replace("t10k", test)
        if "." in images:
            name = name.replace("-idx", ".idx")
        content = path.read_bytes()
        path.unlink()
        (path.parent / f"{name}{suffix}").write_bytes(gzip.compress(content) if suffix else content)
    assert is_good(load_dataset(tmp_path / "mine"))


def test_the_classes_run_to_the_highest_label_of_both_splits(tmp_path):
    data = load_dataset(write_folder(tmp_path / "mine"))
    assert data.class_names == ("0", "1", "2", "3", "4")
    assert data.train.class_counts.tolist() == [2, 1, 0, 1, 0]


def test_a_single_class_makes_two_names(tmp_path):
    zeros = {"train_labels": labels(0, 0, 0, 0), "test_labels": labels(0, 0)}
    assert load_dataset(write_folder(tmp_path / "mine", **zeros)).class_names == ("0", "1")


def test_colour_images_of_an_idx_file_keep_their_channels(tmp_path):
    colour = {"train_images": random_images(4, 6, 9, 3), "test_images": random_images(2, 6, 9, 3)}
    folder = write_folder(tmp_path / "mine", **colour)
    np.testing.assert_array_equal(load_dataset(folder).train.images, colour["train_images"])


def test_a_hundred_and_more_classes_are_read_from_an_archive(tmp_path):
    path = write_archive(tmp_path / "mine.npz", y_train=np.array([0, 300, 3831, 5]))
    data = load_dataset(path)
    assert data.num_classes == 3832
    assert data.train.labels.tolist() == [0, 300, 3831, 5]


def test_a_name_comes_before_a_folder_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "mnist")
    assert len(load_dataset("mnist").train) == 60_000
    assert is_good(load_dataset("./mnist"))
    assert is_good(load_dataset(Path("mnist")))


def test_the_folder_one_stands_in_has_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(write_folder(tmp_path / "mine"))
    assert load_dataset(".").name == "mine"


@pytest.mark.skipif(os.sep == "\\", reason="names are bytes on POSIX only")
def test_a_name_that_is_no_text_becomes_text(tmp_path):
    folder = write_folder(Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")))
    assert load_dataset(folder).name == "caf\N{REPLACEMENT CHARACTER}"


FOLDERS = {
    "images more than labels": (
        {"train_images": random_images(5, 6, 9)},
        "holds 5 images, but .*train-labels.* 4 labels",
    ),
    "labels more than images": (
        {"test_labels": labels(1, 2, 3)},
        "t10k-images.* 2 images, but .*t10k-labels.* 3 labels",
    ),
    "sizes differ": (
        {"test_images": random_images(2, 9, 6)},
        r"train-images.*\(6, 9, 1\), but .*t10k-images.*\(9, 6, 1\)",
    ),
    "channels differ": ({"test_images": random_images(2, 6, 9, 3)}, r"\(6, 9, 1\), but .*t10k-images.*\(6, 9, 3\)"),
    "labels for images": ({"train_images": labels(1, 2, 3, 4)}, r"train-images.*\(4,\); images must be \(N, H, W\)"),
    "images for labels": ({"test_labels": random_images(2, 6, 9)}, r"t10k-labels.*\(2, 6, 9\); labels must be \(N,\)"),
    "channels first": (
        {"train_images": random_images(4, 3, 6, 9), "test_images": random_images(2, 3, 6, 9)},
        r"train-images.* 9 channels .*which come last",
    ),
}


@pytest.mark.parametrize(("arrays", "message"), FOLDERS.values(), ids=FOLDERS)
def test_files_that_do_not_fit_together_are_refused(tmp_path, arrays, message):
    with pytest.raises(DatasetError, match=message):
        load_dataset(write_folder(tmp_path / "mine", **arrays))


ARCHIVES = {
    "counts differ": ({"y_test": labels(1)}, r"mine\.npz: x_test holds 2 images, but .*mine\.npz: y_test 1 labels"),
    "sizes differ": ({"x_train": random_images(4, 6, 8)}, r"x_train holds .*\(6, 8, 1\), but .*x_test of \(6, 9, 1\)"),
    "label below 0": ({"y_train": np.array([0, -1, 2, 1])}, "y_train has labels from -1 to 2; .* between 0 and 4095"),
    "label too high": (
        {"y_test": np.array([0, 10**9])},
        "y_test has labels from 0 to 1000000000; .* between 0 and 4095",
    ),
    "label just too high": ({"y_test": np.array([0, 4096])}, "labels from 0 to 4096"),
    "label beyond int64": ({"y_test": np.array([0, 2**63], dtype=np.uint64)}, "y_test has labels from"),
}


@pytest.mark.parametrize(("arrays", "message"), ARCHIVES.values(), ids=ARCHIVES)
def test_an_archive_that_does_not_fit_together_is_refused(tmp_path, arrays, message):
    with pytest.raises(DatasetError, match=message):
        load_dataset(write_archive(tmp_path / "mine.npz", **arrays))


@pytest.mark.parametrize("name", MNIST_SHA256)
def test_a_folder_without_one_of_the_files_is_refused(tmp_path, name):
    (write_folder(tmp_path / "mine") / name).unlink()
    with pytest.raises(DatasetError, match=f"mine: has no {name}, plain or .gz; put the four IDX files"):
        load_dataset(tmp_path / "mine")


def test_a_damaged_file_of_a_folder_is_named(tmp_path):
    (write_folder(tmp_path / "mine") / "t10k-labels-idx1-ubyte").write_bytes(b"\0\0\x08")
    with pytest.raises(DatasetError, match="mine/t10k-labels-idx1-ubyte: starts with"):
        load_dataset(tmp_path / "mine")


def test_an_idx_file_alone_is_refused_with_the_way_out(tmp_path):
    with pytest.raises(DatasetError, match="name a folder with four IDX files"):
        load_dataset(write_folder(tmp_path / "mine") / "train-images-idx3-ubyte")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mnits", "'mnits' is neither .* did you mean 'mnist'"),
        ("zebra", "'zebra' is neither .* the names are mnist, or give a path"),
        ("", "'' is neither"),
        ("no/such/folder", "'no/such/folder' is neither"),
        ("x" * 5000, "is neither"),
        ("a\0b", "is neither"),
    ],
    ids=["misspelt", "unknown", "empty", "missing path", "too long", "NUL"],
)
def test_an_unknown_name_is_refused(name, message):
    with pytest.raises(DatasetError, match=message):
        load_dataset(name)
