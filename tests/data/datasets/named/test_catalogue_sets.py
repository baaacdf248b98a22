"""Named data sets in the forms of their publishers: small copies with made-up pixels, and Debian's Fashion-MNIST."""

import gzip
import hashlib
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

import convscope as cs
from convscope.base.errors import DatasetError
from convscope.data.datasets import DATASETS
from convscope.data.datasets.named import caches
from convscope.data.datasets.named.catalogue import CatalogueEntry, read_entry
from convscope.data.datasets.named.entries import PublishedFile
from convscope.data.datasets.named.sources import emnist_member, is_published, locate
from convscope.data.datasets.records import SourceFile

DEBIAN = caches.DEBIAN_FOLDER / "fashion-mnist"
needs_debian = pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")
IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
FASHION_MNIST = DATASETS["fashion-mnist"]
STREAM = np.random.default_rng(7)
TRAIN_LABELS, TEST_LABELS = STREAM.permutation(np.repeat(np.arange(10), 3)), STREAM.permutation(10)
TRAIN_IMAGES, TEST_IMAGES = (STREAM.integers(0, 256, (n, 28, 28), dtype=np.uint8) for n in (30, 10))


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path) -> Path:
    """The home folder of a user without any file and without a network."""
    monkeypatch.setenv("CONVSCOPE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("CONVSCOPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CONVSCOPE_OFFLINE", "1")
    monkeypatch.setattr(caches, "DEBIAN_FOLDER", tmp_path / "debian")
    return tmp_path


def idx(array: np.ndarray) -> bytes:
    """Return an IDX file of unsigned bytes (0x08), or of 32-bit integers (0x0c) for any other dtype."""
    kind, numbers = (0x08, array) if array.dtype == np.uint8 else (0x0C, array.astype(">i4"))
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, kind, array.ndim, *array.shape) + numbers.tobytes()


def publish(name: str, content: bytes, unpacked: bytes | None = None) -> PublishedFile:
    """Describe a published file by its digest; with `unpacked` also by that of its unpacked content."""
    return PublishedFile(
        name,
        urls=(f"https://data.invalid/set/{name}",),
        md5=hashlib.md5(content).hexdigest(),
        content_sha256=hashlib.sha256(unpacked).hexdigest() if unpacked else None,
        size_bytes=len(content),
    )


def shrink(entry: CatalogueEntry, files: tuple[PublishedFile, ...]) -> CatalogueEntry:
    """Return an entry with these files, of 30 training and 10 test images."""
    return replace(entry, files=files, num_train=30, num_test=10)


def pack(arrays: tuple[np.ndarray, ...]) -> dict[str, bytes]:
    return {f"{name}.gz": gzip.compress(idx(array)) for name, array in zip(IDX, arrays, strict=True)}


ARRAYS = (TRAIN_IMAGES, TRAIN_LABELS.astype(np.uint8), TEST_IMAGES, TEST_LABELS.astype(np.uint8))
PACKED = pack(ARRAYS)
KMNIST = shrink(DATASETS["kmnist"], tuple(publish(name, content) for name, content in PACKED.items()))
FASHION = shrink(
    FASHION_MNIST,
    tuple(publish(name, content, idx(array)) for (name, content), array in zip(PACKED.items(), ARRAYS, strict=True)),
)


def write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def unpack(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name.removesuffix(".gz"): gzip.decompress(content) for name, content in files.items()}


def is_good(splits: cs.Splits) -> bool:
    return bool(
        np.array_equal(splits.train.images[..., 0], TRAIN_IMAGES)
        and np.array_equal(splits.train.labels, TRAIN_LABELS)
        and np.array_equal(splits.test.images[..., 0], TEST_IMAGES)
        and np.array_equal(splits.test.labels, TEST_LABELS)
    )


@pytest.fixture
def debian(monkeypatch) -> None:
    monkeypatch.setattr(caches, "DEBIAN_FOLDER", DEBIAN.parent)


@pytest.mark.slow
@needs_debian
@pytest.mark.usefixtures("debian")
def test_fashion_mnist_is_read_from_debians_package():
    data = cs.load_dataset("fashion-mnist")
    assert data.image_shape == (28, 28, 1)
    assert data.train.class_counts.tolist() == [6000] * 10
    assert data.test.class_counts.tolist() == [1000] * 10
    assert data.class_names[int(data.train.labels[0])] == "Ankle boot"  # the picture that everybody shows
    assert [(file.name, file.sha256) for file in (*data.train.source, *data.test.source)] == [
        (name, file.content_sha256) for name, file in zip(IDX, FASHION_MNIST.files, strict=True)
    ]
    assert locate(DATASETS["fashion-mnist"]) == str(DEBIAN)


@pytest.mark.slow
@needs_debian
@pytest.mark.parametrize("path", range(4), ids=IDX)
def test_debians_files_are_the_published_ones_without_name_and_time(path):
    """With name and time put back into the gzip header, their digests are the published ones."""
    name, file = IDX[path], FASHION_MNIST.files[path]
    debian = (DEBIAN / f"{name}.gz").read_bytes()
    time = 1504176606 if name.startswith("train") else 1504176627  # 31 August 2017
    # The header: magic, deflate, flag "has a name"; time, no extra flags, Unix; then the name.
    published = b"\x1f\x8b\x08\x08" + struct.pack("<IBB", time, 0, 3) + name.encode() + b"\0" + debian[10:]
    assert len(published) == file.size_bytes
    assert hashlib.md5(published).hexdigest() == file.md5
    assert hashlib.sha256(published).hexdigest() == file.sha256
    assert hashlib.sha256(gzip.decompress(published)).hexdigest() == file.content_sha256


# Four IDX files


@pytest.mark.parametrize("folder", ["cache/kmnist", "data/kmnist", "data"])
def test_the_published_files_are_read_from_each_folder(home, folder):
    write(home / folder, PACKED)
    assert is_good(read_entry(KMNIST))
    assert locate(KMNIST) in (str(home / folder), folder)


@pytest.mark.parametrize("folder", ["data/fashion-mnist", "data"])
@pytest.mark.parametrize("level", [None, 1], ids=["unpacked", "packed anew"])
def test_files_of_another_packing_are_read_if_the_digest_of_their_content_is_known(home, folder, level):
    files = unpack(PACKED)
    if level is not None:
        files = {f"{name}.gz": gzip.compress(content, level) for name, content in files.items()}
    write(home / folder, files)
    assert is_good(read_entry(FASHION))
    write(home / "data" / "kmnist", files)
    with pytest.raises(DatasetError, match=r"train-images-idx3-ubyte(.gz)?: is not train-images-idx3-ubyte.gz as publ"):
        read_entry(KMNIST)


def test_a_good_copy_is_read_instead_of_a_damaged_one(home):
    name = "t10k-labels-idx1-ubyte.gz"
    write(home / "data" / "kmnist", {**PACKED, name: PACKED[name][:-1]})
    write(home / "cache" / "kmnist", PACKED)
    assert is_good(read_entry(KMNIST))


def test_a_damaged_copy_is_named_where_there_is_no_other(home):
    name = "t10k-labels-idx1-ubyte.gz"
    write(home / "data" / "kmnist", {**PACKED, name: PACKED[name][:-1] + b"?"})
    with pytest.raises(DatasetError, match=rf"Put train.*ignored: .*/data/kmnist/{name}: is not {name} as publish"):
        read_entry(KMNIST)


def test_a_copy_that_cannot_be_read_is_named(home):
    with pytest.raises(DatasetError, match=r"gone\.gz: cannot be read \(No such file or directory\); check its perm"):
        is_published(home / "gone.gz", KMNIST.files[0])


# QMNIST


def test_the_class_is_the_first_column_of_qmnists_labels(home):
    def add_columns(labels: np.ndarray) -> np.ndarray:
        return np.column_stack([labels, STREAM.integers(0, 3000, (len(labels), 7))]).astype(np.int64)

    names = [file.name for file in DATASETS["qmnist"].files]
    arrays = (TRAIN_IMAGES, add_columns(TRAIN_LABELS), TEST_IMAGES, add_columns(TEST_LABELS))
    files = {name: gzip.compress(idx(array)) for name, array in zip(names, arrays, strict=True)}
    entry = shrink(DATASETS["qmnist"], tuple(publish(name, content) for name, content in files.items()))
    write(home / "data" / "qmnist", files)
    data = read_entry(entry)
    assert is_good(data)
    assert data.train.labels.dtype == np.uint8
    source = (*data.train.source, *data.test.source)
    assert [file.sha256 for file in source] == [hashlib.sha256(idx(array)).hexdigest() for array in arrays]


# EMNIST

LETTERS = DATASETS["emnist-letters"]


def emnist_files(first_label: int, name: str = "emnist-letters") -> dict[str, bytes]:
    """Return the files by name; EMNIST stores each image column by column, as if it lay on its side."""
    entry = replace(LETTERS, name=name)
    arrays = {
        ("train", "images"): TRAIN_IMAGES.swapaxes(1, 2),
        ("train", "labels"): (TRAIN_LABELS + first_label).astype(np.uint8),
        ("test", "images"): TEST_IMAGES.swapaxes(1, 2),
        ("test", "labels"): (TEST_LABELS + first_label).astype(np.uint8),
    }
    return {
        emnist_member(entry, *key): gzip.compress(idx(np.ascontiguousarray(array))) for key, array in arrays.items()
    }


def write_emnist(path: Path, files: dict[str, bytes]) -> CatalogueEntry:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"gzip/{name}", content)
    return shrink(LETTERS, (publish("gzip.zip", path.read_bytes()),))


@pytest.mark.parametrize("folder", ["cache/emnist", "data/emnist-letters", "data"])
def test_emnist_is_read_from_its_archive_upright_and_from_0(home, folder):
    entry = write_emnist(home / folder / "gzip.zip", emnist_files(1))
    data = read_entry(entry)
    assert is_good(data)
    assert data.class_names[0] == "A"
    assert locate(entry).endswith(f"{folder}/gzip.zip")


def test_the_labels_of_the_other_sets_of_emnist_count_from_0(home):
    entry = write_emnist(home / "data" / "emnist" / "gzip.zip", emnist_files(0, "emnist-digits"))
    assert is_good(read_entry(replace(entry, name="emnist-digits", class_names=tuple("0123456789"))))


def test_letters_that_count_from_0_are_refused(home):
    entry = write_emnist(home / "data" / "emnist" / "gzip.zip", emnist_files(0))
    with pytest.raises(DatasetError, match=r"train-labels.*: has labels from 0; those of emnist-letters count from 1"):
        read_entry(entry)


def test_another_archive_is_not_emnists(home):
    entry = write_emnist(home / "data" / "emnist" / "gzip.zip", emnist_files(1))
    (home / "data" / "emnist" / "gzip.zip").write_bytes(b"PK" + bytes(entry.files[0].size_bytes - 2))
    with pytest.raises(DatasetError, match=r"Put gzip.zip into .*ignored: .*gzip.zip: is not gzip.zip as publ"):
        read_entry(entry)


# MedMNIST


@pytest.mark.parametrize("channels", [(), (3,)], ids=["grey", "colour"])
def test_medmnist_is_read_from_its_archive_without_the_validation_images(home, channels):
    shape = (28, 28, *channels)
    train, validation, test = (STREAM.integers(0, 256, (count, *shape), dtype=np.uint8) for count in (30, 5, 10))
    path = home / "data" / "bloodmnist.npz"
    path.parent.mkdir()
    np.savez_compressed(
        path, train_images=train, val_images=validation, test_images=test,
        train_labels=(TRAIN_LABELS % 8)[:, np.newaxis].astype(np.uint8), val_labels=np.zeros((5, 1), np.uint8),
        test_labels=(TEST_LABELS % 8)[:, np.newaxis].astype(np.uint8),
    )  # fmt: skip
    content = path.read_bytes()
    entry = shrink(DATASETS["medmnist:bloodmnist"], (publish("bloodmnist.npz", content),))
    data = read_entry(entry)
    assert data.name == "medmnist:bloodmnist"
    np.testing.assert_array_equal(data.train.images.reshape(30, *shape), train)
    np.testing.assert_array_equal(data.test.images.reshape(10, *shape), test)
    np.testing.assert_array_equal(data.test.labels, TEST_LABELS % 8)
    assert data.train.source == (SourceFile("bloodmnist.npz", hashlib.sha256(content).hexdigest()),)
    assert locate(entry) == str(path)


def test_another_archive_is_not_medmnists(home):
    write(home / "data", {"bloodmnist.npz": b"PK another"})
    with pytest.raises(
        DatasetError, match=r"Put bloodmnist\.npz into .* a folder bloodmnist inside .*ignored: .*digest"
    ):
        read_entry(DATASETS["medmnist:bloodmnist"])


# Offline


def test_offline_the_error_says_which_file_to_put_where(home):
    with pytest.raises(DatasetError) as caught:
        read_entry(DATASETS["kmnist"])
    message = str(caught.value)
    for file in DATASETS["kmnist"].files:
        assert file.name in message
    assert f"into {home}/cache/kmnist, or a folder kmnist inside a folder that CONVSCOPE_DATA names" in message
    assert "from https://codh.rois.ac.jp/kmnist/dataset/kmnist/" in message
    assert "\n" not in message
