"""The reader of pickles, which makes nothing that they name."""

import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from tests.interchange.torch_files.programs import pickled

from convscope.interchange.torch_files.pickles import MAX_BYTES, Foreign, StoredTensor, read_pickle


def test_tensors_become_a_note_of_where_they_lie():
    found = read_pickle(pickled({"a.weight": np.zeros((2, 3), np.float32), "b": np.zeros(4, np.float16)}))
    assert found == {
        "a.weight": StoredTensor("0", "torch.FloatStorage", 0, (2, 3), (3, 1)),
        "b": StoredTensor("1", "torch.HalfStorage", 0, (4,), (1,)),
    }


@pytest.mark.parametrize("protocol", range(2, 6))
def test_plain_data_is_read_by_every_protocol(protocol: int):
    shared = ["x"]
    value = {"a": [1, 2.5, True, None, -(2**70)], "b": (1, (2,), (), (3, 4)), "c": {"d": "é"}, "f": [shared, shared]}
    assert read_pickle(pickle.dumps(value, protocol)) == value
    assert read_pickle(pickle.dumps(OrderedDict(value), protocol)) == value


@pytest.mark.parametrize("protocol", range(2, 6))
def test_nothing_that_a_pickle_names_is_called(protocol: int, tmp_path: Path):
    made = tmp_path / "made"

    class Hostile:
        def __reduce__(self):
            return Path.touch, (made,)

    found = read_pickle(pickle.dumps({"a": Hostile()}, protocol))
    assert isinstance(found["a"], Foreign)
    assert not made.exists()
    assert read_pickle(pickle.dumps(print, protocol)) == Foreign(
        "builtins.print" if protocol > 2 else "__builtin__.print"
    )


@pytest.mark.parametrize(
    "content",
    [
        b"", b".", b"\x80\x02", b"\x80\x02]", b"}u.", b"h\x00.", b"}]}s.", b"\x80\x02R.", b"i\n\n.",
        b"X\xff\xff\xff\x7fa.", pickled({"a": np.zeros(3, np.float32)})[:-9], bytes(range(256)), b" " * (MAX_BYTES + 1),
    ],
)  # fmt: skip
def test_a_damaged_pickle_is_refused(content: bytes):
    with pytest.raises(ValueError, match="its description"):
        read_pickle(content)
