"""The file of labels and predictions that a comparison reads."""

import io
import struct
import zipfile

import numpy as np
import pytest

from convscope.base.errors import DatasetError
from convscope.evidence.comparison.predictions_file import read_labels_and_predictions

Y_TRUE, Y_PRED = np.array([0, 1, 2, 1]), np.array([0, 1, 1, 1])


def encode_npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def zip_array(header, body=b""):
    """Make an archive whose only array, y_true, has this header text and these bytes.

    A .npy file has 10 bytes and a text that together are a multiple of 64: here 10 + 118 = 128.
    """
    text = header.encode().ljust(117) + b"\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("y_true.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body)
    return buffer.getvalue()


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.int32])
def test_labels_and_predictions_are_what_was_saved(tmp_path, dtype):
    path = tmp_path / "predictions.npz"
    y_prob = np.zeros((4, 3), np.float32)
    path.write_bytes(encode_npz(y_true=Y_TRUE.astype(dtype), y_pred=Y_PRED.astype(dtype), y_prob=y_prob))
    y_true, y_pred = read_labels_and_predictions(path, 4, 3)
    np.testing.assert_array_equal(y_true, Y_TRUE)
    np.testing.assert_array_equal(y_pred, Y_PRED)
    assert y_true.dtype == y_pred.dtype == np.int64


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a complete .npz archive"),
        (b"PK\x03\x04 and nothing more", "is not a complete .npz archive"),
        (encode_npz(y_true=Y_TRUE), "has no array y_pred"),
        (encode_npz(y_true=Y_TRUE[:3], y_pred=Y_PRED[:3]),
         r"int64 of shape \(3,\); by run.json it must be 4 whole numbers"),
        (encode_npz(y_true=Y_TRUE, y_pred=Y_PRED.astype(float)), r"y_pred is float64 of shape \(4,\)"),
        (encode_npz(y_true=Y_TRUE, y_pred=Y_PRED + 2), "y_pred runs from 2 to 3, but there are 3 classes"),
        (encode_npz(y_true=Y_TRUE - 1, y_pred=Y_PRED), "y_true runs from -1 to 1"),
        (encode_npz(y_true=Y_TRUE, y_pred=np.array([{}, 1, 2, 3], object)), r"y_pred is object of shape \(4,\)"),
        (zip_array("{'descr': '<i8', 'fortran_order': False, 'shape': (4294967296,), }"),
         r"shape \(4294967296,\); by run.json it must be 4"),
        (zip_array("{'descr': '<i8', 'fortran_order': False, 'shape': (4,), }", b"\0" * 16),
         "should contain int64 of shape"),
        (zip_array("__import__('os').abort()"), "y_true has no readable .npy header"),
        (encode_npz(y_true=Y_TRUE, y_pred=Y_PRED)[:200], "is not a complete .npz archive"),
    ],
)  # fmt: skip
def test_damaged_and_hostile_files_are_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "predictions.npz"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=message) as caught:
        read_labels_and_predictions(path, 4, 3)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_file_whose_headers_promise_much_takes_no_memory(tmp_path):
    path = tmp_path / "predictions.npz"
    path.write_bytes(zip_array(f"{{'descr': '<i8', 'fortran_order': False, 'shape': ({1 << 40},), }}"))
    with pytest.raises(DatasetError, match="should contain int64 of shape"):
        read_labels_and_predictions(path, 1 << 40, 3)  # run.json may promise as much
