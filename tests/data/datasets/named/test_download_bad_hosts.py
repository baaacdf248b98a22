import time
from itertools import count
from types import SimpleNamespace

import pytest
from tests.data.datasets.named.hosts import (
    CONTENT,
    MD5,
    MOST_DRIPS,
    another_part,
    dripping,
    endless,
    fetch,
    is_whole,
    left_over,
    part,
    saying_length,
    silent,
    stalling,
    status,
    web_page,
    whole,
    without_length,
)

from convscope.base.errors import DatasetError
from convscope.data.datasets.named import download as module

# What cannot be believed

BAD = {
    "wrong bytes": (whole(b"?" * len(CONTENT)), f"sent other bytes: their MD5 is .*, not {MD5}"),
    "a web page": (web_page(), "sends a web page, not the file"),
    "a web page of an error": (web_page(500), "answers 500 Internal Server Error"),
    "not found": (status(404), "answers 404 Not Found"),
    "not now": (status(503), "answers 503 Service Unavailable"),
    "not allowed": (status(403), "answers 403 Forbidden"),
    "a length too short": (saying_length(1000), "has a file of 1,000 bytes, not 300,000"),
    "a length too long": (saying_length(400_000), "has a file of 400,000 bytes, not 300,000"),
    "a length beyond measure": (saying_length(10**30), "has a file of 1,000,000.* bytes, not 300,000"),
    "another file of the length": (without_length(CONTENT[::-1]), "sent other bytes"),
    "too much": (endless, "sends more than 300,000 bytes"),
    "nothing": (silent, "sent nothing for 0.4 s"),
    "no more": (stalling, "sent nothing for 0.4 s"),
    "a part that was not asked for": (another_part, "sends another part of the file than bytes 0-"),
    "to a file": (status(302, Location="file:///etc/passwd"), "answers 302 .*'file:///etc/passwd' is not allowed"),
    "to FTP": (status(302, Location="ftp://127.0.0.1/x"), "redirects to 'ftp://127.0.0.1/x'"),
    "in circles": (status(302, Location="/bad"), "answers 302 .*redirect"),
}


def patience(answer):
    """The seconds that a host may say nothing: long, so that a busy machine is none of the bad hosts."""
    return 0.4 if answer in (silent, stalling) else 20


@pytest.fixture
def impatient(monkeypatch):
    """Wait for `/bad` as long as `patience` says, and long for every other host."""
    ask = module._answer

    def use(answer):
        def answer_of(url, headers, seconds):
            return ask(url, headers, patience(answer) if url.endswith("/bad") else seconds)

        monkeypatch.setattr(module, "_answer", answer_of)

    return use


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "message"), BAD.values(), ids=BAD)
def test_a_bad_host_is_named_with_the_reason(host, tmp_path, answer, message):
    with pytest.raises(DatasetError, match=rf"file\.gz could not be downloaded \(127.0.0.1: {message}"):
        fetch(tmp_path, host.at("/bad", answer), timeout_seconds=patience(answer))
    assert not (tmp_path / "cache" / "file.gz").exists()


@pytest.mark.slow
@pytest.mark.parametrize("answer", [answer for answer, _ in BAD.values()], ids=BAD)
def test_the_next_host_makes_up_for_a_bad_one(host, tmp_path, impatient, answer):
    impatient(answer)
    assert is_whole(fetch(tmp_path, host.at("/bad", answer), host.at("/good", whole())))


@pytest.mark.slow
@pytest.mark.parametrize("answer", [answer for answer, _ in BAD.values()], ids=BAD)
def test_a_bad_host_does_not_spoil_what_is_there(host, tmp_path, impatient, answer):
    impatient(answer)
    part(tmp_path, "waiting").write_bytes(CONTENT[:100_000])
    assert is_whole(fetch(tmp_path, host.at("/bad", answer), host.at("/good", whole())))


def test_wrong_bytes_leave_nothing(host, tmp_path):
    with pytest.raises(DatasetError):
        fetch(tmp_path, host.at("/a", whole(b"?" * len(CONTENT))))
    assert left_over(tmp_path) == []
    assert len(host.requests) == 1  # asking again would bring the same


@pytest.mark.parametrize(
    "answer",
    [endless, without_length(b"?" * 400_000), saying_length(400_000)],
    ids=["endless", "without a length", "said"],
)
def test_no_more_than_the_limit_is_read(host, tmp_path, answer):
    with pytest.raises(DatasetError, match=r"more than 300,000|the limit is 300,000"):
        fetch(tmp_path, host.at("/a", answer), size_bytes=None, most_bytes=300_000)
    assert left_over(tmp_path) == []
    assert host.sent < 20_000_000  # what lies in the buffers between


def test_a_length_that_is_a_lie_is_no_harm_if_the_bytes_are_right(host, tmp_path):
    url = host.at("/a", saying_length(len(CONTENT) + 5))
    assert is_whole(fetch(tmp_path, url, size_bytes=None, most_bytes=10**6))
    assert len(host.requests) == 1


def test_a_length_that_cuts_the_file_short_is_noticed(host, tmp_path):
    with pytest.raises(DatasetError, match="sent other bytes"):
        fetch(tmp_path, host.at("/a", saying_length(1000)), size_bytes=None, most_bytes=10**6)


def test_a_host_that_is_slow_is_left_for_another(host, tmp_path, monkeypatch):
    ticks = count()  # a second goes by with every piece that comes, however fast the machine is
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: float(next(ticks)), sleep=time.sleep))
    assert is_whole(fetch(tmp_path, host.at("/slow", dripping, status(503)), host.at("/b", whole())))
    assert host.requests[0]["sent"] < MOST_DRIPS
    assert host.starts[-1] > 0  # what it sent is kept


def test_a_host_that_is_gone_is_named(tmp_path, host):
    host.server.shutdown()
    host.server.server_close()
    with pytest.raises(DatasetError, match=r"127\.0\.0\.1: Connection refused"):
        fetch(tmp_path, f"{host.address}/a")


def test_every_host_is_named_with_its_reason(host, tmp_path):
    with pytest.raises(DatasetError, match=r"\(127.0.0.1: answers 404 Not Found; 127.0.0.1: sends a web page"):
        fetch(tmp_path, host.at("/a", status(404)), host.at("/b", web_page()))


def test_a_redirect_is_followed(host, tmp_path):
    there = host.at("/there", whole())
    assert is_whole(fetch(tmp_path, host.at("/here", status(302, Location=there))))


def test_a_part_is_asked_for_through_a_redirect_too(host, tmp_path):
    there = host.at("/there", whole(stop=100_000), whole())
    assert is_whole(fetch(tmp_path, host.at("/here", status(302, Location=there))))
    assert host.sent == len(CONTENT)


def test_a_proxy_of_the_environment_is_used(host, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", host.address)
    monkeypatch.delenv("no_proxy", raising=False)
    host.at("http://data.invalid/a", whole())
    assert is_whole(fetch(tmp_path, "http://data.invalid/a"))
    assert [request["path"] for request in host.requests] == ["http://data.invalid/a"]


def test_https_is_never_left_for_http():
    request = module.urllib.request.Request("https://data.invalid/a")
    with pytest.raises(module._FailedError, match=r"redirects to 'http://data\.invalid/b'"):
        module._Redirects().redirect_request(request, None, 302, "Found", {}, "http://data.invalid/b")
