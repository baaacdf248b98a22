"""Arrays packed as text in JSON: exactly, rounded, or halved, and as many rows as fit; false blocks are refused."""

import zlib
from base64 import b64encode

import numpy as np
import pytest
from tests.shared import unpack

from convscope.base.packing import Packed, RowPacker, pack_halved, pack_rounded


@pytest.mark.parametrize("dtype", [np.float32, np.uint8, np.uint16, np.int8])
def test_an_array_survives_its_json_bit_for_bit(dtype: type[np.generic]) -> None:
    values = (100 * np.random.default_rng(0).normal(size=(2, 3, 4))).astype(dtype)
    restored = unpack(Packed.from_array(values).to_dict())
    assert restored.dtype == values.dtype
    assert np.array_equal(restored, values)


def test_a_rounded_array_is_off_by_half_a_scale_at_most() -> None:
    values = np.random.default_rng(1).normal(size=(3, 3, 8, 5)).astype(np.float32) * [1e-4, 1, 10, 1e4, 0]
    packed = pack_rounded(values)
    scales = np.abs(values).max(axis=(0, 1, 2)) / 25  # each channel has integers from -25 to 25
    assert np.allclose(packed.scales, scales, rtol=1e-6)
    assert (np.abs(packed.unpack() - values) <= scales / 2 * (1 + 1e-5)).all()
    assert not packed.unpack()[..., 4].any()


def test_a_halved_array_has_16_levels_and_is_off_by_eight_at_most() -> None:
    values = np.arange(256, dtype=np.uint8).reshape(4, 8, 8, 1)
    packed = pack_halved(values)
    halved = packed.unpack()
    assert (halved.dtype, halved.shape) == (np.uint8, values.shape)
    assert np.unique(halved).tolist() == list(range(0, 256, 17))
    assert np.abs(halved.astype(int) - values).max() == 8
    with pytest.raises(ValueError, match="length of its shape"):
        unpack(packed.to_dict() | {"shape": [4, 8, 8, 2]})


def test_only_arrays_packed_elsewhere_are_unpacked_to_be_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = Packed.from_array(np.random.default_rng(2).normal(size=9).astype(np.float32)).to_dict()
    unpacked = []
    monkeypatch.setattr(Packed, "unpack", lambda self: unpacked.append(self.shape))
    assert Packed(**fields | {"shape": (9,)}).to_dict() == fields
    assert unpacked == []
    Packed(**fields | {"shape": (3, 3)})
    assert unpacked == [(3, 3)]


@pytest.mark.parametrize(("max_bytes", "count"), [(0, 0), (2_000, 0), (50_000, 40), (200_000, 150)])
def test_rows_are_packed_until_their_json_is_full(max_bytes: int, count: int) -> None:
    # A row takes about 30 * 30 * 4 / 3 = 1,200 bytes in base64, since noise cannot be compressed.
    rows = np.random.default_rng(0).integers(0, 256, (150, 30, 30), dtype=np.uint8)
    packed = RowPacker(rows).pack(max_bytes)
    assert packed.shape[0] == count
    assert np.array_equal(packed.unpack(), rows[:count])
    assert count == 0 or packed.num_json_bytes <= max_bytes
    # A packer goes in steps of a 64th of all rows: of 2 or 3.
    assert count == len(rows) or Packed.from_array(rows[: count + 3]).num_json_bytes > max_bytes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": [10**12]}, r"`int` <= 268435456 - at `\$\.shape"),
        ({"shape": [1 << 20, 1 << 20]}, "is larger than any"),
        ({"shape": [-1]}, r"`int` >= 0 - at `\$\.shape"),
        ({"shape": "8"}, r"got `str` - at `\$\.shape`"),
        ({"shape": [7]}, "not have the length of its shape"),
        ({"shape": [9]}, "not have the length of its shape"),
        ({"data": "AAAA"}, "cannot be unpacked"),
        ({"data": "ä"}, "ASCII"),
        ({"data": b64encode(zlib.compress(bytes(1 << 24), 1)).decode()}, "not have the length of its shape"),
    ],
)
def test_a_false_block_is_refused_before_unpacking_more_than_it_states(change: dict, message: str) -> None:
    block = Packed.from_array(np.zeros(8, np.uint8)).to_dict() | change
    with pytest.raises(ValueError, match=message):
        unpack(block)
