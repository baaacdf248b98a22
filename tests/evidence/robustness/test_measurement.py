"""The accuracy under each corruption, and its means."""

import numpy as np
import pytest
from tests.noise import init_model, random_dataset

import convscope as cs
from convscope.base.metrics import difference_interval, wilson_interval
from convscope.evidence.robustness import CORRUPTIONS, corrupt, measure_robustness, measurement
from convscope.evidence.robustness.pictures import _shrink, pack_small


@pytest.fixture(scope="module")
def robustness(model, digits):
    return measure_robustness(model, digits)


def noise(count, shape=(9, 12, 3), num_classes=4):
    return random_dataset(count, shape, num_classes, split="test")


def init_linear_model(dataset):
    layers = (cs.Flatten(), cs.Dense(dataset.num_classes))
    return init_model(cs.Architecture(cs.Input(*dataset.image_shape), layers))


def test_each_accuracy_is_measured_on_the_corrupted_images(robustness, model, digits):
    assert len(robustness.corruptions) == 75  # 15 corruptions of 5 strengths
    clean = model.predict(digits.images) == digits.labels
    assert robustness.accuracy == clean.mean()
    for corruption in robustness.corruptions[::7]:
        is_correct = model.predict(corrupt(digits.images, corruption.name, corruption.strength)) == digits.labels
        assert corruption.accuracy == is_correct.mean()
        assert corruption.interval == wilson_interval(int(is_correct.sum()), 60)
        assert corruption.change == pytest.approx(is_correct.mean() - clean.mean())
        assert corruption.change_interval[0] <= corruption.change <= corruption.change_interval[1]


def test_the_mean_accuracies_weight_all_corruptions_equally(robustness):
    table = np.array([corruption.accuracy for corruption in robustness.corruptions]).reshape(15, 5)
    assert robustness.mean_accuracy == pytest.approx(table.mean())
    assert robustness.mean_accuracy_by_strength == pytest.approx(table.mean(axis=0))
    chosen = [table[row, corruption.mnist_c - 1] for row, corruption in enumerate(CORRUPTIONS.values())]
    assert robustness.mean_accuracy_mnist_c == pytest.approx(np.mean(chosen))
    assert [corruption.is_mnist_c for corruption in robustness.corruptions].count(True) == 15


def test_of_many_images_evenly_taken_ones_are_corrupted_as_all_would_be(model, mnist):
    dataset = mnist.test.take(np.arange(1000))
    robustness = measure_robustness(model, dataset, max_images=40)
    assert (robustness.num_images, robustness.num_images_left_out) == (40, 960)
    indices = np.linspace(0, 999, 40).round().astype(int)
    spoiled = corrupt(dataset.images, "zigzag", 3)[indices]
    expected = (model.predict(spoiled) == dataset.labels[indices]).mean()
    result = next(x for x in robustness.corruptions if (x.name, x.strength) == ("zigzag", 3))
    assert result.accuracy == expected


@pytest.mark.slow
def test_fewer_images_are_measured_where_their_pixels_or_the_model_cost_too_much(monkeypatch):
    dataset = noise(300, (5, 4, 1))
    model = init_linear_model(dataset)
    for name, value in (("_MAX_VALUES", 5 * 4 * 150), ("_MAX_MACS", 150 * model.architecture.macs * 75)):
        with monkeypatch.context() as patch:
            patch.setattr(measurement, name, value)
            assert measure_robustness(model, dataset).num_images == 150
            patch.setattr(measurement, name, 0)
            assert measure_robustness(model, dataset).num_images == 100  # the fewest, at any cost


@pytest.mark.parametrize(("count", "shape", "num_classes"), [(1, (8, 8, 1), 2), (5, (20, 11, 3), 100)])
def test_few_images_of_odd_sizes_and_many_classes_are_measured(count, shape, num_classes):
    dataset = noise(count, shape, num_classes)
    robustness = measure_robustness(init_linear_model(dataset), dataset)
    assert robustness.num_images == count
    robustness.to_dict()


def test_text_and_html_are_tables_of_the_accuracies(robustness):
    text = str(robustness)
    assert "60 test images of mnist" in text
    low, high = robustness.mean_accuracy_interval
    assert low < robustness.mean_accuracy < high
    assert f"[{100 * low:.2f}, {100 * high:.2f}] on average" in text
    assert "glass blur" in text
    assert f"{100 * robustness.corruptions[0].accuracy:.2f} %" in text
    assert "<table" in robustness._repr_html_()


def test_pictures_that_exceed_the_limit_are_shrunk():
    pictures = np.random.default_rng(0).integers(0, 256, (4, 3, 32, 16, 3)).astype(np.uint8)
    np.testing.assert_array_equal(pack_small(pictures, 1 << 20).unpack(), pictures)
    packed = pack_small(pictures, 8000)
    assert packed.num_json_bytes <= 8000
    small = packed.unpack()
    assert small.shape[:2] == (4, 3)
    assert small.shape[2] == 2 * small.shape[3] < 32
    assert small.shape[4] == 3


def test_a_smaller_picture_has_the_means_of_the_pixels():
    blocks = np.random.default_rng(0).integers(0, 256, (2, 8, 4, 3)).astype(np.uint8)
    np.testing.assert_array_equal(_shrink(blocks.repeat(3, axis=1).repeat(3, axis=2), 8), blocks)
    noise = np.random.default_rng(1).integers(0, 256, (1, 16, 16, 1)).astype(np.uint8)
    np.testing.assert_allclose(_shrink(noise, 8), noise.reshape(1, 8, 2, 8, 2, 1).mean(axis=(2, 4)), atol=1)


def test_wrong_arguments_are_refused(model, digits):
    with pytest.raises(ValueError, match="max_images is 0; it must be at least 1"):
        measure_robustness(model, digits, max_images=0)
    with pytest.raises(ValueError, match="but this model has 10"):
        measure_robustness(model, noise(3))
    names = digits.class_names
    with pytest.raises(ValueError, match="this model needs uint8"):
        measure_robustness(model, cs.Dataset(np.zeros((2, 9, 9, 1), np.uint8), digits.labels[:2], names))


def test_accuracies_and_changes_have_the_intervals_of_the_metrics():
    clean = np.array([True] * 8 + [False] * 2)
    is_correct = np.array([[True] * 5 + [False] * 3 + [True, False]])
    accuracies, intervals, changes, change_intervals = measurement.compute_accuracies(clean, is_correct)
    assert accuracies == (0.6,)
    assert intervals == (wilson_interval(6, 10),)
    assert changes == pytest.approx((-0.2,))
    low, high = difference_interval(np.array([1]), np.array([3]), 10)  # corrected and lost images
    assert change_intervals == ((low[0], high[0]),)
