"""What all fifteen corruptions of MNIST-C have in common."""

from pathlib import Path

import numpy as np
import pytest

from convscope.evidence.robustness import CORRUPTIONS, STRENGTHS, corrupt

RANDOM = set(CORRUPTIONS) - {"scale", "brightness", "stripe", "canny_edges"}  # use random numbers
PER_VALUE = {"shot_noise", "impulse_noise"}  # of these a random number for each channel, too
names = pytest.mark.parametrize("name", CORRUPTIONS)


def distance(first, second):
    return np.abs(first.astype(int) - second).mean()


def test_the_fifteen_are_those_of_mnist_c():
    assert list(CORRUPTIONS) == [
        "shot_noise", "impulse_noise", "glass_blur", "motion_blur", "shear", "scale", "rotate", "brightness",
        "translate", "stripe", "fog", "spatter", "dotted_line", "zigzag", "canny_edges",
    ]  # fmt: skip
    assert all(corruption.mnist_c in STRENGTHS for corruption in CORRUPTIONS.values())


@names
def test_the_documentation_lists_the_constants_with_those_of_mnist_c_in_bold(name):
    page = Path(__file__).parents[3].joinpath("docs/methods/robustness.md").read_text(encoding="utf-8")
    corruption = CORRUPTIONS[name]
    cells = [
        f"**{constant}**" if strength == corruption.mnist_c else f"{constant}"
        for strength, constant in zip(STRENGTHS, corruption.constants, strict=True)
    ]
    row = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
    assert row.endswith(f"| {corruption.meaning} | {', '.join(cells)} |")


@names
def test_a_stronger_corruption_lies_further_from_the_image(name, digits):
    distances = [distance(corrupt(digits.images, name, strength), digits.images) for strength in STRENGTHS]
    assert distances[0] > 0
    assert distances == sorted(distances)
    assert distances[4] > 1.2 * distances[0]  # clearly further


@names
def test_the_same_arguments_give_the_same_bytes_and_leave_the_images_alone(name, digits):
    before = digits.images[:5].copy()
    first, second = corrupt(digits.images[:5], name, 3, seed=1), corrupt(digits.images[:5], name, 3, seed=1)
    assert first.dtype == np.uint8
    assert first.tobytes() == second.tobytes()
    np.testing.assert_array_equal(digits.images[:5], before)
    assert (first.tobytes() != corrupt(digits.images[:5], name, 3, seed=2).tobytes()) == (name in RANDOM)


@names
def test_a_corrupted_image_does_not_depend_on_the_other_images(name, digits):
    whole = corrupt(digits.images[:12], name, 4, seed=5)
    part = np.array([7, 2, 11])
    np.testing.assert_array_equal(corrupt(digits.images[part], name, 4, seed=5, indices=part), whole[part])


@names
def test_corrupted_images_do_not_depend_on_the_block_size(name, digits, monkeypatch):
    whole = corrupt(digits.images[:7], name, 2)
    monkeypatch.setattr("convscope.evidence.robustness.pictures._BLOCK_VALUES", 2000)
    np.testing.assert_array_equal(corrupt(digits.images[:7], name, 2), whole)


@names
@pytest.mark.parametrize("shape", [(8, 8, 1), (64, 64, 3), (13, 20, 3), (1, 1, 1), (9, 1, 2)])
def test_images_of_any_size_keep_their_shape(name, shape):
    images = np.random.default_rng(0).integers(0, 256, (2, *shape)).astype(np.uint8)
    for strength in (1, 5):
        spoiled = corrupt(images, name, strength)
        assert (spoiled.shape, spoiled.dtype) == (images.shape, np.uint8)


@names
def test_random_numbers_of_an_image_are_shared_by_its_channels(name, digits):
    grey = digits.images[:4]
    coloured = corrupt(grey.repeat(3, axis=3), name, 4)
    if name in PER_VALUE:
        assert (coloured[..., 0] != coloured[..., 1]).any()
    else:
        for channel in range(3):
            np.testing.assert_array_equal(coloured[..., channel], corrupt(grey, name, 4)[..., 0])


def test_lengths_grow_with_the_image():
    dot = np.zeros((1, 56, 56, 1), np.uint8)
    dot[0, 28, 28] = 255
    row, column = np.argwhere(corrupt(dot, "translate", 3)[0, :, :, 0] == 255)[0]
    assert (abs(row - 28), abs(column - 28)) == (6, 6)  # 3 pixels of 28


def test_no_images_give_no_images():
    assert corrupt(np.zeros((0, 5, 5, 1), np.uint8), "fog", 1).shape == (0, 5, 5, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "snow"}, "name is 'snow'; it must be one of shot_noise"),
        ({"strength": 0}, "strength is 0; it must be a whole number from 1 to 5"),
        ({"strength": 2.5}, "strength is 2.5"),
        ({"images": np.zeros((2, 5, 5, 1))}, "images are float64"),
        ({"images": np.zeros((5, 5, 1), np.uint8)}, "images are uint8 of shape"),
        ({"indices": np.array([1])}, "give one of 0 or more for each image"),
        ({"indices": np.array([0, -1])}, "give one of 0 or more for each image"),
        ({"indices": np.array([0.0, 1.0])}, "indices is an array of float64 .* whole numbers"),
    ],
)
def test_wrong_arguments_are_refused(change, message):
    arguments = {"images": np.zeros((2, 5, 5, 1), np.uint8), "name": "fog", "strength": 1} | change
    with pytest.raises((TypeError, ValueError), match=message):
        corrupt(**arguments)
