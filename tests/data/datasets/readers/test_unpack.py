"""Compressed files and archives, read in pieces and within a limit of expansion."""

import gzip
import tracemalloc
import zipfile
from io import BytesIO

import pytest

from convscope.base.errors import DatasetError
from convscope.data.datasets.data_file import DEFLATE_RATIO, DataFileError
from convscope.data.datasets.readers.unpack import ByteStream, open_stream, zip_names

CONTENT = bytes(range(256)) * 40


def zip_members(**members: bytes) -> bytes:
    content = BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return content.getvalue()


PACKED = {
    "plain": CONTENT,
    "gzip": gzip.compress(CONTENT),
    "zip": zip_members(inner=CONTENT),
    "gzip in zip": zip_members(inner=gzip.compress(CONTENT)),
    "gzip in gzip": gzip.compress(gzip.compress(CONTENT)),
    "gzip joined": gzip.compress(CONTENT[:100]) + gzip.compress(b"") + gzip.compress(CONTENT[100:]),
}


@pytest.mark.parametrize("content", PACKED.values(), ids=PACKED)
@pytest.mark.parametrize("step", [1, 1000, 1 << 20])
def test_content_is_read_in_pieces_of_any_size(tmp_path, content, step):
    (tmp_path / "file").write_bytes(content)
    pieces = []
    with open_stream(tmp_path / "file") as stream:
        assert stream.max_bytes >= len(CONTENT)
        assert stream.peek(3) == CONTENT[:3]
        while piece := stream.read_some(step):
            assert len(piece) <= step
            pieces.append(piece)
        assert stream.read_some(step) == b""
    assert b"".join(pieces) == CONTENT


def test_a_member_is_found_by_its_name(tmp_path):
    (tmp_path / "file").write_bytes(zip_members(a=b"no", **{"below/b.gz": gzip.compress(CONTENT)}))
    with open_stream(tmp_path / "file", "below/b.gz") as stream:
        assert stream.read(len(CONTENT) + 1) == CONTENT
    assert zip_names(tmp_path / "file") == ("a", "below/b.gz")


def test_hidden_system_files_of_an_archive_are_ignored(tmp_path):
    (tmp_path / "file").write_bytes(zip_members(**{"a": b"1", "__MACOSX/a": b"2", "b/.DS_Store": b"3", "c/": b""}))
    assert zip_names(tmp_path / "file") == ("a",)
    with open_stream(tmp_path / "file") as stream:
        assert stream.read(9) == b"1"


DAMAGED = {
    "gzip cut short": (gzip.compress(CONTENT)[:-3], "its gzip stream ends too early"),
    "gzip with another checksum": (gzip.compress(CONTENT)[:-8] + bytes(8), "its gzip stream is damaged"),
    "gzip with garbage behind": (gzip.compress(CONTENT) + b"garbage", "its gzip stream is damaged"),
    "zip of two files": (zip_members(a=b"", b=b""), "is an archive of 2 files ('a', 'b'); unpack it and name one"),
    "zip of a folder": (zip_members(**{"a/": b""}), "is an archive of 0 files (nothing)"),
    "zip cut short": (zip_members(a=CONTENT)[:-9], "is not a complete zip archive"),
    "zip with another checksum": (
        zip_members(a=b"abc").replace((0x352441C2).to_bytes(4, "little"), bytes(4)),
        "the archive is damaged (Bad CRC-32",
    ),
}


@pytest.mark.parametrize(("content", "message"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_refused(tmp_path, content, message):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(DatasetError) as caught, open_stream(tmp_path / "file") as stream:
        stream.read(1 << 20)
    assert str(caught.value).startswith(f"{tmp_path / 'file'}: {message}")


def test_a_missing_member_is_refused_by_its_name(tmp_path):
    (tmp_path / "file").write_bytes(zip_members(a=b""))
    with pytest.raises(DatasetError, match=r"file: b: is not in the archive"), open_stream(tmp_path / "file", "b"):
        pass
    (tmp_path / "file").write_bytes(b"hello")
    with pytest.raises(DatasetError, match=r"is not a complete zip archive"):
        zip_names(tmp_path / "file")


def test_an_error_of_the_reader_names_the_archive_member(tmp_path):
    (tmp_path / "file").write_bytes(zip_members(a=b""))
    with pytest.raises(DatasetError, match="file: a: is odd"), open_stream(tmp_path / "file", "a"):
        raise DataFileError("is odd")


@pytest.mark.slow
def test_zeros_stay_within_the_expansion_limit_and_take_little_memory(tmp_path):
    # Nothing is packed better than zeros, so the limit of expansion must let them pass.
    (tmp_path / "file").write_bytes(gzip.compress(bytes(1 << 26)))
    tracemalloc.start()
    try:
        with open_stream(tmp_path / "file") as stream:
            assert stream.max_bytes >= 1 << 26
            size = sum(len(piece) for piece in iter(lambda: stream.read_some(1 << 18), b""))
        assert size == 1 << 26
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


def pack_twice() -> bytes:
    return gzip.compress(gzip.compress(bytes(20_000_000)))


@pytest.mark.slow
@pytest.mark.parametrize("content", [pack_twice, lambda: zip_members(inner=pack_twice())], ids=["alone", "in a zip"])
def test_nested_archives_share_one_expansion_limit(tmp_path, content):
    packed = content()
    (tmp_path / "file").write_bytes(packed)
    pieces = []

    def read():
        with open_stream(tmp_path / "file") as stream:
            assert stream.max_bytes <= DEFLATE_RATIO * len(packed)
            pieces.extend(len(piece) for piece in iter(lambda: stream.read_some(1 << 18), b""))

    with pytest.raises(DatasetError, match=r"its gzip stream gives more than [0-9,]* bytes"):
        read()
    assert sum(pieces) <= DEFLATE_RATIO * len(packed)


@pytest.mark.parametrize("pack", [gzip.compress, lambda content: zip_members(inner=content)])
def test_no_file_gives_more_than_the_cap_however_large_it_is(tmp_path, monkeypatch, pack):
    monkeypatch.setattr("convscope.data.datasets.readers.unpack.MAX_UNPACKED_BYTES", 9_999)
    (tmp_path / "file").write_bytes(pack(bytes(10_000)))
    with pytest.raises(DatasetError, match=r"9,999.*; unpack"), open_stream(tmp_path / "file") as stream:
        stream.read(10_000)


def test_peeking_consumes_nothing():
    stream = ByteStream(BytesIO(b"abcdef").read, 6)
    assert stream.peek(4) == b"abcd"
    assert stream.peek(2) == b"ab"
    assert stream.read_some(1) == b"a"
    assert stream.read(9) == b"bcdef"
    assert stream.peek(1) == b""
