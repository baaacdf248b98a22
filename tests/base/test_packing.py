import zlib
from base64 import b64encode

import numpy as np
import pytest

from convscope.base.packing import pack, pack_first, pack_halved, pack_rounded, packed_bytes, unpack


@pytest.mark.parametrize("dtype", [np.float32, np.uint8, np.uint16, np.int8])
def test_an_array_survives_its_json_bit_for_bit(dtype: type[np.generic]) -> None:
    values = (100 * np.random.default_rng(0).normal(size=(2, 3, 4))).astype(dtype)
    restored = unpack(pack(values))
    assert restored.dtype == values.dtype
    assert np.array_equal(restored, values)


def test_a_rounded_array_is_off_by_half_a_scale_at_most() -> None:
    values = np.random.default_rng(1).normal(size=(3, 3, 8, 5)).astype(np.float32) * [1e-4, 1, 10, 1e4, 0]
    block = pack_rounded(values)
    scales = np.abs(values).max(axis=(0, 1, 2)) / 25
    assert np.allclose(block["scales"], scales, rtol=1e-6)
    assert (np.abs(unpack(block) - values) <= scales / 2 * (1 + 1e-5)).all()
    assert not unpack(block)[..., 4].any()


def test_a_halved_array_has_16_levels_and_is_off_by_eight_at_most() -> None:
    values = np.arange(256, dtype=np.uint8).reshape(4, 8, 8, 1)
    found = unpack(pack_halved(values))
    assert (found.dtype, found.shape) == (np.uint8, values.shape)
    assert np.unique(found).tolist() == list(range(0, 256, 17))
    assert np.abs(found.astype(int) - values).max() == 8
    with pytest.raises(ValueError, match="length of its shape"):
        unpack(pack_halved(values) | {"shape": [4, 8, 8, 2]})


@pytest.mark.parametrize("room", [0, 2_000, 50_000, 200_000])
def test_as_many_rows_are_packed_as_fit(room: int) -> None:
    rows = np.random.default_rng(0).integers(0, 256, (150, 30, 30), dtype=np.uint8)
    block = pack_first(rows, room)
    count = block["shape"][0]
    assert np.array_equal(unpack(block), rows[:count])
    assert count == 0 or packed_bytes(block) <= room
    assert count == len(rows) or packed_bytes(pack(rows[: count + 3])) > room
    assert count == {0: 0, 2_000: 0, 50_000: 40, 200_000: 150}[room]


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
def test_a_block_that_is_none_is_refused_before_more_is_unpacked_than_it_says(change: dict, message: str) -> None:
    block = pack(np.zeros(8, np.uint8)) | change
    with pytest.raises(ValueError, match=message):
        unpack(block)
