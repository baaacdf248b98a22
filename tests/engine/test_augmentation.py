"""Augmentation: the compiled one equals the readable one, byte by byte, and both do what the recipe says."""

import numpy as np
import pytest

from convscope.engine.augmentation import augment, random_bits
from convscope.engine.native import augment as native_augment
from convscope.recipes import Augmentation
from convscope.streams import stream_key


def random_images(count, height, width, channels, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, channels), np.uint8)


def test_random_bits_are_splitmix64():
    # The published first numbers of the generator from state 1234567.
    first = [random_bits(1234567, np.zeros(1, np.uint64), slot)[0] for slot in range(3)]
    assert first == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_positions_have_streams_of_their_own():
    bits = [random_bits(7, np.arange(1000, dtype=np.uint64), slot) for slot in range(4)]
    assert len(set(np.concatenate(bits).tolist())) == 4000
    ones = np.unpackbits(np.concatenate(bits).view(np.uint8)).mean()
    assert 0.495 < ones < 0.505


@pytest.mark.parametrize("shape", [(28, 28, 1), (9, 11, 3), (1, 5, 2), (7, 1, 1)], ids=str)
@pytest.mark.parametrize("shift", [1, 2, 6, 30])
def test_both_engines_give_the_same_bytes(shape, shift):
    images, augmentation = random_images(200, *shape), Augmentation(shift=shift)
    key = stream_key(3, "augment", 2)
    assert key > 2**63  # the keys use all 64 bits
    expected = augment(images, augmentation, key, 5_000_000_000)
    np.testing.assert_array_equal(native_augment(images, augmentation, key, 5_000_000_000), expected)


def test_a_shift_moves_the_image_and_brings_in_zeros():
    images = np.full((300, 5, 6, 2), 7, np.uint8)
    images[:, 2, 3] = (100, 200)
    seen = set()
    for image in augment(images, Augmentation(shift=2), 1):
        (row,), (column,) = np.nonzero(image[..., 0] == 100)
        assert image[row, column, 1] == 200
        assert (image[..., 0] == 0).sum() == 30 - (5 - abs(row - 2)) * (6 - abs(column - 3))
        seen.add((row - 2, column - 3))
    assert seen == {(down, right) for down in range(-2, 3) for right in range(-2, 3)}


def test_every_shift_has_the_same_chance():
    images = np.zeros((30_000, 3, 3, 1), np.uint8)
    images[:, 1, 1] = 255
    share = augment(images, Augmentation(shift=1), stream_key(0, "augment", 1)).astype(bool).mean(axis=0)
    np.testing.assert_allclose(share, 1 / 9, atol=0.008)


def test_images_do_not_depend_on_how_they_are_cut_into_batches():
    images, augmentation = random_images(20, 8, 8, 1), Augmentation(shift=3)
    parts = [augment(images[i : i + 7], augmentation, 9, i) for i in (0, 7, 14)]
    np.testing.assert_array_equal(np.concatenate(parts), augment(images, augmentation, 9))


def test_no_augmentation_changes_nothing():
    images = random_images(5, 8, 8, 1)
    np.testing.assert_array_equal(augment(images, Augmentation(), 9), images)
    np.testing.assert_array_equal(native_augment(images, Augmentation(), 9), images)
