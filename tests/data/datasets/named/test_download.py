import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.data.datasets.named.hosts import (
    CONTENT,
    MD5,
    fetch,
    in_chunks,
    is_whole,
    left_over,
    part,
    saying_length,
    status,
    whole,
    without_length,
    without_range,
)

from convscope.base.errors import DatasetError
from convscope.data.datasets.named import download as module
from convscope.data.datasets.named.parts import STALE_SECONDS

# The plain case


def test_a_file_is_fetched_whole(host, tmp_path):
    assert is_whole(fetch(tmp_path, host.at("/a", whole())))
    assert (host.starts, host.sent) == ([0], len(CONTENT))


def test_the_progress_is_told_from_nothing_to_all(host, tmp_path):
    told = []
    fetch(tmp_path, host.at("/a", whole()), on_progress=lambda *values: told.append(values))
    assert told[0] == ("file.gz", 0, len(CONTENT))
    assert told[-1] == ("file.gz", len(CONTENT), len(CONTENT))
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


def test_where_nobody_knows_the_length_the_progress_says_so(host, tmp_path):
    told = []
    fetch(
        tmp_path,
        host.at("/a", without_length()),
        size_bytes=None,
        most_bytes=10**6,
        on_progress=lambda *values: told.append(values),
    )
    assert {total for _, _, total in told} == {None}


@pytest.mark.parametrize(
    "answer",
    [in_chunks(), without_length(), saying_length("none")],
    ids=["in chunks", "without a length", "with a length that is no number"],
)
@pytest.mark.parametrize("size_bytes", [None, len(CONTENT)])
def test_a_file_without_a_length_is_fetched(host, tmp_path, answer, size_bytes):
    assert is_whole(fetch(tmp_path, host.at("/a", answer), size_bytes=size_bytes, most_bytes=10**6))


def test_all_digests_must_agree(host, tmp_path):
    digests = {"md5": MD5, "sha256": hashlib.sha256(CONTENT).hexdigest()}
    assert is_whole(fetch(tmp_path, host.at("/a", whole()), digests=digests))
    with pytest.raises(DatasetError, match=r"sent other bytes: their SHA256 is .*, not 00"):
        fetch(tmp_path, host.at("/a", whole()), digests={"md5": MD5, "sha256": "00"})


def test_an_older_file_in_its_place_is_replaced_at_the_end_alone(host, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "file.gz").write_bytes(b"older")
    seen = []
    path = tmp_path / "cache" / "file.gz"
    fetch(tmp_path, host.at("/a", whole()), on_progress=lambda *_: seen.append(path.read_bytes()))
    assert set(seen) == {b"older"}
    assert is_whole(path)


# Broken connections


def test_a_connection_that_breaks_off_is_taken_up_where_it_broke(host, tmp_path):
    assert is_whole(fetch(tmp_path, host.at("/a", whole(stop=100_000), whole(stop=50_000), whole())))
    assert host.starts == [0, 100_000, 150_000]
    assert host.sent == len(CONTENT)  # no byte twice


def test_it_is_taken_up_only_if_it_is_still_the_same_version(host, tmp_path):
    fetch(tmp_path, host.at("/a", whole(b"?" * len(CONTENT), etag='"old"', stop=100_000), whole(etag='"new"')))
    assert [request["if_range"] for request in host.requests] == [None, '"old"']
    assert host.sent == 100_000 + len(CONTENT)


def test_a_weak_version_promises_nothing(host, tmp_path):
    fetch(tmp_path, host.at("/a", whole(etag='W/"one"', stop=100_000), whole(etag='W/"one"')))
    assert [request["if_range"] for request in host.requests] == [None, None]


def test_a_host_that_does_not_resume_is_read_from_the_start(host, tmp_path):
    assert is_whole(fetch(tmp_path, host.at("/a", without_range(stop=100_000), without_range())))
    assert host.sent == 100_000 + len(CONTENT)


def test_the_next_host_goes_on_from_there(host, tmp_path):
    first = host.at("/a", whole(stop=100_000), status(503))
    assert is_whole(fetch(tmp_path, first, host.at("/b", whole())))
    assert host.starts == [0, 100_000, 100_000]
    assert host.sent == len(CONTENT)


def test_the_next_call_goes_on_from_there(host, tmp_path):
    with pytest.raises(DatasetError, match="answers 503 Service Unavailable"):
        fetch(tmp_path, host.at("/a", whole(stop=100_000), status(503)))
    assert left_over(tmp_path) == [100_000]
    assert is_whole(fetch(tmp_path, host.at("/a", whole())))
    assert host.sent == len(CONTENT)


def test_an_interrupted_call_leaves_what_came(host, tmp_path):
    def stop(_name, done, _total):
        if done > 100_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(tmp_path, host.at("/a", whole()), on_progress=stop)
    assert left_over(tmp_path)[0] > 50_000
    host.requests.clear()
    assert is_whole(fetch(tmp_path, host.at("/a", whole())))
    assert host.starts[0] > 50_000


def test_an_interrupted_call_leaves_nothing_where_the_host_does_not_resume(host, tmp_path):
    def stop(_name, done, _total):
        if done > 100_000 and len(host.starts) > 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(tmp_path, host.at("/a", without_range(stop=50_000), without_range()), on_progress=stop)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_fetched_file_lies_alone_in_its_folder(host, tmp_path):
    left = part(tmp_path, "99999999-00")
    left.write_bytes(CONTENT[:100])
    os.utime(left, (time.time() - 3600,) * 2)
    part(tmp_path, "waiting").write_bytes(CONTENT[:200_000])
    path = fetch(tmp_path, host.at("/a", whole(stop=250_000), whole()))
    assert list((tmp_path / "cache").iterdir()) == [path]


def test_parts_that_nobody_came_back_for_are_deleted_by_the_next_fetch(host, tmp_path):
    old, fresh = part(tmp_path, "other").with_name("old.waiting.partial"), part(tmp_path, "x").with_name("new.partial")
    for each in (old, fresh):
        each.write_bytes(b"part")
    os.utime(old, (time.time() - STALE_SECONDS - 60,) * 2)
    fetch(tmp_path, host.at("/a", whole()))
    assert (old.exists(), fresh.exists()) == (False, True)


def test_a_whole_file_that_waits_is_asked_of_nobody(host, tmp_path):
    part(tmp_path, "waiting").write_bytes(CONTENT)
    assert is_whole(fetch(tmp_path, host.at("/a", status(404))))
    assert host.requests == []


@pytest.mark.parametrize("size_bytes", [None, len(CONTENT)])
@pytest.mark.parametrize("length", [1000, len(CONTENT), 2 * len(CONTENT)])
def test_what_waits_may_be_rubbish(host, tmp_path, size_bytes, length):
    part(tmp_path, "waiting").write_bytes(b"?" * length)
    assert is_whole(fetch(tmp_path, host.at("/a", whole()), size_bytes=size_bytes, most_bytes=10**6))
    assert host.sent <= 2 * len(CONTENT)


def test_a_partial_file_that_lost_its_writer_is_gone_on_with(host, tmp_path):
    left = part(tmp_path, "99999999-00")
    left.write_bytes(CONTENT[:100_000])
    os.utime(left, (time.time() - 3600,) * 2)
    assert is_whole(fetch(tmp_path, host.at("/a", whole())))
    assert host.starts == [100_000]


def test_a_partial_file_that_is_being_written_is_left_alone(host, tmp_path):
    other = part(tmp_path, "99999999-00")
    other.write_bytes(b"of another process")
    fetch(tmp_path, host.at("/a", whole()))
    assert host.starts == [0]
    assert other.read_bytes() == b"of another process"


def test_a_connection_that_breaks_off_again_and_again_is_given_up(host, tmp_path):
    with pytest.raises(DatasetError, match=f"127.0.0.1: stopped {module.MAX_TRIES} times"):
        fetch(tmp_path, host.at("/a", whole(stop=1000)))
    assert host.starts == [1000 * attempt for attempt in range(module.MAX_TRIES)]


def test_a_host_is_given_a_moment_before_it_is_asked_again(host, tmp_path, monkeypatch):
    pauses = []
    monkeypatch.setattr(module, "PAUSE_SECONDS", 3)
    monkeypatch.setattr(module.time, "sleep", pauses.append)
    fetch(tmp_path, host.at("/a", whole(stop=1000), whole(stop=1000), whole()))
    assert pauses == [3, 3]


def test_a_host_that_brings_nothing_is_asked_once(host, tmp_path):
    with pytest.raises(DatasetError, match="stopped after 0 of 300,000 bytes"):
        fetch(tmp_path, host.at("/a", whole(stop=0)))
    assert len(host.requests) == 1


def test_chunks_that_end_too_early_are_noticed(host, tmp_path):
    assert is_whole(fetch(tmp_path, host.at("/a", in_chunks(CONTENT[:100_000], end=b""), whole())))
    assert host.starts == [0, 100_000]


# Many at once, and a disk that does not want


def test_two_at_once_both_have_the_file(host, tmp_path):
    url = host.at("/a", whole())
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: fetch(tmp_path, url), range(4)))
    assert is_whole(paths[0])


def test_a_folder_that_another_process_deletes_just_then_is_no_error(host, tmp_path, monkeypatch):
    def vanished(_folder, _pattern):
        raise FileNotFoundError(2, "No such file or directory")

    replace = Path.replace

    def replace_and_vanish(partial, path):
        replace(partial, path)
        monkeypatch.setattr(Path, "glob", vanished)

    monkeypatch.setattr(Path, "replace", replace_and_vanish)
    assert is_whole(fetch(tmp_path, host.at("/a", whole())))


def test_two_at_once_do_not_share_what_waits(host, tmp_path):
    part(tmp_path, "waiting").write_bytes(CONTENT[:100_000])
    url = host.at("/a", whole())
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: fetch(tmp_path, url), range(4)))
    assert is_whole(paths[0])
    assert sorted(host.starts).count(100_000) <= 1


def test_a_folder_that_cannot_be_made_is_named(host, tmp_path):
    (tmp_path / "cache").write_bytes(b"a file")
    with pytest.raises(
        DatasetError, match=r"cache/file.gz: cannot be written \(.*\); free some space, or set CONVSCOPE"
    ):
        fetch(tmp_path, host.at("/a", whole()))


def test_a_full_disk_is_named_and_no_other_host_is_tried(host, tmp_path, monkeypatch):
    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DatasetError, match=r"file.gz: cannot be written \(No space left on device\)"):
        fetch(tmp_path, host.at("/a", whole()), host.at("/b", whole()))
    assert len(host.requests) == 1


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/a", "data:,a", "/etc/passwd"])
def test_an_address_of_another_kind_is_refused(tmp_path, url):
    with pytest.raises(ValueError, match=f"{url} is neither https nor http"):
        fetch(tmp_path, url)


def test_a_file_without_a_digest_is_refused(host, tmp_path):
    with pytest.raises(ValueError, match=r"digests is empty, so file\.gz could not be verified"):
        fetch(tmp_path, host.at("/a", whole()), digests={})
    assert host.requests == []
