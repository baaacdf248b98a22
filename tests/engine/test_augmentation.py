"""Augmentation: the compiled implementation equals the one in NumPy, and both follow the recipe."""

import numpy as np
import pytest
from scipy import ndimage, stats

from convscope.architecture import presets
from convscope.base.streams import stream_key
from convscope.data.datasets import Dataset
from convscope.engine import initial_weights, open_network
from convscope.engine.augmentation import _interpolate, _smooth, augment, random_bits
from convscope.engine.native import augment as native_augment
from convscope.engine.processor import instruction_sets
from convscope.recipes import Augmentation

from .epochs import assert_same_bits, train

ALL = Augmentation(2, 15.0, 0.2, 10.0, 0.1, 20.0, 4.0, 4, 0.3, 30.0, 10.0, stretch=0.1, horizontal_flip=True)
SHAPES = [(28, 28, 1), (9, 11, 3), (1, 5, 2), (7, 1, 1), (1, 1, 1), (33, 70, 1), (65, 32, 3), (6, 31, 4)]


def random_images(count, height, width, channels, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, channels), np.uint8)


# --- Random numbers ---------------------------------------------------------------------------------------------------


def test_random_bits_are_splitmix64():
    # The published first numbers of the generator from state 1234567.
    assert random_bits(1234567, 0, 0, 3).tolist() == [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert random_bits(1234567, 0, 2).tolist() == [9817491932198370423]


def test_positions_have_streams_of_their_own():
    bits = np.concatenate([random_bits(7, position, 0, 4) for position in range(1000)])
    assert len(set(bits.tolist())) == 4000
    assert 0.495 < np.unpackbits(bits.view(np.uint8)).mean() < 0.505


# --- Two engines ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_both_engines_give_the_same_bytes_where_none_is_rounded(shape):
    images, key = random_images(60, *shape), stream_key(3, "augment", 2)
    assert key > 2**63  # the keys use all 64 bits
    for augmentation in (
        Augmentation(shift=1), Augmentation(shift=30), Augmentation(cutout=1), Augmentation(4, cutout=8),
        Augmentation(horizontal_flip=True), Augmentation(3, cutout=3, horizontal_flip=True),
    ):  # fmt: skip
        expected = augment(images, augmentation, key, 5_000_000_000)
        changed = native_augment(images, augmentation, key, 5_000_000_000)
        np.testing.assert_array_equal(changed, expected, err_msg=str(augmentation))


@pytest.mark.parametrize("engine", [augment, native_augment])
@pytest.mark.parametrize("shape", [(8, 8, 1), (9, 33, 3)], ids=str)
def test_images_do_not_depend_on_how_they_are_cut_into_batches(engine, shape):
    images = random_images(20, *shape)
    parts = [engine(images[i : i + 7], ALL, 9, i) for i in (14, 0, 7)]
    np.testing.assert_array_equal(np.concatenate([parts[1], parts[2], parts[0]]), engine(images, ALL, 9))


@pytest.mark.parametrize("engine", [augment, native_augment])
def test_no_augmentation_changes_nothing(engine):
    images = random_images(5, 8, 8, 1)
    np.testing.assert_array_equal(engine(images, Augmentation(), 9), images)
    np.testing.assert_array_equal(engine(images, Augmentation(elastic_sigma=2), 9), images)


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_training_uses_the_augmented_images(engine):
    images, labels, order = random_images(75, 9, 11, 3), np.arange(75) % 5, np.random.default_rng(3).permutation(75)
    dataset, architecture = Dataset(images, labels, tuple("01234")), presets.ann((9, 11, 3), 5)
    change = augment if engine == "reference" else native_augment
    changed = Dataset(change(images[order], ALL, 5), labels[order], dataset.class_names)
    plain, augmented = (open_network(architecture, initial_weights(architecture, 0), engine) for _ in range(2))
    train(plain, changed, 16)
    train(augmented, dataset, 16, order, augmentation=ALL, augmentation_key=5)
    assert_same_bits(plain.weights(), augmented.weights())


# --- Geometric changes ------------------------------------------------------------------------------------------------


def test_a_shift_moves_the_image_and_brings_in_zeros():
    images = np.full((300, 5, 6, 2), 7, np.uint8)
    images[:, 2, 3] = (100, 200)
    shifts = set()
    for image in augment(images, Augmentation(shift=2), 1):
        (row,), (column,) = np.nonzero(image[..., 0] == 100)
        assert image[row, column, 1] == 200
        num_kept = (5 - abs(row - 2)) * (6 - abs(column - 3))
        assert (image[..., 0] == 0).sum() == 5 * 6 - num_kept
        shifts.add((row - 2, column - 3))
    assert shifts == {(down, right) for down in range(-2, 3) for right in range(-2, 3)}


def test_every_shift_has_the_same_chance():
    images = np.zeros((30_000, 3, 3, 1), np.uint8)
    images[:, 1, 1] = 255
    share = native_augment(images, Augmentation(shift=1), stream_key(0, "augment", 1)).astype(bool).mean(axis=0)
    np.testing.assert_allclose(share, 1 / 9, atol=0.008)


@pytest.mark.parametrize("engine", [augment, native_augment])
def test_a_flip_mirrors_every_second_augmented_image(engine):
    images = random_images(200, 12, 7, 3)
    resampling = {"rotation": 20.0, "scale": 0.2, "shear": 10.0, "crop": 0.2}  # which may round to another grey level
    for arguments, tolerance in (({}, 0), ({"shift": 2}, 0), (resampling, 1)):
        plain = engine(images, Augmentation(**arguments), 11).astype(int)
        flipped = engine(images, Augmentation(**arguments, horizontal_flip=True), 11)
        kept, mirrored = (
            np.abs(flipped - image).max(axis=(1, 2, 3)) <= tolerance for image in (plain, plain[:, :, ::-1])
        )
        assert (kept ^ mirrored).all()
        assert 70 < mirrored.sum() < 130  # of 200; four standard deviations are 28


SIZE = 43  # of an image whose two channels are 5 · row and 5 · column of each pixel; 5 · 43 < 256
MIDDLE = slice(16, 27)  # rows and columns that are still read from within the image
POSITIONS = np.indices((SIZE, SIZE)).transpose(1, 2, 0)[MIDDLE, MIDDLE] - SIZE // 2  # from the middle of the image


def measure_maps(augmentation, count=200):
    """Return (count, 2, 3): for each image the affine map from a position to the one where its pixel is read.

    Fitted by least squares; positions are (row, column) from the middle, the last column of a map is its offset. Where
    nothing changes, a map is [[1, 0, 0], [0, 1, 0]].
    """
    image = (5 * np.indices((SIZE, SIZE))).astype(np.uint8).transpose(1, 2, 0)
    augmented = native_augment(np.tile(image, (count, 1, 1, 1)), augmentation, 11)
    sources = augmented[:, MIDDLE, MIDDLE] / 5 - SIZE // 2
    known = np.concatenate([POSITIONS.reshape(-1, 2), np.ones((POSITIONS.size // 2, 1))], axis=1)
    solutions = [np.linalg.lstsq(known, source.reshape(-1, 2), rcond=None) for source in sources]
    assert max(np.sqrt(error.sum() / len(known)) for _, error, _, _ in solutions) < 0.12  # grey levels are 0.2 apart
    return np.array([solution.T for solution, _, _, _ in solutions])


def assert_even(values, low, high):
    """Check that values are spread evenly over an interval, of which they fill nearly all."""
    width = high - low
    assert low - 0.01 * width < values.min() < low + 0.05 * width
    assert high - 0.05 * width < values.max() < high + 0.01 * width
    assert stats.kstest((values - low) / width, "uniform").pvalue > 1e-3


def test_a_rotation_turns_about_the_middle():
    maps = measure_maps(Augmentation(rotation=30))
    np.testing.assert_allclose(
        maps[:, :, :2] @ maps[:, :, :2].transpose(0, 2, 1), np.tile(np.eye(2), (200, 1, 1)), atol=0.03
    )
    np.testing.assert_allclose(maps[:, :, 2], 0, atol=0.03)
    assert_even(np.degrees(np.arctan2(maps[:, 0, 1], maps[:, 0, 0])), -30, 30)


def test_a_scale_stretches_both_sides_alike():
    maps = measure_maps(Augmentation(scale=0.3))
    np.testing.assert_allclose(maps[:, 0, 0], maps[:, 1, 1], atol=0.02)
    np.testing.assert_allclose(maps[:, [0, 1], [1, 0]], 0, atol=0.01)
    np.testing.assert_allclose(maps[:, :, 2], 0, atol=0.03)
    assert_even(1 / maps[:, 0, 0], 0.7, 1.3)


def test_a_stretch_gives_each_side_a_factor_of_its_own():
    maps = measure_maps(Augmentation(stretch=0.3))
    down, right = -np.log(maps[:, 0, 0]), -np.log(maps[:, 1, 1])
    np.testing.assert_allclose(maps[:, [0, 1], [1, 0]], 0, atol=0.01)
    np.testing.assert_allclose(maps[:, :, 2], 0, atol=0.03)
    for factors in (down, right):
        assert_even(factors, -0.3, 0.3)
    assert abs(np.corrcoef(down, right)[0, 1]) < 0.25


def test_a_shear_moves_rows_along_themselves():
    maps = measure_maps(Augmentation(shear=35))
    np.testing.assert_allclose(maps[:, 0], np.tile([1, 0, 0], (200, 1)), atol=0.01)
    np.testing.assert_allclose(maps[:, 1, [1, 2]], np.tile([1, 0], (200, 1)), atol=0.03)
    assert_even(np.degrees(np.arctan(maps[:, 1, 0])), -35, 35)


def test_a_crop_is_a_window_of_the_image():
    maps = measure_maps(Augmentation(crop=0.4))
    side = maps[:, 0, 0]
    np.testing.assert_allclose(side, maps[:, 1, 1], atol=0.04)
    np.testing.assert_allclose(maps[:, [0, 1], [1, 0]], 0, atol=0.01)
    assert_even(side, 0.6, 1)
    small = side < 0.9
    # A window of 0.6 of the image leaves 0.4 beside it: its middle lies up to 0.2 · SIZE from that of the image.
    for offset in (maps[small, 0, 2], maps[small, 1, 2]):
        assert_even(offset / ((1 - side[small]) * SIZE / 2), -1, 1)


def test_a_window_shows_nothing_but_the_image():
    images = np.full((100, 9, 14, 3), 255, np.uint8)
    inner = native_augment(images, Augmentation(crop=0.5), 3)[:, 1:-1, 1:-1]
    assert (inner == 255).all()


def test_a_composed_augmentation_is_the_product_of_its_parts():
    parts = (Augmentation(rotation=20), Augmentation(shear=15), Augmentation(scale=0.1))
    rotation, shear, scale = (measure_maps(part, 20)[:, :, :2] for part in parts)
    composed = measure_maps(Augmentation(rotation=20, shear=15, scale=0.1), 20)
    np.testing.assert_allclose(composed[:, :, :2], scale @ shear @ rotation, atol=0.04)


def test_an_elastic_deformation_moves_each_pixel_by_a_smooth_field():
    sigma, alpha = 3.0, 15.0
    image = (5 * np.indices((SIZE, SIZE))).astype(np.uint8).transpose(1, 2, 0)
    changed = native_augment(np.tile(image, (300, 1, 1, 1)), Augmentation(elastic=alpha, elastic_sigma=sigma), 4)
    moved = changed[:, MIDDLE, MIDDLE] / 5 - SIZE // 2 - POSITIONS
    # A number from -1 to 1 has variance 1/3, and a Gaussian mean of them in the plane 1 / (4 π σ²) of that.
    assert moved.std() == pytest.approx(alpha * np.sqrt(1 / 3 / (4 * np.pi * sigma**2)), rel=0.05)
    assert abs(np.corrcoef(moved[..., 0].ravel(), moved[..., 1].ravel())[0, 1]) < 0.03
    for distance in (1, 3, 6):  # a Gaussian with itself is one of √2 σ
        near = np.mean(moved[:, distance:] * moved[:, :-distance]) / np.mean(moved**2)
        assert near == pytest.approx(np.exp(-(distance**2) / (4 * sigma**2)), abs=0.06)


def test_smooth_is_a_gaussian_filter():
    field = np.random.default_rng(0).uniform(-1, 1, (17, 9))
    expected = ndimage.gaussian_filter(field, 2.0, truncate=3.0, mode="constant")
    np.testing.assert_allclose(_smooth(field, 2.0), expected, atol=1e-12)


def test_bilinear_reads_between_pixels_and_zeros_outside():
    image, stream = random_images(1, 9, 12, 3)[0], np.random.default_rng(0)
    rows, columns = stream.uniform(-4, 13, (9, 12)), stream.uniform(-4, 16, (9, 12))
    expected = [
        ndimage.map_coordinates(image[..., c].astype(float), [rows, columns], order=1, mode="grid-constant")
        for c in range(3)
    ]
    np.testing.assert_allclose(_interpolate(image, rows, columns), np.stack(expected, axis=-1), atol=1e-10)


# --- Changes of values ------------------------------------------------------------------------------------------------


def test_a_cutout_is_a_square_of_zeros_with_its_middle_anywhere():
    images = np.full((4000, 6, 9, 2), 50, np.uint8)
    counts = np.zeros((6, 9))  # how often each pixel is the middle of a square
    for image in native_augment(images, Augmentation(cutout=3), 8):
        zeros = image[..., 0] == 0
        np.testing.assert_array_equal(image, np.where(zeros, 0, 50)[..., None].repeat(2, axis=-1))
        rows, columns = np.nonzero(zeros.any(axis=1))[0], np.nonzero(zeros.any(axis=0))[0]
        assert zeros.sum() == len(rows) * len(columns)
        # A square of 3 x 3 that the upper or left border cuts off is measured from its last row or column.
        row = rows[0] + 1 if len(rows) == 3 or rows[0] else rows[-1] - 1
        column = columns[0] + 1 if len(columns) == 3 or columns[0] else columns[-1] - 1
        counts[row, column] += 1
    np.testing.assert_allclose(counts, 4000 / 54, atol=40)  # more than four standard deviations


def test_contrast_moves_values_from_and_to_the_mean():
    images = np.tile(np.array([100, 120, 150], np.uint8), (200, 5, 1))[..., None]
    changed = native_augment(images, Augmentation(contrast=0.4), 2).astype(float)
    np.testing.assert_allclose(changed.mean(axis=(1, 2, 3)), images.mean(), atol=0.4)
    assert_even((changed[:, 0, 2, 0] - changed[:, 0, 0, 0]) / 50, 0.6, 1.4)


def test_brightness_adds_the_same_to_every_value():
    images = np.tile(np.array([100, 120, 150], np.uint8), (200, 5, 1))[..., None]
    added = native_augment(images, Augmentation(brightness=80), 2).astype(int) - images
    assert (added == added[:, :1, :1]).all()
    assert_even(added[:, 0, 0, 0], -80, 80)


def test_values_stay_between_black_and_white():
    images = random_images(50, 9, 9, 1)
    changed = native_augment(images, Augmentation(brightness=255, noise=100), 2)
    expected = augment(images, Augmentation(brightness=255, noise=100), 2)
    assert set(np.unique(changed)) >= {0, 255}
    assert np.abs(changed.astype(int) - expected).max() <= 1  # a byte that ran over would differ by 255


@pytest.mark.parametrize("isa", instruction_sets())
def test_noise_is_gaussian_and_each_value_has_its_own(isa):
    images = np.full((100, 31, 33, 3), 128, np.uint8)
    noise = native_augment(images, Augmentation(noise=20), 6, 0, isa).astype(float) - 128
    # Values are rounded to whole grey levels: this adds a variance of 1/12, and 10 counts as below 10.5.
    assert abs(noise.mean()) < 0.15
    assert noise.std() == pytest.approx(np.sqrt(20**2 + 1 / 12), rel=0.005)
    assert abs(stats.kurtosis(noise.ravel())) < 0.03
    share = [np.mean(np.abs(noise) < bound) for bound in (10.5, 20.5, 40.5, 60.5)]
    np.testing.assert_allclose(share, 2 * stats.norm.cdf(np.array([10.5, 20.5, 40.5, 60.5]) / 20) - 1, atol=0.003)
    flat = noise.reshape(100, -1)
    half = (flat.shape[1] + 1) // 2
    for a, b in [
        (flat[:, 1:], flat[:, :-1]),  # neighbours
        (flat[:, half:], flat[:, : flat.shape[1] - half]),  # two values that are made from one random number
        (flat[1:], flat[:-1]),  # images
    ]:
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.01
