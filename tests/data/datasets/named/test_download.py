"""Downloads from a host on loopback: complete files, hosts that fail in each way, and a named set of two hosts."""

import gzip
import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from tests.data.datasets.named.hosts import CONTENT, MD5, endless, fetch, in_chunks, is_alone, sending, stalling, status

from convscope.base.errors import DatasetError
from convscope.data.datasets import DATASETS
from convscope.data.datasets.named import download as module
from convscope.data.datasets.named.catalogue import read_entry
from convscope.data.datasets.named.sources import locate
from convscope.data.datasets.readers.idx import idx_header

ANSWERS = {"with its length": sending(), "without a length": sending(Content_Length=None), "in chunks": in_chunks()}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("size", [{}, {"size_bytes": None, "most_bytes": 10**6}], ids=["known size", "unknown size"])
def test_a_file_is_fetched_whole(host, tmp_path, answer, size):
    assert is_alone(fetch(tmp_path, host.at("/a", answer), **size))


def test_progress_rises_to_the_size(host, tmp_path):
    calls = []
    fetch(tmp_path, host.at("/a", sending()), on_progress=lambda *values: calls.append(values))
    assert {(name, total) for name, _, total in calls} == {("file.gz", len(CONTENT))}
    counts = [count for _, count, _ in calls]
    assert counts == sorted(counts)
    assert counts[-1] == len(CONTENT)


def test_another_file_in_its_place_is_replaced_at_the_end(host, tmp_path):
    path = tmp_path / "cache" / "file.gz"
    path.parent.mkdir()
    path.write_bytes(b"older")
    during_download = []
    fetch(tmp_path, host.at("/a", sending()), on_progress=lambda *_: during_download.append(path.read_bytes()))
    assert during_download[0] == b"older"
    assert is_alone(path)


BAD = {
    "wrong bytes": (sending(b"?" * len(CONTENT)), f"sent other bytes; their MD5 is not {MD5}"),
    "a web page": (sending(b"<html>Sign in</html>", Content_Type="text/html"), "sent other bytes"),
    "not found": (status(404), "answers 404 Not Found"),
    "not now": (status(503), "answers 503 Service Unavailable"),
    "too much": (endless, "sends more than 300,000 bytes"),
    "a length too long": (sending(Content_Length=10**30), "sends more than 300,000 bytes"),
    "chunks that end early": (in_chunks(CONTENT[:1000], end=b""), "ended prematurely|InvalidChunkLength|incomplete"),
    "cut short": (sending(CONTENT[:1000], Content_Length=len(CONTENT)), "sent other bytes|IncompleteRead"),
    "no more bytes": (stalling, "Read timed out"),
    "to a file": (status(302, Location="file:///etc/passwd"), "No connection adapters"),
    "in circles": (status(302, Location="/bad"), "Exceeded 30 redirects"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "message"), BAD.values(), ids=BAD)
def test_the_next_host_makes_up_for_a_bad_one(host, tmp_path, monkeypatch, answer, message):
    if answer is stalling:
        monkeypatch.setattr(module, "TIMEOUT_SECONDS", 0.5)
    bad = host.at("/bad", answer)
    with pytest.raises(DatasetError, match=rf"file\.gz could not be downloaded \(127.0.0.1: .*({message})"):
        fetch(tmp_path, bad)
    assert list((tmp_path / "cache").iterdir()) == []
    assert host.num_sent < 20_000_000  # more than the limit only by what network buffers hold
    monkeypatch.setattr(module, "TIMEOUT_SECONDS", 20 if answer is not stalling else 2)
    assert is_alone(fetch(tmp_path, bad, host.at("/good", sending())))


def test_a_host_that_is_gone_is_named(tmp_path, host):
    host.server.shutdown()
    host.server.server_close()
    with pytest.raises(DatasetError, match=r"127\.0\.0\.1: .*Connection refused"):
        fetch(tmp_path, f"{host.address}/a")


def test_no_password_of_the_user_is_sent(host, tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login ann password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    fetch(tmp_path, host.at("/a", sending()))
    assert host.passwords == [None]


def test_an_interrupted_download_leaves_nothing(host, tmp_path):
    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(tmp_path, host.at("/a", sending()), on_progress=stop)
    assert list((tmp_path / "cache").iterdir()) == []


def test_four_at_once_all_have_the_file(host, tmp_path):
    url = host.at("/a", sending())
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: fetch(tmp_path, url), range(4)))
    assert is_alone(paths[0])


def test_a_folder_that_cannot_be_made_is_named(host, tmp_path):
    (tmp_path / "cache").write_bytes(b"a file")
    with pytest.raises(DatasetError, match=r"cache/file.gz: cannot be written \(.*; free some space, or set CONVSCOPE"):
        fetch(tmp_path, host.at("/a", sending()))


def test_a_full_disk_is_named_and_no_other_host_is_tried(host, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.pooch.HTTPDownloader, "__call__", full)
    with pytest.raises(DatasetError, match=r"file.gz: cannot be written \(No space left on device\)"):
        fetch(tmp_path, host.at("/a", sending()), host.at("/b", sending()))
    assert list((tmp_path / "cache").iterdir()) == []


# A named data set


@pytest.fixture
def kmnist(host, monkeypatch, tmp_path):
    """A small data set that this host publishes: its second address works."""
    for name in ("CONVSCOPE_DATA", "CONVSCOPE_OFFLINE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CONVSCOPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    stream, files = np.random.default_rng(1), []
    for file in DATASETS["kmnist"].files:
        shape = (40, 28, 28) if "images" in file.name else (40,)
        array = stream.integers(0, 10, shape, dtype=np.uint8)
        content = gzip.compress(idx_header(array.shape) + array.tobytes())
        urls = (host.at(f"/down/{file.name}", status(503)), host.at(f"/up/{file.name}", sending(content)))
        md5, size = hashlib.md5(content).hexdigest(), len(content)
        files.append(replace(file, urls=urls, md5=md5, sha256=None, size_bytes=size))
    return replace(DATASETS["kmnist"], files=tuple(files), num_train=40, num_test=40)


def test_a_named_set_is_fetched_once_and_then_read_from_the_cache(host, kmnist, tmp_path: Path):
    first = read_entry(kmnist)
    names = [file.name for file in kmnist.files]
    assert host.paths == [f"/{folder}/{name}" for name in names for folder in ("down", "up")]
    assert {path.name for path in (tmp_path / "cache" / "kmnist").iterdir()} == set(names)
    assert locate(kmnist) == str(tmp_path / "cache" / "kmnist")
    host.paths.clear()
    assert read_entry(kmnist).train.sha256 == first.train.sha256
    assert host.paths == []


def test_the_user_is_asked_for_a_set_that_no_host_has(host, kmnist):
    name = kmnist.files[0].name
    host.at(f"/up/{name}", status(404))
    with pytest.raises(DatasetError) as caught:
        read_entry(kmnist)
    assert f"{name} could not be downloaded (127.0.0.1: answers 503 Service Unavailable; 127.0.0.1: answers 404" in str(
        caught.value
    )
    assert f"Put {name}, " in str(caught.value)
    assert f"from {host.address}/down/ or {host.address}/up/" in str(caught.value)


@pytest.mark.parametrize("value", ["0", "no", ""])
def test_downloads_are_allowed_unless_the_user_forbids_them(host, kmnist, monkeypatch, value):
    monkeypatch.setenv("CONVSCOPE_OFFLINE", value)
    read_entry(kmnist)
    assert host.paths


@pytest.mark.parametrize("value", ["1", "true"])
def test_the_user_can_forbid_downloads(host, kmnist, monkeypatch, value):
    monkeypatch.setenv("CONVSCOPE_OFFLINE", value)
    with pytest.raises(DatasetError, match="CONVSCOPE_OFFLINE forbids downloads"):
        read_entry(kmnist)
    assert not host.paths
