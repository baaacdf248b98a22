"""The sets of images that belong to no class."""

import numpy as np
import pytest
from PIL import Image

import convscope as cs
from convscope.base.errors import DatasetError
from convscope.data.datasets.readers.idx import idx_header
from convscope.evidence.rejection import out_of_distribution
from convscope.evidence.rejection.out_of_distribution import fit_images, out_of_distribution_sets


def photos(count=30, shape=(9, 12, 3), names=("cat", "dog")):
    """Make random images of medium brightness, in turn of two classes."""
    images = np.random.default_rng(0).integers(40, 220, (count, *shape), np.uint8)
    return cs.Dataset(images, np.arange(count) % 2, names, "photos", "test")


def make_sets(dataset, *arguments, **options):
    """Return the images of each out-of-distribution set by its name."""
    return {images.name: images.images for images in out_of_distribution_sets(dataset, *arguments, **options)[0]}


@pytest.fixture(autouse=True)
def fashion(monkeypatch, tmp_path):
    """A file of 20 images where Fashion-MNIST would be installed."""
    images = np.random.default_rng(5).integers(0, 256, (20, 28, 28), np.uint8)
    path = tmp_path / "t10k-images-idx3-ubyte"
    path.write_bytes(idx_header(images.shape) + images.tobytes())
    monkeypatch.setattr(out_of_distribution, "FASHION_MNIST", path)
    return images[..., None]


def test_all_sets_have_the_images_of_the_data_set_size():
    sets, left_out = out_of_distribution_sets(photos(), max_images=10)
    names = [images.name for images in sets]
    assert names == ["Fashion-MNIST", "letters", "overlaid", "inverted", "uniform noise", "blank"]
    assert left_out == {}
    for images in sets:
        assert images.images.shape == (10, 9, 12, 3)
        assert images.images.dtype == np.uint8
        assert (images.clusters is None) == (images.name != "letters")


def test_overlaid_images_are_the_larger_values_of_two_of_different_classes():
    dataset = photos(12)
    for number, made in enumerate(make_sets(dataset, max_images=12)["overlaid"]):
        pairs = np.maximum(dataset.images[number], dataset.images)
        others = np.flatnonzero((pairs == made).all(axis=(1, 2, 3)))
        assert len(others) == 1
        assert dataset.labels[others[0]] != dataset.labels[number]
    data = cs.Dataset(dataset.images, np.zeros(12, np.int64), ("cat", "dog"), "photos", "test")
    assert out_of_distribution_sets(data, max_images=3)[1]["overlaid"] == "all images are of one class"


def test_inverted_images_are_test_images():
    dataset = photos(6, (10, 10, 1))
    assert (make_sets(dataset, max_images=6)["inverted"] + dataset.images == 255).all()


def test_drawings_of_one_letter_in_both_cases_are_one_cluster():
    letters = next(x for x in out_of_distribution_sets(photos(), max_images=96)[0] if x.name == "letters")
    assert len(np.unique(letters.clusters)) == 17  # 15 letters are drawn in both cases, and L and d in one
    np.testing.assert_array_equal(letters.clusters[:32], letters.clusters[32:64])


def test_fashion_mnist_is_left_out_with_a_reason_where_it_is_not_installed(monkeypatch, tmp_path):
    monkeypatch.setattr(out_of_distribution, "FASHION_MNIST", tmp_path / "missing.gz")
    sets, left_out = out_of_distribution_sets(photos(), max_images=3)
    assert "Fashion-MNIST" not in [images.name for images in sets]
    assert "missing.gz" in left_out["other data set"]
    assert "install Debian's package dataset-fashion-mnist" in left_out["other data set"]


@pytest.mark.slow
def test_a_model_of_fashion_mnist_is_measured_on_mnist(fashion, mnist):
    own = cs.Dataset(fashion[:8], np.zeros(8, np.int64), tuple("0123456789"), "mine", "test")
    named = cs.Dataset(fashion[:8] // 2, np.zeros(8, np.int64), tuple("0123456789"), "fashion-mnist", "test")
    for dataset in (own, named):
        sets = make_sets(dataset, max_images=5)
        assert "Fashion-MNIST" not in sets
        np.testing.assert_array_equal(sets["MNIST"], mnist.test.images[np.linspace(0, 9999, 5).round().astype(int)])


def test_another_data_set_may_be_given_as_images_splits_or_a_path(small_mnist, small_folder):
    dataset = photos(shape=(28, 28, 1))
    expected = small_mnist.test.images[[0, 299]]
    for data in (small_mnist.test, small_mnist, small_folder, str(small_folder)):
        sets, _ = out_of_distribution_sets(dataset, data, max_images=2)
        np.testing.assert_array_equal(sets[0].images, expected)


def test_the_data_set_itself_is_refused(small_mnist):
    with pytest.raises(ValueError, match="outside is mnist, which has the images of mnist"):
        out_of_distribution_sets(small_mnist.test, small_mnist)


def test_unreadable_input_is_an_error(tmp_path):
    with pytest.raises(DatasetError, match="nothing here"):
        out_of_distribution_sets(photos(), tmp_path / "nothing here")


def test_there_is_at_least_one_image():
    with pytest.raises(ValueError, match="max_images is 0"):
        out_of_distribution_sets(photos(), max_images=0)


def test_letters_are_left_out_with_a_reason_where_a_font_is_damaged(monkeypatch, tmp_path):
    (tmp_path / "a.ttf").write_bytes(b"no font")
    monkeypatch.setattr(out_of_distribution, "letter_fonts", lambda: [tmp_path / "a.ttf"])
    assert out_of_distribution_sets(photos(), max_images=3)[1]["letters"].startswith("a font cannot be read")


def test_letters_that_are_classes_are_no_out_of_distribution():
    some, _ = out_of_distribution_sets(photos(names=("A", "e")), max_images=3)
    about = next(images.about for images in some if images.name == "letters")
    assert "the letters CFHKLMNPRTUVWXcdfhkmnprtuvwx drawn" in about
    _, left_out = out_of_distribution_sets(photos(names=tuple("abcdefghijklmnopqrstuvwxyz")), max_images=3)
    assert left_out["letters"] == "the classes are letters themselves"


def test_letters_say_which_are_drawn_and_which_left_out():
    about = next(x.about for x in out_of_distribution_sets(photos(), max_images=3)[0] if x.name == "letters")
    assert about.endswith("without BDGIJOQSYZbgijloqsyz, which look like digits")


def test_noise_is_uniform():
    noise = make_sets(photos(), max_images=100)["uniform noise"].astype(float)
    assert noise.mean() == pytest.approx(127.5, abs=1)
    assert noise.std() == pytest.approx(np.sqrt((256**2 - 1) / 12), abs=1)


def test_blank_images_run_from_black_to_white():
    levels = make_sets(photos(), max_images=256)["blank"]
    assert len(levels) == 256
    np.testing.assert_array_equal(levels[:, 0, 0, 0], np.arange(256))
    assert (levels == levels[:, :1, :1, :1]).all()
    assert make_sets(photos(), max_images=3)["blank"][:, 0, 0, 0].tolist() == [0, 128, 255]


def test_the_same_seed_gives_the_same_sets():
    first, again, reseeded = (make_sets(photos(), max_images=8, seed=seed) for seed in (1, 1, 2))
    for name, images in first.items():
        np.testing.assert_array_equal(images, again[name])
    for name in ("letters", "overlaid", "uniform noise"):
        assert (first[name] != reseeded[name]).any()


@pytest.mark.parametrize(("have", "want", "mode"), [((28, 28, 1), (9, 12, 3), "L"), ((28, 20, 3), (40, 30, 1), "RGB")])
def test_images_are_resized_as_pillow_does(have, want, mode):
    images = np.random.default_rng(0).integers(0, 256, (3, *have), np.uint8)
    made = fit_images(images, want)
    picture = Image.fromarray(images[1] if mode == "RGB" else images[1, ..., 0], mode=None)
    picture = picture.convert("RGB" if want[2] == 3 else "L").resize((want[1], want[0]), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(made[1], np.asarray(picture).reshape(want))
