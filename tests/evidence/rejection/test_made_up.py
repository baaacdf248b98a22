import numpy as np
import pytest

import convscope as cs
from convscope.evidence.rejection.made_up import make_up, quarter_turned


def pictures(count=20, shape=(11, 9, 3), num_classes=3):
    """Images of which no two pixels that meet are alike."""
    images = np.random.default_rng(0).integers(0, 256, (count, *shape), np.uint8)
    labels = np.arange(count) % num_classes
    return cs.Dataset(images, labels, ("a", "b", "c"), "pictures")


@pytest.mark.slow
def test_the_same_seed_makes_the_same_images_and_another_others():
    first, again, other = (make_up(pictures(), 20, seed) for seed in (4, 4, 5))
    for kind in ("patches", "halves", "blends", "scribbles", "letters", "ramps", "specks"):
        np.testing.assert_array_equal(first[kind], again[kind])
        assert (first[kind] != other[kind]).any()


def test_patches_keep_the_pixels_but_none_of_the_patches_in_its_place():
    dataset = pictures()
    for made, image in zip(make_up(dataset, 20)["patches"], dataset.images, strict=True):
        np.testing.assert_array_equal(np.sort(made, axis=None), np.sort(image, axis=None))
        moved = [
            (made[2 * y : 2 * y + 2, 2 * x : 2 * x + 2] != image[2 * y : 2 * y + 2, 2 * x : 2 * x + 2]).any()
            for y in range(4)
            for x in range(4)
        ]
        assert all(moved)


def test_halves_are_of_two_images_of_different_classes():
    dataset = pictures()
    for number, made in enumerate(make_up(dataset, 20)["halves"]):
        kept, other = (made[:5], made[5:]) if number % 2 else (made[:, :4], made[:, 4:])
        images = dataset.images
        firsts, others = (images[:, :5], images[:, 5:]) if number % 2 else (images[:, :, :4], images[:, :, 4:])
        first = [place for place in range(20) if (firsts[place] == kept).all()]
        second = [place for place in range(20) if (others[place] == other).all()]
        assert first == [number]
        assert dataset.labels[first[0]] != dataset.labels[second[0]]


def test_inverted_images_add_up_to_white():
    dataset = pictures()
    assert (make_up(dataset, 20)["inverted"] + dataset.images == 255).all()


def test_scribbles_are_far_from_their_images(small_mnist):
    some = small_mnist.train.take(np.arange(50))
    scribbles = make_up(some, 50)["scribbles"]
    overlap = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(scribbles, some.images, strict=True)]
    assert np.mean(overlap) < 0.5
    assert (scribbles.max(axis=(1, 2, 3)) > 100).all()


def test_at_most_so_many_are_made_evenly():
    assert {len(images) for images in make_up(pictures(), 7).values()} == {7}
    np.testing.assert_array_equal(make_up(pictures(), 2)["inverted"], 255 - pictures().images[[0, 19]])


def test_of_one_class_there_are_no_halves():
    dataset = pictures()
    one = cs.Dataset(dataset.images, np.zeros(20, np.int64), dataset.class_names)
    assert not {"halves", "blends"} & set(make_up(one, 20))


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 1), (3, 2, 4)])
def test_the_smallest_images_have_made_up_ones_too(shape):
    for images in make_up(pictures(6, shape), 6).values():
        assert images.shape == (6, *shape)


def test_blends_are_the_mean_of_two_images_of_different_classes():
    dataset = pictures()
    for number, made in enumerate(make_up(dataset, 20)["blends"]):
        pairs = (dataset.images[number].astype(int) + dataset.images) // 2
        others = np.flatnonzero((pairs == made).all(axis=(1, 2, 3)))
        assert len(others) == 1
        assert dataset.labels[others[0]] != dataset.labels[number]


def test_turned_images_are_a_quarter_clockwise():
    square = pictures(shape=(9, 9, 3))
    np.testing.assert_array_equal(make_up(square, 20)["turned"], np.rot90(square.images, -1, (1, 2)))
    oblong = pictures().images
    assert quarter_turned(oblong, 1).shape == oblong.shape
    np.testing.assert_array_equal(quarter_turned(square.images, 1), np.rot90(square.images, 1, (1, 2)))


def test_ramps_change_evenly_and_specks_are_black_or_white():
    made = make_up(pictures(shape=(12, 12, 1)), 20)
    second = np.diff(made["ramps"][..., 0].astype(int), n=2, axis=2)
    assert np.abs(second).max() <= 2  # rounding
    assert set(np.unique(made["specks"])) == {0, 255}
    shares = (made["specks"] > 0).mean(axis=(1, 2, 3))
    assert shares.min() < 0.3 < 0.7 < shares.max()


def test_letters_are_left_out_where_they_are_classes():
    dataset = pictures(26)
    names = tuple("abcdefghijklmnopqrstuvwxyz")
    assert "letters" not in make_up(cs.Dataset(dataset.images, np.arange(26), names), 26)
