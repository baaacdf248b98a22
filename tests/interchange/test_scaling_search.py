"""The search for the scaling of a network: it is found for networks trained here, or called unclear."""

from dataclasses import replace

import numpy as np
import pytest

import convscope as cs
from convscope.base.errors import InterchangeError
from convscope.engine import initial_weights
from convscope.interchange import UnclearScalingError, find_scaling
from convscope.interchange.imported import Imported
from convscope.interchange.scaling_search import with_scaling

GREY = {
    "byte / 255": cs.Scaling(),
    "raw bytes": cs.Scaling(1.0),
    "-1 to 1": cs.Scaling(mean=0.5, std=0.5),
    "mean and std of the data": cs.Scaling(mean=0.1307, std=0.3081),
    "mean and std of ImageNet": cs.Scaling(mean=0.449, std=0.226),
    "-1 to 1, inverted": cs.Scaling(mean=0.5, std=0.5, inverted=True),
}


@pytest.fixture(scope="module")
def digits(mnist: cs.Splits) -> cs.Dataset:
    return mnist.train.take(np.arange(4000))


@pytest.fixture(scope="module")
def coloured(digits: cs.Dataset) -> cs.Dataset:
    """Digits of 14 × 14 in two colours, one for even and one for odd digits, on backgrounds of random dim colours."""
    stream = np.random.default_rng(0)
    small = digits.images.reshape(-1, 14, 2, 14, 2, 1).mean(axis=(2, 4)) / 255
    inks, grounds = np.array([[255, 60, 20], [90, 200, 255]])[digits.labels % 2], stream.uniform(0, 60, (4000, 3))
    images = small * inks[:, None, None] + (1 - small) * grounds[:, None, None]
    return replace(digits, images=images.astype(np.uint8), name="coloured")


DENSE = cs.Flatten(), cs.Dense(32, "relu"), cs.Dense(10, "softmax")
CONVOLUTIONS = (
    *(cs.Conv2D(filters, 3, strides=2, padding="same", activation="relu") for filters in (8, 16)),
    cs.Flatten(),
    cs.Dense(48, "relu"),
    cs.Dense(10),
)


def fit(data: cs.Dataset, scaling: cs.Scaling, epochs: int = 12, layers: tuple = DENSE, **options) -> Imported:
    """Train a network on scaled images, and return it without its scaling, as another program's file would hold it."""
    architecture = cs.Architecture(cs.Input(*data.image_shape, 1.0), layers)
    unscaled = Imported(architecture, initial_weights(architecture, 0))
    scaled = unscaled.apply_scaling(replace(scaling, bgr=False)).architecture
    images = data.images[..., ::-1].copy() if scaling.bgr else data.images
    rate = 0.0005 if scaling.scale == 1 else 0.003  # inputs up to 255 need smaller steps
    recipe = cs.Recipe(epochs=epochs, optimizer=cs.Adam(rate), **options)
    model, _ = cs.train(scaled, replace(data, images=images), recipe)
    return Imported(architecture, {name: model.weights[name] for name in architecture.weight_shapes})


def test_progress_counts_the_predicted_images(digits: cs.Dataset):
    calls = list[tuple[int, int]]()
    table = find_scaling(fit(digits.take(np.arange(300)), cs.Scaling(), 1), digits, lambda *how: calls.append(how))
    counts, totals = zip(*calls, strict=True)
    assert list(counts) == sorted(counts)
    assert counts[-1] == totals[-1]
    assert sorted(set(totals)) == list(dict.fromkeys(totals))
    assert totals[0] == 10 * 1000  # ten scalings of grey images are tried on 1,000 images each
    num_final = sum(row.num_images == 4000 for row in table.rows)  # scalings that are measured on all images, too
    assert totals[-1] - totals[0] == num_final * 4000


@pytest.mark.slow
@pytest.mark.parametrize("name", GREY)
def test_each_scaling_of_grey_images_is_found(digits: cs.Dataset, name: str):
    table = find_scaling(fit(digits, GREY[name]), digits)
    assert table.best is not None, str(table)
    assert table.rows[0].name == name, str(table)
    np.testing.assert_allclose(table.best.numbers(1), GREY[name].numbers(1), atol=0.01)
    assert name in str(table)
    assert len({row.name for row in table.rows}) == len(table.rows)


@pytest.mark.slow
def test_the_scaling_of_a_network_with_few_errors_is_found(digits: cs.Dataset):
    """Another scaling is then as accurate, and the errors are too few to tell how confident the network should be."""
    table = find_scaling(fit(digits, GREY["mean and std of ImageNet"], 20, CONVOLUTIONS), digits)
    assert table.best is not None, str(table)
    assert table.rows[0].name == "mean and std of ImageNet", str(table)
    assert table.rows[0].accuracy > 0.998


@pytest.mark.slow
def test_smoothed_labels_are_not_taken_for_a_smaller_scale(digits: cs.Dataset):
    """Smoothed labels make a network less confident than it is accurate, so a larger scale lowers its loss."""
    table = find_scaling(fit(digits, GREY["-1 to 1"], label_smoothing=0.1), digits)
    rows = {row.name: row for row in table.rows}
    assert rows["mean and std of ImageNet"].loss < rows["-1 to 1"].loss
    assert rows["-1 to 1"].verdict in ("best", "unclear"), str(table)


@pytest.mark.slow
def test_a_short_training_is_not_taken_for_a_larger_scale(digits: cs.Dataset):
    """A briefly trained network is not confident enough either, so a larger scale lowers its loss."""
    layers = cs.Conv2D(6, 5, strides=2, activation="tanh"), cs.Flatten(), cs.Dense(32, "tanh"), cs.Dense(10)
    table = find_scaling(fit(digits, GREY["-1 to 1"], 8, layers), digits)
    rows = {row.name: row for row in table.rows}
    assert rows["mean and std of ImageNet"].loss < rows["-1 to 1"].loss
    assert table.rows[0].name == "-1 to 1", str(table)
    assert table.best is not None, str(table)


@pytest.mark.slow
@pytest.mark.parametrize("bgr", [False, True])
def test_the_order_of_channels_is_found(coloured: cs.Dataset, bgr: bool):
    table = find_scaling(fit(coloured, cs.Scaling(bgr=bgr)), coloured)
    assert table.best == cs.Scaling(bgr=bgr), str(table)


@pytest.mark.slow
def test_the_scaling_of_an_untrained_network_is_unclear(digits: cs.Dataset):
    layers = (cs.Conv2D(4, 5, activation="relu"), cs.MaxPooling2D(4), cs.Flatten(), cs.Dense(10))
    architecture = cs.Architecture(cs.Input(28, 28, 1, 1.0), layers)
    network = Imported(architecture, initial_weights(architecture, 0))
    with pytest.raises(
        UnclearScalingError,
        match=r"with no scaling does it know these classes: .* untrained.*`dataset`, or state its `scaling`",
    ) as caught:
        with_scaling(network, None, digits, "net.onnx")
    assert str(caught.value).startswith("net.onnx: ")
    assert caught.value.table.best is None


@pytest.mark.slow
def test_classes_in_another_order_are_unclear(digits: cs.Dataset):
    network = fit(digits, cs.Scaling(), epochs=4)
    renamed = replace(digits, labels=(digits.labels + 1) % 10)
    table = find_scaling(network, renamed)
    assert table.best is None
    assert "outputs would fit other classes as well" in table.sentence


@pytest.mark.slow
def test_an_overconfident_network_is_unclear(digits: cs.Dataset):
    network = fit(digits, cs.Scaling(mean=0.5, std=0.5), epochs=4)
    kernel = 40 * network.weights["dense_1/kernel"]
    overconfident = replace(network, weights={**network.weights, "dense_1/kernel": kernel})
    assert find_scaling(network, digits).best is not None
    table = find_scaling(overconfident, digits)
    assert table.best is None
    assert "it is far more confident than that" in table.sentence


def test_scalings_that_differ_only_in_confidence_are_unclear():
    """Without biases a factor changes no prediction, and without errors a larger factor always lowers the loss."""
    images = np.full((100, 3, 3, 1), 100, np.uint8)
    images[::2, 0], images[1::2, 2] = 200, 200
    kernel = np.zeros((9, 2), np.float32)
    kernel[:3, 0] = kernel[6:, 1] = 0.001
    architecture = cs.Architecture(cs.Input(3, 3, 1, 1.0), (cs.Flatten(), cs.Dense(2, use_bias=False)))
    data = cs.Dataset(images, np.arange(100) % 2, ("top", "bottom"))
    table = find_scaling(Imported(architecture, {"dense/kernel": kernel}), data)
    assert table.best is None
    assert "byte / 255" in table.sentence
    assert "raw bytes" in table.sentence


@pytest.mark.slow
def test_an_order_of_channels_that_changes_nothing_is_not_tried(digits: cs.Dataset):
    grey = replace(digits, images=np.repeat(digits.images[:, ::2, ::2], 3, axis=3))
    names = [row.name for row in find_scaling(fit(grey, cs.Scaling(), epochs=4), grey).rows]
    assert "byte / 255" in names
    assert not any("BGR" in name for name in names if "ImageNet" not in name)


def build_network(scale: float, **options) -> Imported:
    architecture = cs.Architecture(cs.Input(28, 28, 1, scale), (cs.Flatten(), cs.Dense(10)))
    return Imported(architecture, initial_weights(architecture, 0), **options)


def test_a_network_that_scales_bytes_itself_is_not_changed(digits: cs.Dataset):
    network = build_network(1 / 255, reads_bytes=True)
    assert with_scaling(network, None, digits) is network
    assert with_scaling(network) is network


def test_a_scaling_is_never_assumed():
    with pytest.raises(InterchangeError, match=r"^net.onnx: does not say how a byte becomes .* `scaling`"):
        with_scaling(build_network(1.0), name="net.onnx")


def test_a_stated_scaling_is_not_searched(digits: cs.Dataset):
    scaled = with_scaling(build_network(1.0), cs.Scaling(1.0), digits)
    assert scaled.scalings is None
    assert scaled.scaling == cs.Scaling(1.0)


@pytest.mark.parametrize(
    "change", [{"images": np.zeros((4000, 8, 8, 1), np.uint8)}, {"class_names": tuple("abcdefghijk")}]
)
def test_images_of_other_data_are_refused(digits: cs.Dataset, change: dict):
    with pytest.raises(ValueError, match=r"training has images .* the network reads .28, 28, 1. and has 10 outputs"):
        find_scaling(build_network(1.0), replace(digits, **change))
