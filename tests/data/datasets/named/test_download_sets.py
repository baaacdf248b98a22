import gzip
import hashlib
from dataclasses import replace

import numpy as np
import pytest
from tests.data.datasets.named.hosts import status, whole

from convscope.base.errors import DatasetError
from convscope.data.datasets import DATASETS
from convscope.data.datasets.named.catalogue import read_entry
from convscope.data.datasets.named.sources import located
from convscope.data.datasets.readers.idx import idx_header


@pytest.fixture
def kmnist(host, monkeypatch, tmp_path):
    """A small data set that this host publishes, as the answers of its four files and their entry."""
    for name in ("CONVSCOPE_DATA", "CONVSCOPE_OFFLINE", "KERAS_HOME", "TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CONVSCOPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    stream, files = np.random.default_rng(1), []
    for file in DATASETS["kmnist"].files:
        shape = (40, 28, 28) if "images" in file.name else (40,)
        array = stream.integers(0, 10, shape, dtype=np.uint8)
        content = gzip.compress(idx_header(array.shape) + array.tobytes())
        urls = (host.at(f"/down/{file.name}", status(503)), host.at(f"/up/{file.name}", whole(content)))
        md5, size = hashlib.md5(content).hexdigest(), len(content)
        files.append(replace(file, urls=urls, md5=md5, sha256=None, size_bytes=size))
    return replace(DATASETS["kmnist"], files=tuple(files), num_train=40, num_test=40, class_counts=(None, None))


def test_a_named_set_is_fetched_once_and_then_read_from_the_cache(host, kmnist, tmp_path):
    told = []
    first = read_entry(kmnist, on_progress=lambda *values: told.append(values))
    assert [request["path"] for request in host.requests[::2]] == [f"/down/{file.name}" for file in kmnist.files]
    assert sorted(path.name for path in (tmp_path / "cache" / "kmnist").iterdir()) == sorted(
        file.name for file in kmnist.files
    )
    assert {(name, done) for name, done, total in told if done == total} == {
        (file.name, file.size_bytes) for file in kmnist.files
    }
    assert located(kmnist) == str(tmp_path / "cache" / "kmnist")
    host.requests.clear()
    assert read_entry(kmnist).train.sha256 == first.train.sha256
    assert host.requests == []


def test_a_copy_in_the_cache_that_was_damaged_is_fetched_again(host, kmnist, tmp_path):
    read_entry(kmnist)
    name = kmnist.files[1].name
    copy = tmp_path / "cache" / "kmnist" / name
    copy.write_bytes(copy.read_bytes()[:-1] + b"?")
    host.requests.clear()
    read_entry(kmnist)
    assert [request["path"] for request in host.requests] == [f"/down/{name}", f"/up/{name}"]


def test_a_set_that_no_host_gives_is_asked_of_the_user(host, kmnist):
    name = kmnist.files[0].name
    host.at(f"/up/{name}", status(404))
    with pytest.raises(DatasetError) as caught:
        read_entry(kmnist)
    assert f"{name} could not be downloaded (127.0.0.1: answers 503 Service Unavailable; 127.0.0.1: answers 404" in str(
        caught.value
    )
    assert f"Put {name}, " in str(caught.value)
    assert f"from {host.address}/down/ or {host.address}/up/" in str(caught.value)


@pytest.mark.parametrize(("value", "fetched"), [("1", False), ("true", False), ("0", True), ("no", True), ("", True)])
def test_nothing_is_fetched_where_the_user_forbids_it(host, kmnist, monkeypatch, value, fetched):
    monkeypatch.setenv("CONVSCOPE_OFFLINE", value)
    if fetched:
        read_entry(kmnist)
    else:
        with pytest.raises(DatasetError, match="CONVSCOPE_OFFLINE forbids downloads"):
            read_entry(kmnist)
    assert bool(host.requests) == fetched
