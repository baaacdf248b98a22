"""Data files with any bytes: each is read or refused with a `DatasetError`, and a small file takes little memory."""

import gzip
import json
import re
import subprocess
import sys
import tracemalloc
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings, strategies as st
from tests.shared import encode_picture as png

from convscope.base.errors import DatasetError
from convscope.data.datasets.loading import load_dataset

IMAGES = (np.arange(6 * 9) * 5 % 256).astype(np.uint8).reshape(6, 3, 3)
PIXELS = "".join(f"{i % 3},{','.join(map(str, image.ravel()))}\n" for i, image in enumerate(IMAGES))
HEADER = "label," + ",".join(f"pixel{i}" for i in range(9)) + "\n"
TABLE = "file,label,split\n" + "".join(f"{i % 2}.png,{'ab'[i % 2]},{'train' if i else 'test'}\n" for i in range(4))


def parquet(table: pa.Table) -> bytes:
    content = BytesIO()
    pq.write_table(table, content)
    return content.getvalue()


def npz(labels=("a", "b", "c") * 2, save=np.savez_compressed, **arrays) -> bytes:
    content = BytesIO()
    save(content, images=IMAGES, labels=np.array(labels), **arrays)
    return content.getvalue()


def name_classes(labels: pa.Array) -> bytes:
    """Return a Parquet file whose Hugging Face metadata name three classes."""
    features = {"label": {"names": ["a", "b", "c"]}}
    table = pa.table({"x": IMAGES.tolist(), "label": labels})
    return parquet(table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})}))


def zip_of(members: dict[str, bytes]) -> bytes:
    content = BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return content.getvalue()


LABELS = [0, 1, 2] * 2
FILES = {
    "csv": (HEADER + PIXELS).encode(),
    "csv without header": PIXELS.encode(),
    "csv in gzip": gzip.compress((HEADER + PIXELS).encode(), mtime=0),
    "table": TABLE.encode(),
    "npz": npz(),
    "npz that is not packed": npz(save=np.savez, class_names=np.array(["a", "b", "c"])),
    "zip of a tree": zip_of({f"{'ab'[i % 2]}/{i}.png": png(IMAGES[i]) for i in range(4)}),
    "parquet of pictures": parquet(
        pa.table({"image": [{"bytes": png(image), "path": "a"} for image in IMAGES], "label": LABELS})
    ),
    "parquet of lists": parquet(pa.table({"x": IMAGES.tolist(), "label": LABELS})),
    "parquet with class names": name_classes(pa.array(LABELS, pa.uint64())),
}


@pytest.fixture(scope="module")
def scratch(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    for i in range(2):
        (folder / f"{i}.png").write_bytes(png(IMAGES[i]))
    return folder


def reads_or_refuses(folder: Path, content: bytes) -> bool:
    """Read `content`; return True for a data set and False for a `DatasetError` that names the file."""
    path = folder / "data"
    path.write_bytes(content)
    try:
        data = load_dataset(path)
    except DatasetError as error:
        message = str(error)
    else:
        assert len(data.train) > 0
        assert len(data.test) > 0
        return True
    assert str(path) in message
    return False


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_the_undamaged_files_are_valid(scratch, content):
    assert reads_or_refuses(scratch, content)


def beyond_unicode(kind: str) -> np.ndarray:
    """Make labels of NumPy's text type, U1, some with a code above the last character, 0x10ffff."""
    return np.array([0x110001, 97, 98] * 2, kind).view(kind.replace("u4", "U1"))


BAD_LABELS = {
    "characters beyond Unicode": (npz(beyond_unicode("<u4")), "holds text that cannot be read (the character 0x110001"),
    "the same in the other order of bytes": (npz(beyond_unicode(">u4")), "labels holds text that cannot be read"),
    "class names beyond Unicode": (
        npz([0, 1, 2] * 2, class_names=beyond_unicode("<u4")[:3]),
        "class_names holds text that cannot be read",
    ),
    "no text": (npz([""] * 6), "labels: image 1 has no label"),
    "numbers beyond 63 bits in npz": (
        npz(np.array([0, 1, 2**64 - 1] * 2, np.uint64)),
        "labels has the label 18446744073709551615",
    ),
    "numbers beyond 63 bits in Parquet": (
        name_classes(pa.array([0, 1, 2**64 - 1] * 2, pa.uint64())),
        "row 3 has the label 18446744073709551615, but there are 3 class names",
    ),
    "numbers below zero in Parquet": (name_classes(pa.array([0, 1, -2] * 2)), "row 3 has the label -2"),
    "a label of 5,000 digits": ((HEADER + "9" * 5000 + ",0" * 9 + "\n").encode(), "the label has 5,000 characters"),
    "a pixel of 5,000 digits": ((HEADER + "1," + "9" * 5000 + ",0" * 8 + "\n").encode(), "line 2, column 2 is '999"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_LABELS)
def test_labels_that_no_reader_can_hold_are_refused(tmp_path, case):
    content, message = BAD_LABELS[case]
    (tmp_path / "data").write_bytes(content)
    with pytest.raises(DatasetError, match=f"^{re.escape(f'{tmp_path}/data: ')}.*{re.escape(message)}"):
        load_dataset(tmp_path / "data")


@pytest.mark.parametrize(
    ("labels", "message"), [(beyond_unicode("<u4"), "cannot be read"), (np.array([""] * 6), "it: image 1 has no label")]
)
def test_labels_in_an_array_of_their_own_are_refused_by_its_name(tmp_path, labels, message):
    np.save(tmp_path / "x_train.npy", IMAGES)
    np.save(tmp_path / "y_train.npy", labels)
    with pytest.raises(DatasetError, match=f"{tmp_path}/y_train.npy: .*{message}"):
        load_dataset(tmp_path)


FOLDERS = {
    " ": "the folder name ' ' is not a class name; rename it",
    "\t\u00a0": "is not a class name; rename it",
    "a" * 255: None,
    "a\x1b[31m": None,
    "a\u202eb": None,
    "a\nb": None,
    "\udcff\udcfe": None,
    "-": None,
    "=1+1": None,
}


@pytest.mark.parametrize("name", FOLDERS, ids=ascii)
def test_any_name_of_a_class_folder_is_read_or_refused(tmp_path, name):
    for folder in (name, "other"):
        (tmp_path / folder).mkdir()
        for i in range(4):
            (tmp_path / folder / f"{i}.png").write_bytes(png(IMAGES[i]))
    if FOLDERS[name] is None:
        data = load_dataset(tmp_path)
        assert data.num_classes == 2
        assert all(name.encode() for name in data.class_names)  # text that can be written anywhere
    else:
        with pytest.raises(DatasetError, match=f"^{tmp_path}: .*{re.escape(FOLDERS[name])}"):
            load_dataset(tmp_path)


@pytest.mark.slow
@settings(deadline=None)  # the machine may be busy
@given(content=st.binary(max_size=200))
@example(content=b"PAR1PAR1")
@example(content=b"PK\x05\x06" + bytes(18))
def test_any_bytes_are_read_or_refused(scratch, content):
    for start in (b"", b"label,pixel0\n", b"file,label\n", b"PAR1", b"PK\x03\x04", b"\x93NUMPY"):
        reads_or_refuses(scratch, start + content)


@pytest.mark.slow
@settings(deadline=None)  # the machine may be busy
@given(text=st.text("0123456789,;\t|\n\r\"' .+-eExpilabr\ufeff\u0660", max_size=120))
def test_any_text_of_a_table_is_read_or_refused(scratch, text):
    for start in ("", "label,pixel0,pixel1\n", "file,label\n", "0,1,2\n"):
        reads_or_refuses(scratch, (start + text).encode())


@pytest.mark.slow
@settings(deadline=None, max_examples=60)  # each example has ten files; the machine may be busy
@given(data=st.data())
@pytest.mark.parametrize("kind", FILES)
def test_a_good_file_with_bytes_changed_is_read_or_refused(scratch, kind, data):
    content = bytearray(FILES[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, 3))
    reads_or_refuses(scratch, bytes(content[: len(content) - end * 7]))


MANY = "1," * 60_000
BOMBS = {  # a function that makes the file, and the megabytes that reading it may take
    "zeros in gzip": (lambda: gzip.compress(bytes(60 << 20), 1, mtime=0), 20),
    "a line without end in gzip": (lambda: gzip.compress(b"1" * (60 << 20), 1, mtime=0), 20),
    "many cells": (lambda: f"{MANY}1\n{MANY}1\n".encode(), 30),
    "a million names": (lambda: ("label," + "p1," * 1_000_000 + "\n0\n").encode(), 30),
    "many names": (lambda: ("label," + "p1," * 60_000 + "\n0\n").encode(), 30),
    "a million lines of one cell": (lambda: b"label,pixel0\n" + b"1\n" * 1_000_000, 20),
    "a zip of a picture of zeros": (lambda: zip_of({"a/0.png": bytes(200 << 20), "b/0.png": png(IMAGES[0])}), 20),
}


@pytest.mark.slow
@pytest.mark.parametrize(("content", "megabytes"), BOMBS.values(), ids=BOMBS)
def test_a_file_that_would_grow_is_refused_within_its_bounds(tmp_path, content, megabytes):
    (tmp_path / "data").write_bytes(content())
    tracemalloc.start()
    try:
        with pytest.raises(DatasetError):
            load_dataset(tmp_path / "data")
        assert tracemalloc.get_traced_memory()[1] < megabytes << 20
    finally:
        tracemalloc.stop()


PROGRAM = """
import sys
import pyarrow.parquet
from pathlib import Path
from convscope.data.datasets.loading import load_dataset
from convscope.base.errors import DatasetError
from convscope.data.image_files import read_picture

def peak():  # memory that was touched, in KiB; address space is no measure, which allocators reserve by the gigabyte
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

before = peak()
for path in sys.argv[1:]:
    try:
        load_dataset(path)
    except DatasetError as error:
        print(error)
print("grew by", peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux says how much memory a process has")
def test_parquet_files_with_false_page_sizes_stay_within_a_gigabyte(tmp_path):
    # Sizes in the pages' own headers are varints; each is made as large as its bytes let it be.
    good = FILES["parquet of pictures"]
    paths = []
    for index in range(4, min(len(good), 400), 3):
        path = tmp_path / f"{index}.parquet"
        path.write_bytes(good[:index] + b"\xff\xff\xff\x0f" + good[index + 4 :])
        paths.append(str(path))
    completed = subprocess.run(
        [sys.executable, "-c", PROGRAM, *paths], capture_output=True, text=True, timeout=600, check=False
    )
    assert completed.returncode == 0, completed.stderr[-2000:]
    assert "is not a complete Parquet file" in completed.stdout
    assert int(completed.stdout.split()[-1]) < 1 << 20
