"""`find_duplicates` on images with planted duplicates, compared with the correlation of all pairs."""

import numpy as np
import pytest

import convscope as cs
from convscope.data.inspection import find_duplicates
from convscope.data.inspection.near import _describe, components, near_pairs


def dataset(images, split: str = "train", labels=None, num_classes: int = 3) -> cs.Dataset:
    labels = np.arange(len(images)) % num_classes if labels is None else np.asarray(labels)
    names = tuple(f"class {number}" for number in range(num_classes))
    return cs.Dataset(np.ascontiguousarray(images, np.uint8), labels.astype(np.int64), names, "made up", split)


def noise(number: int, shape=(12, 10, 1), seed: int = 0):
    return np.random.default_rng(seed).integers(0, 200, (number, *shape), dtype=np.uint8)


def smooth(number: int, seed: int = 0):
    """Images that are all somewhat alike: sums of a few waves."""
    random = np.random.default_rng(seed)
    waves = np.cos(np.arange(144)[:, None] * np.linspace(0.02, 0.4, 6)).T
    images = 100 + random.normal(size=(number, 6)) @ waves * 20 + random.normal(size=(number, 144))
    return np.clip(images, 0, 255).astype(np.uint8).reshape(number, 12, 12, 1)


def members(group):
    return [(member.split, member.index) for member in group.members]


def pixels_of(images):
    return lambda numbers: images[numbers].reshape(len(numbers), -1)


@pytest.mark.parametrize("images", [noise(150), smooth(300), noise(40, (5, 6, 3)), noise(6)], ids=len)
def test_a_description_never_understates_the_correlation_of_pixels(images):
    described = _describe(pixels_of(images), np.arange(len(images)))
    np.testing.assert_allclose(np.linalg.norm(described, axis=1), 1, atol=1e-5)
    correlations = np.corrcoef(images.reshape(len(images), -1).astype(np.float64))
    assert (described @ described.T >= correlations - 1e-5).all()


@pytest.mark.parametrize("threshold", [0.8, 0.9, 0.95, 0.97])
def test_groups_equal_an_exhaustive_comparison_of_pixels(threshold):
    images = smooth(400)
    correlations = np.corrcoef(images.reshape(400, -1).astype(np.float64))
    expected = components(400, np.argwhere(np.triu(correlations >= threshold, 1)))
    pairs, distances = near_pairs(pixels_of(images), np.arange(400), threshold)
    assert len(pairs) > 10
    np.testing.assert_allclose(distances, correlations[pairs[:, 0], pairs[:, 1]], atol=1e-5)
    np.testing.assert_array_equal(components(400, pairs), expected)


def test_equal_images_are_those_of_numpys_unique():
    random = np.random.default_rng(3)
    images = noise(60)[random.integers(0, 60, 500)]
    duplicates = find_duplicates(dataset(images[:400]), dataset(images[400:], "test"))
    _, inverse = np.unique(images.reshape(500, -1), axis=0, return_inverse=True)
    expected = {tuple(np.flatnonzero(inverse == key)) for key in range(inverse.max() + 1) if (inverse == key).sum() > 1}
    numbers = {tuple(index + 400 * (split == "test") for split, index in members(group)) for group in duplicates.groups}
    assert numbers == expected
    assert all(group.is_equal and group.correlation == 1 for group in duplicates.groups)


def test_brighter_and_noisy_copies_are_near_duplicates():
    images = noise(30)
    copies = [images[4] // 2 + 60, np.clip(images[7] + np.random.default_rng(0).normal(0, 2, images[7].shape), 0, 255)]
    duplicates = find_duplicates(dataset(images), dataset(np.array([*copies, noise(1, seed=9)[0]]), "test"))
    assert [members(group) for group in duplicates.groups] == [[("train", 4), ("test", 0)], [("train", 7), ("test", 1)]]
    for group, (index, copy) in zip(duplicates.groups, [(4, copies[0]), (7, copies[1])], strict=True):
        correlation = np.corrcoef(images[index].ravel(), copy.astype(np.uint8).ravel())[0, 1]
        assert group.correlation == pytest.approx(correlation, abs=1e-5)
        assert not group.is_equal
    assert duplicates.find_leaks().tolist() == [0, 1]


def test_two_labels_come_first_then_both_splits_then_equal_images():
    images = noise(40)
    images[11], images[21] = images[10], images[20] // 2 + 50  # equal; near
    labels = np.zeros(40)
    labels[31], images[31] = 1, images[30] // 2 + 50
    duplicates = find_duplicates(dataset(images, labels=labels), dataset(images[5:6], "test", [0]))
    assert [members(group) for group in duplicates.groups] == [
        [("train", 30), ("train", 31)],
        [("train", 5), ("test", 0)],
        [("train", 10), ("train", 11)],
        [("train", 20), ("train", 21)],
    ]
    assert [group.has_two_labels for group in duplicates.groups] == [True, False, False, False]
    value = duplicates.to_dict()
    assert (value["num_groups"], value["num_equal_groups"], value["num_groups_with_two_labels"]) == (4, 2, 1)
    assert (value["num_groups_across_splits"], value["num_test_duplicates"]) == (1, 1)


def test_a_near_duplicate_of_one_of_two_equal_images_joins_both():
    images = noise(20)
    images[3], images[9] = images[8], images[8] // 2 + 40
    group = find_duplicates(dataset(images), dataset(noise(3, seed=1), "test")).groups[0]
    assert members(group) == [("train", 3), ("train", 8), ("train", 9)]
    assert not group.is_equal
    assert 0.99 <= group.correlation < 1


def test_thousands_of_blank_images_are_one_group():
    duplicates = find_duplicates(dataset(np.zeros((4000, 8, 8, 1))), dataset(np.zeros((1000, 8, 8, 1)), "test"))
    assert [len(group.members) for group in duplicates.groups] == [5000]
    assert (duplicates.num_flat, duplicates.num_compared) == (1, 0)
    assert len(duplicates.to_dict()["groups"][0]["members"]) == 12


@pytest.mark.slow
def test_images_that_are_all_near_to_one_another_are_one_group_without_all_their_pairs():
    random = np.random.default_rng(0)
    images = np.clip(noise(1, (8, 8, 1)) + random.normal(0, 2, (6000, 8, 8, 1)), 0, 255).astype(np.uint8)
    pairs, _ = near_pairs(pixels_of(images), np.arange(6000), 0.99)
    assert (components(6000, pairs) == 0).all()
    assert len(pairs) < 2 * 6000


def test_flat_images_are_no_near_duplicates():
    random = np.random.default_rng(0)
    flat = 100 + (random.random((50, 9, 9, 1)) < 0.3)  # two shades, less than a grey level apart
    duplicates = find_duplicates(dataset(flat), dataset(noise(5, (9, 9, 1)), "test"))
    assert (duplicates.num_flat, duplicates.num_compared, duplicates.groups) == (50, 5, ())


def test_images_beyond_the_number_compared_are_counted_and_still_checked_for_equality():
    images = noise(100)
    duplicates = find_duplicates(dataset(images), dataset(images[50:52], "test"), most_compared=40)
    assert (duplicates.num_compared, duplicates.num_left_out) == (40, 60)
    groups = [members(group) for group in duplicates.groups]
    assert groups == [[("train", 50), ("test", 0)], [("train", 51), ("test", 1)]]
    assert "60 images were not compared" in str(duplicates)


@pytest.mark.slow
def test_near_duplicates_of_mnist_are_ordinary_ones(mnist: cs.Splits):
    # Among 1,500 others the only two groups of near duplicates in MNIST: five images of the digit 1.
    train = mnist.train.take(np.r_[0:1500, 27111, 51603, 28350, 37674])
    duplicates = find_duplicates(train, mnist.test.take(np.array([3070, 1])))
    assert [members(group) for group in duplicates.groups] == [
        [("train", 1500), ("train", 1501), ("test", 0)],
        [("train", 1502), ("train", 1503)],
    ]
    assert {member.label for group in duplicates.groups for member in group.members} == {1}


def test_duplicates_are_shown_as_text_and_as_html():
    images = noise(20)
    train = cs.Dataset(images, np.arange(20) % 2, ("<b>", "b\x1b"), "made up")
    test = cs.Dataset(images[:1], np.array([1]), ("<b>", "b\x1b"), "made up", "test")
    duplicates = find_duplicates(train, test)
    assert "1 group of identical images and 0 of similar ones" in str(duplicates)
    assert "train 0, test 0" in str(duplicates)
    assert "\x1b" not in str(duplicates)
    assert "&lt;b&gt;" in duplicates._repr_html_()


@pytest.mark.parametrize(
    ("test_shape", "arguments", "message"),
    [
        ((12, 12, 1), {}, r"train images are \(12, 10, 1\), but test images \(12, 12, 1\)"),
        ((12, 10, 1), {"threshold": 0.0}, "threshold is 0.0; it must lie between 0 and 1"),
        ((12, 10, 1), {"threshold": 1.0}, "threshold is 1.0"),
        ((12, 10, 1), {"threshold": float("nan")}, "threshold is nan"),
        ((12, 10, 1), {"most_compared": 1}, "most_compared is 1; it must be at least 2"),
    ],
)
def test_wrong_arguments_are_refused(test_shape, arguments, message):
    with pytest.raises(ValueError, match=message):
        find_duplicates(dataset(noise(5)), dataset(noise(5, test_shape), "test"), **arguments)
