"""Parquet files with pictures or lists of pixels: the forms that are understood, and tables that are refused."""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.shared import assert_refused_wherever_it_ends, encode_picture as png

from convscope.base.errors import DatasetError
from convscope.data.datasets.loading import load_dataset
from convscope.data.datasets.readers import parquet

from .test_csv_files import join_splits

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 4, 4), dtype=np.uint8)
LABELS = [0, 1, 2] * 4


def pictures(images=IMAGES, *, names=None, **columns) -> pa.Table:
    """Return a table in the form of Hugging Face's image data sets; `names` are class names in its metadata."""
    files = [{"bytes": png(image), "path": f"{i}.png"} for i, image in enumerate(images)]
    table = pa.table({"image": files, "label": LABELS[: len(images)], **columns})
    if names is None:
        return table
    features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
    return table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def lists(kind: pa.DataType, values) -> pa.Table:
    return pa.table({"pixels": pa.array(values, type=kind), "label": LABELS[: len(values)]})


def write(folder: Path, table: pa.Table, name: str = "mine.parquet", **options) -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / name, **options)
    return folder / name


EXPECTED = {image.tobytes(): str(label) for image, label in zip(IMAGES, LABELS, strict=True)}
FLAT = IMAGES.reshape(12, 16)
FORMS = {
    "pictures in structs": pictures(),
    "pictures as bytes": pa.table({"image": [png(image) for image in IMAGES], "label": LABELS}),
    "pictures under another name": pa.table({"scan": [png(image) for image in IMAGES], "kind": LABELS}),
    "labels as text": pictures(label=[str(label) for label in LABELS]),
    "labels as floats": pictures(label=[float(label) for label in LABELS]),
    "labels in a dictionary": pictures(label=pa.array(map(str, LABELS)).dictionary_encode()),
    "lists of pixels": lists(pa.list_(pa.uint8()), FLAT.tolist()),
    "long lists of pixels": lists(pa.large_list(pa.int64()), FLAT.tolist()),
    "lists of one length": lists(pa.list_(pa.uint8(), 16), FLAT.tolist()),
    "lists of rows": lists(pa.list_(pa.list_(pa.uint8())), IMAGES.tolist()),
    "lists of rows with channels": lists(pa.list_(pa.list_(pa.list_(pa.float64()))), IMAGES[..., None].tolist()),
}


@pytest.mark.parametrize("table", FORMS.values(), ids=FORMS)
def test_every_form_gives_the_same_images(tmp_path, table):
    data = load_dataset(write(tmp_path, table))
    assert data.image_shape == (4, 4, 1)
    assert join_splits(data) == EXPECTED
    assert data.class_names == ("0", "1", "2")
    assert not data.train.images.flags.writeable


@pytest.mark.parametrize("options", [{"row_group_size": 5}, {"compression": "zstd"}, {"use_dictionary": False}])
@pytest.mark.parametrize("table", [FORMS["pictures in structs"], FORMS["lists of pixels"]], ids=["pictures", "lists"])
def test_every_compression_is_read(tmp_path, table, options):
    assert join_splits(load_dataset(write(tmp_path, table, **options))) == EXPECTED


def test_rows_read_in_small_batches_are_complete(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "MAX_BYTES", 1)
    for table in (pictures(), FORMS["lists of pixels"]):
        assert join_splits(load_dataset(write(tmp_path, table))) == EXPECTED


def test_names_of_classes_come_from_the_metadata_in_their_order(tmp_path):
    data = load_dataset(write(tmp_path, pictures(names=["T-shirt/top", "Bag", "</script>"])))
    assert data.class_names == ("T-shirt/top", "Bag", "</script>")
    assert data.train.class_counts.sum() + data.test.class_counts.sum() == 12


def test_unknown_or_damaged_metadata_are_ignored(tmp_path):
    for content in (b"{", b"[]", b'{"info": {"features": {"label": {"_type": "Value"}}}}', b"\xff"):
        table = pictures().replace_schema_metadata({"huggingface": content})
        assert load_dataset(write(tmp_path, table)).class_names == ("0", "1", "2")


def test_a_folder_of_hugging_face_gives_both_splits(tmp_path):
    write(tmp_path, pictures(IMAGES[:6]), "data/train-00000-of-00002.parquet")
    write(tmp_path, pictures(IMAGES[6:9]), "data/train-00001-of-00002.parquet")
    write(tmp_path, pictures(IMAGES[9:]), "data/test-00000-of-00001.parquet")
    write(tmp_path, pictures(IMAGES[9:]), "data/validation-00000-of-00001.parquet")
    data = load_dataset(tmp_path)
    np.testing.assert_array_equal(data.train.images[..., 0], IMAGES[:9])
    np.testing.assert_array_equal(data.test.images[..., 0], IMAGES[9:])
    content = (tmp_path / "data" / "train-00001-of-00002.parquet").read_bytes()
    assert data.train.source[1].sha256 == hashlib.sha256(content).hexdigest()


def test_colour_and_grey_pictures_together_have_three_channels(tmp_path):
    images = [*IMAGES[:2], np.stack([IMAGES[2]] * 3, 2)]
    data = load_dataset(write(tmp_path, pictures(images * 2, label=[0, 1, 0] * 2)))
    assert data.image_shape == (4, 4, 3)


def test_pictures_of_other_sizes_are_refused_or_averaged(tmp_path):
    path = write(tmp_path, pictures([*IMAGES[:3], IMAGES[3, :2], *IMAGES[4:6]]))
    with pytest.raises(DatasetError, match="row 4 has an image of 2 × 4 pixels, the first one 4 × 4; give an image"):
        load_dataset(path)
    assert load_dataset(path, image_size=(2, 2), test_fraction=0.5).image_shape == (2, 2, 1)


def test_pixels_that_are_not_of_a_square_need_a_size(tmp_path):
    path = write(tmp_path, lists(pa.list_(pa.uint8()), FLAT[:, :8].tolist()))
    with pytest.raises(DatasetError, match="has 8 pixels per image, which is not a square"):
        load_dataset(path)
    assert load_dataset(path, image_size=(2, 4)).image_shape == (2, 4, 1)


def with_value(value: float | None) -> pa.Table:
    return lists(pa.list_(pa.float64()), [[value, *FLAT[0, 1:].tolist()], *FLAT[1:].tolist()])


REFUSED = {
    "no rows": (pictures().slice(0, 0), "has no row"),
    "no labels": (pa.table({"image": [png(IMAGES[0])]}), "has no label column besides 'image' .there are none."),
    "two odd columns": (pictures().rename_columns(["image", "a"]).append_column("b", [LABELS]), "there are 'a', 'b'"),
    "no images": (pa.table({"label": LABELS, "a": LABELS}), "has no column of pictures or of lists of pixels"),
    "a gap": (with_value(None), "column 'pixels' of the rows from 1 on has missing values; give every pixel a number"),
    "256": (with_value(256.0), "holds 256.0; pixels must be whole numbers from 0 to 255"),
    "nan": (with_value(float("nan")), "holds nan; pixels must be whole"),
    "a fraction": (with_value(0.5), "multiply fractions of 1 by 255 and round them"),
    "minus": (with_value(-1.0), "holds -1.0"),
    "no label in a row": (pictures(label=[None, *LABELS[1:]]), "row 1 has no label; remove splits without labels"),
    "an empty label": (pictures(label=["", *map(str, LABELS[1:])]), "row 1 has no label"),
    "a label of -1": (pictures(names=["a", "b", "c"], label=[*LABELS[:11], -1]), "row 12 has no label"),
    "a label too high": (pictures(names=["a", "b"]), "row 3 has the label 2, but there are 2 class names"),
    "many labels": (
        pictures(label=[[1, 0]] * 12),
        "'label' is list<.*>; the label must be one number or name per image",
    ),
    "no picture": (pictures(image=[{"bytes": b"", "path": "a"}] * 12), "row 1 contains no picture; save the pictures"),
    "no bytes": (pictures(image=[{"bytes": None, "path": "a"}] * 12), "row 1 contains no picture"),
    "a damaged picture": (pictures(image=[{"bytes": b"no", "path": "a"}] * 12), "row 1: "),
    "lists of several lengths": (lists(pa.list_(pa.uint8()), [[1] * 9, [1] * 4, [1] * 14]), "images of several sizes"),
    "lists that average well": (lists(pa.list_(pa.uint8()), [[1] * 4, [1] * 2, [1] * 6]), "images of several sizes"),
    "a list that is missing": (lists(pa.list_(pa.uint8()), [[1] * 4, None]), "has rows without pixels"),
    "an empty list": (lists(pa.list_(pa.uint8()), [[], []]), "has images of several sizes"),
    "lists of text": (lists(pa.list_(pa.string()), [["a"]] * 3), "is list<.*string>; images must be"),
    "lists too deep": (lists(pa.list_(pa.list_(pa.list_(pa.list_(pa.uint8())))), [[[[[1]]]]] * 3), "images must be"),
    "two columns of the same name": (
        pa.table([LABELS, LABELS, LABELS], names=["label", "pixel0", "pixel0"]),
        "has two columns of the same name",
    ),
}


@pytest.mark.parametrize(("table", "message"), REFUSED.values(), ids=REFUSED)
def test_an_impossible_table_is_refused(tmp_path, table, message):
    path = write(tmp_path, table)
    with pytest.raises(DatasetError, match=message) as caught:
        load_dataset(path)
    assert str(caught.value).startswith(str(path))


def test_files_that_name_other_classes_are_refused(tmp_path):
    write(tmp_path, pictures(names=["a", "b", "c"]), "train-0.parquet")
    write(tmp_path, pictures(names=["a", "c", "b"]), "train-1.parquet")
    with pytest.raises(DatasetError, match=r"train-1\.parquet: has other class names than the file before it"):
        load_dataset(tmp_path)
    (tmp_path / "train-1.parquet").rename(tmp_path / "test-1.parquet")
    with pytest.raises(DatasetError, match=r"test-1\.parquet: has other class names than .*train-0\.parquet"):
        load_dataset(tmp_path)


def test_a_split_for_neither_training_nor_testing_is_read_only_by_itself(tmp_path):
    splits = load_dataset(write(tmp_path, pictures(), "validation-0.parquet"))
    assert len(splits.train) + len(splits.test) == 12
    write(tmp_path, pictures(), "extra-0.parquet")
    with pytest.raises(DatasetError, match="no Parquet file of training or test images; name a file, such as"):
        load_dataset(tmp_path)


def test_a_file_cut_short_anywhere_is_refused(tmp_path):
    assert_refused_wherever_it_ends(write(tmp_path, pictures()), load_dataset, DatasetError, 97, r"mine\.parquet: ")


def test_without_pyarrow_the_error_says_what_to_install(tmp_path, monkeypatch):
    path = write(tmp_path, pictures())
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(
        DatasetError, match=r'mine\.parquet: reading Parquet files needs pyarrow; run pip install "pyarrow'
    ):
        load_dataset(path)


@pytest.mark.slow
def test_rows_with_an_extreme_compression_ratio_are_refused(tmp_path):
    # 4 MiB of equal pixels, which Parquet stores in a few kilobytes as runs.
    kind = pa.list_(pa.uint8(), 1 << 12)
    values = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(1 << 22, np.uint8)), 1 << 12)
    table = pa.table({"pixels": values.cast(kind), "label": pa.array(np.arange(1 << 10) % 2)})
    path = write(tmp_path, table, compression="zstd")
    assert path.stat().st_size < 60_000
    with pytest.raises(DatasetError, match="bytes of pixels, which a file of this size cannot hold; download"):
        load_dataset(path)


def test_a_picture_repeated_in_every_row_stays_within_the_memory_bound(tmp_path):
    content = png(np.zeros((900, 900), np.uint8))
    table = pa.table({"image": [content] * 3000, "label": pa.array(np.arange(3000) % 2)})
    path = write(tmp_path, table, compression="zstd")
    assert path.stat().st_size < 100_000
    with pytest.raises(DatasetError, match="bytes of pixels, which a file of this size cannot hold; download"):
        load_dataset(path)
