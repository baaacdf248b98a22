"""The catalogue of named data sets: their entries, the embedded MNIST and its uncompressed copies."""

import gzip
import hashlib
import os
import re
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.data.datasets.test_loading import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, is_good

from convscope.base.errors import DatasetError
from convscope.data.datasets import DATASETS
from convscope.data.datasets.named import catalogue
from convscope.data.datasets.named.catalogue import DATA_FOLDER, cache_folder, find_entry, read_entry
from convscope.data.datasets.named.entries import REFUSED, CatalogueEntry, PublishedFile, url_folder
from convscope.data.datasets.readers.idx import idx_header

MNIST_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


def test_downloads_have_a_digest_a_limit_and_an_address():
    for entry in DATASETS.values():
        for file in entry.files if entry.form != "embedded" else ():
            assert file.urls
            assert file.limit_bytes > 0
            assert file.digests
            assert all(re.fullmatch("[0-9a-f]{32}", digest) for digest in [file.md5] if digest)
            assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in [file.sha256, file.content_sha256] if digest)


def test_only_hosts_without_https_are_asked_without_it():
    folders = {url_folder(url) for entry in DATASETS.values() for file in entry.files for url in file.urls}
    assert {url for url in folders if not url.startswith("https://")} == {
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
    }


def test_the_classes_of_emnist_are_those_of_its_mappings():
    assert "".join(DATASETS["emnist-letters"].class_names) == "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    assert "".join(DATASETS["emnist-byclass"].class_names) == (
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    )
    merged = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"
    assert "".join(DATASETS["emnist-bymerge"].class_names) == merged
    assert "".join(DATASETS["emnist-balanced"].class_names) == merged


@pytest.mark.parametrize("name", REFUSED)
def test_an_unsupported_set_of_medmnist_is_refused(name):
    reason = "several of its 14 findings" if name == "chestmnist" else "volumes of 28 × 28 × 28"
    with pytest.raises(DatasetError, match=f"medmnist:{name}: is not supported: .*{reason}"):
        find_entry(f"medmnist:{name}")
    assert f"medmnist:{name}" not in DATASETS


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pathmist", "'medmnist:pathmist' is not a data set of MedMNIST; did you mean 'medmnist:pathmnist'"),
        ("zebra", "MedMNIST has pathmnist, dermamnist, .*organsmnist"),
        ("", "MedMNIST has pathmnist"),
    ],
)
def test_a_name_that_medmnist_does_not_have_is_refused(name, message):
    with pytest.raises(DatasetError, match=message):
        find_entry(f"medmnist:{name}")


@pytest.mark.slow
def test_the_embedded_files_have_the_published_digests():
    for name, sha256 in MNIST_SHA256.items():
        packed = (DATA_FOLDER / "mnist" / f"{name}.gz").read_bytes()
        assert hashlib.sha256(gzip.decompress(packed)).hexdigest() == sha256


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("CONVSCOPE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def small_entry(tmp_path, monkeypatch, cache) -> CatalogueEntry:  # noqa: ARG001  # with a cache of its own
    """An embedded data set of a few images, without uncompressed copies in the cache."""
    arrays = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)
    files = []
    (tmp_path / "embedded" / "small").mkdir(parents=True)
    for name, array in zip(MNIST_SHA256, arrays, strict=True):
        content = idx_header(array.shape) + array.tobytes()
        files.append(PublishedFile(name, content_sha256=hashlib.sha256(content).hexdigest()))
        (tmp_path / "embedded" / "small" / f"{name}.gz").write_bytes(gzip.compress(content))
    monkeypatch.setattr(catalogue, "DATA_FOLDER", tmp_path / "embedded")
    return replace(DATASETS["mnist"], name="small", class_names=tuple("01234"), files=tuple(files))


def test_the_first_load_leaves_uncompressed_copies(small_entry, cache):
    assert is_good(read_entry(small_entry))
    assert sorted(path.name for path in (cache / "small").iterdir()) == sorted(MNIST_SHA256)
    assert (cache / "small" / "train-images-idx3-ubyte").read_bytes()[16:] == TRAIN_IMAGES.tobytes()


def test_the_second_load_reads_the_copies(small_entry, tmp_path):
    read_entry(small_entry)
    for packed in (tmp_path / "embedded" / "small").iterdir():
        packed.unlink()
    assert is_good(read_entry(small_entry))


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1], lambda content: content[:-1] + b"?", lambda content: content[:0],
        lambda content: content + b"?", lambda content: b"\1" + content[1:],
    ],
    ids=["cut short", "a byte changed", "empty", "a byte more", "wrong magic"],
)  # fmt: skip
def test_a_damaged_copy_is_replaced(small_entry, cache, damage):
    read_entry(small_entry)
    copy = cache / "small" / "train-images-idx3-ubyte"
    good = copy.read_bytes()
    copy.write_bytes(damage(good))
    assert is_good(read_entry(small_entry))
    assert copy.read_bytes() == good


def test_a_data_set_is_read_without_a_writable_cache(small_entry, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("CONVSCOPE_CACHE", str(tmp_path / "file" / "below"))
    assert is_good(read_entry(small_entry))


def test_a_full_disk_neither_fails_the_command_nor_leaves_a_file(small_entry, cache, monkeypatch):
    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert is_good(read_entry(small_entry))
    assert list((cache / "small").iterdir()) == []


def test_an_embedded_file_with_another_digest_is_refused(small_entry, tmp_path):
    packed = tmp_path / "embedded" / "small" / "t10k-labels-idx1-ubyte.gz"
    packed.write_bytes(gzip.compress(idx_header((2,)) + b"\0\1"))
    with pytest.raises(DatasetError, match=r"t10k-labels-idx1-ubyte\.gz: its SHA-256 is .*; reinstall convscope"):
        read_entry(small_entry)


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
def test_the_cache_folder_follows_the_environment(monkeypatch, own, shared, expected):
    monkeypatch.setenv("HOME", "/home/someone")
    for name, value in (("CONVSCOPE_CACHE", own), ("XDG_CACHE_HOME", shared)):
        monkeypatch.setenv(name, value) if value is not None else monkeypatch.delenv(name, raising=False)
    assert cache_folder() == Path(expected)


def test_the_page_on_named_sets_matches_the_catalogue():
    page = (Path(__file__).parents[4] / "docs" / "named_datasets.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([\w:-]+)` \| ([\d,]+ \| [\d,]+ \| \d+)\b", page, re.MULTILINE))
    assert rows == {
        name: f"{entry.num_train:,} | {entry.num_test:,} | {len(entry.class_names)}" for name, entry in DATASETS.items()
    }
    for name in DATASETS:
        row = re.search(rf"^\| `{name}` \|.*$", page, re.MULTILINE)
        assert row is not None
        height, width, channels = DATASETS[name].image_shape
        assert f"{height} × {width} {'colour' if channels == 3 else 'grey'}" in row[0]
        size_bytes = sum(file.size_bytes or 0 for file in DATASETS[name].files)
        # The six sets of EMNIST share one archive, whose size stands in the first of their rows only.
        if size_bytes and not name.startswith("emnist"):
            assert float(re.search(r"([\d.]+) MB", row[0])[1]) == pytest.approx(size_bytes / 1e6, rel=0.1)
