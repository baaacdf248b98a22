"""Ablations, which replace a filter's output by a constant, compared with networks whose weights are edited."""

import numpy as np
import pytest

from convscope.architecture import Architecture, Conv2D, Dense, Flatten, Input, MaxPooling2D, presets
from convscope.base import metrics
from convscope.engine import Replacement, ablations, compute_ablation_effects, initial_weights, open_network
from convscope.engine.native import NativeNetwork

ENGINES = ["native", "reference"]


def with_constant_filter(architecture, weights, layer, filter_, bias):
    """Return weights with which a filter ignores its input and gives `bias`, before its activation."""
    edited = {name: value.copy() for name, value in weights.items()}
    if f"{layer}/gamma" in edited:
        edited[f"{layer}/gamma"][filter_], edited[f"{layer}/beta"][filter_] = 0, bias
        return edited
    kernel = edited[f"{layer}/kernel"]
    filters = kernel.shape[-1] * (kernel.shape[-2] if architecture.row(layer).layer.kind == "DepthwiseConv2D" else 1)
    kernel.reshape(-1, filters)[:, filter_] = 0
    if f"{layer}/bias" in edited:
        edited[f"{layer}/bias"][filter_] = bias
    return edited


def various_ablations(architecture):
    """Return ablations of each layer alone, of several filters, of all layers at once, and of none."""
    stream = np.random.default_rng(3)
    singles, sets = [], []
    for row in architecture.table:
        count = row.output_shape[-1]
        for filter_ in {0, count // 2, count - 1}:
            singles.append([Replacement(row.layer.name, filter_, float(stream.normal()))])
        chosen = stream.permutation(count)[: max(1, count // 3)]
        sets.append([Replacement(row.layer.name, int(filter_), float(stream.normal())) for filter_ in chosen])
    everywhere = [replacement for ablation in sets[::-1] for replacement in ablation]  # the last layer comes first
    return [[], *singles[::-1], everywhere, *sets, sets[0] + sets[-1]]


@pytest.mark.parametrize("engine", ENGINES)
def test_an_ablation_of_nothing_leaves_the_logits_as_they_are(architecture, weights, images, engine):
    network = open_network(architecture, weights, engine)
    np.testing.assert_array_equal(network.ablation_logits(images, [()])[0], network.logits(images))


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_silent_filter_is_one_of_zero_weights(architecture, weights, images, engine):
    network = open_network(architecture, weights, engine)
    activations_of_zero = {"sigmoid": 0.5, "hard_sigmoid": 0.5}  # all others map zero to zero
    rows = [row for row in architecture.table if row.parameters and row.layer.kind != "PReLU"]
    filters = [(row.layer, filter_) for row in rows for filter_ in (0, row.output_shape[-1] - 1)]
    ablations = [
        [Replacement(layer.name, filter_, activations_of_zero.get(getattr(layer, "activation", ""), 0.0))]
        for layer, filter_ in filters
    ]
    for logits, (layer, filter_) in zip(network.ablation_logits(images, ablations), filters, strict=True):
        edited = with_constant_filter(architecture, weights, layer.name, filter_, 0)
        expected = open_network(architecture, edited, engine).logits(images)
        np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-5 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("engine", ENGINES)
def test_replaced_filters_of_several_layers_are_biases_without_kernels(engine):
    architecture = presets.cnn((14, 15, 1), 7)
    weights = initial_weights(architecture, 0)
    images = np.random.default_rng(0).integers(0, 256, (11, 14, 15, 1), np.uint8)
    ablation = [
        Replacement("dense", 5, 0.75), Replacement("conv2d", 3, 0.25), Replacement("conv2d_1", 0, 0.0),
        Replacement("conv2d", 15, 1.5), Replacement("dense_1", 6, -3.25),
    ]  # fmt: skip
    edited = weights
    for replacement in ablation:
        edited = with_constant_filter(architecture, edited, replacement.layer, replacement.filter, replacement.value)
    logits = open_network(architecture, weights, engine).ablation_logits(images, [ablation])[0]
    np.testing.assert_allclose(logits, open_network(architecture, edited, engine).logits(images), rtol=0, atol=1e-5)
    assert (logits[:, 6] == -3.25).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_replacement_in_a_later_layer_overrides_one_in_an_earlier_layer(engine):
    # The native engine computes convolution and pooling as one, and flattens the map where it lies.
    architecture = Architecture(Input(6, 7), (Conv2D(3, 3, activation="relu"), MaxPooling2D(2), Flatten(), Dense(2)))
    network = open_network(architecture, initial_weights(architecture, 0), engine)
    images = np.random.default_rng(0).integers(0, 256, (3, 6, 7, 1), np.uint8)
    pooled, convolved = Replacement("max_pooling2d", 1, 2.0), Replacement("conv2d", 1, 1.0)
    # Channel 1 at the four positions of a map (2, 2, 3), and where the map is flattened.
    flat = [Replacement("flatten", 3 * index + 1, 4.0) for index in range(4)]
    ablations = [[pooled], [pooled, convolved], [convolved, pooled], [*flat, pooled, convolved], flat, [convolved]]
    logits = network.ablation_logits(images, ablations)
    for other_order in (1, 2):
        np.testing.assert_array_equal(logits[other_order], logits[0])
    np.testing.assert_array_equal(logits[3], logits[4])
    assert not np.array_equal(logits[5], logits[0])


def test_ablations_have_the_same_bits_for_any_threads_and_any_other_ablations(architecture, weights, images):
    ablations = various_ablations(architecture)
    network = NativeNetwork(architecture, weights, 1)
    expected = network.ablation_logits(images, ablations)
    np.testing.assert_array_equal(NativeNetwork(architecture, weights, 3).ablation_logits(images, ablations), expected)
    np.testing.assert_array_equal(network.ablation_logits(images, ablations[::-1])[::-1], expected)
    np.testing.assert_array_equal(network.ablation_logits(images[4:5], ablations), expected[:, 4:5])
    for ablation, logits in zip(ablations, expected, strict=True):
        np.testing.assert_array_equal(network.ablation_logits(images, [ablation])[0], logits)


@pytest.mark.parametrize("engine", ENGINES)
def test_no_ablations_and_no_images_give_nothing(engine):
    architecture = presets.cnn()
    network = open_network(architecture, initial_weights(architecture, 0), engine)
    assert network.ablation_logits(np.zeros((2, 28, 28, 1), np.uint8), []).shape == (0, 2, 10)
    none = np.empty((0, 28, 28, 1), np.uint8)
    assert network.ablation_logits(none, [[Replacement("conv2d", 0)]]).shape == (1, 0, 10)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("ablation", "error", "message"),
    [
        ([Replacement("conv2d", 16)], ValueError, "filter is 16; conv2d has filters 0 to 15"),
        ([Replacement("dense", -1)], ValueError, "filter is -1; dense has filters 0 to 127"),
        ([Replacement("flatten", 800)], ValueError, "filter is 800; flatten has filters 0 to 799"),
        ([Replacement("conv2d", 0, np.nan)], ValueError, "value of filter 0 of conv2d is nan; it must be a finite"),
        ([Replacement("conv2d", 0, 1e39)], ValueError, "value of filter 0 of conv2d is 1e\\+39; it must be a finite"),
        ([Replacement("conv2d", 2), Replacement("conv2d", 2, 1.0)], ValueError, "conv2d is replaced 2 times"),
        ([Replacement("input", 0)], KeyError, "no layer 'input'; the layers are conv2d, max_pooling2d"),
    ],
)
def test_ablation_logits_reject_invalid_arguments(engine, ablation, error, message):
    architecture = presets.cnn()
    network = open_network(architecture, initial_weights(architecture, 0), engine)
    with pytest.raises(error, match=message):
        network.ablation_logits(np.zeros((2, 28, 28, 1), np.uint8), [[], ablation])


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_effects_equal_those_of_the_logits_for_any_block_size(engine, small_mnist, monkeypatch):
    architecture, test = presets.cnn(), small_mnist.test.take(np.arange(150))
    network = open_network(architecture, initial_weights(architecture, 0), engine)
    sets = [[], [Replacement("conv2d_1", 3)], [Replacement("dense", k) for k in range(64)]]
    logits = network.ablation_logits(test.images, sets)
    for block_bytes in (ablations.BLOCK_BYTES, 1):  # at once, and in blocks of 64, 64 and 22
        monkeypatch.setattr(ablations, "BLOCK_BYTES", block_bytes)
        effects = compute_ablation_effects(network, test.images, test.labels, sets)
        np.testing.assert_array_equal(effects.predictions, logits.argmax(axis=2))
        assert effects.losses.shape == (3, 150)
        for losses, logit in zip(effects.losses, logits, strict=True):
            assert losses.mean() == pytest.approx(metrics.cross_entropy(logit, test.labels), rel=1e-13)


def test_effects_reject_labels_of_other_images(small_mnist):
    architecture, test = presets.cnn(), small_mnist.test
    network = open_network(architecture, initial_weights(architecture, 0))
    with pytest.raises(ValueError, match=r"labels have shape \(299,\) for 300 images; give one label per image"):
        compute_ablation_effects(network, test.images, test.labels[1:], [[]])


@pytest.mark.parametrize("size", [1e4, 1e12, 3e38])
def test_a_replaced_filter_of_huge_values_leaves_no_rounding_error(size):
    architecture = presets.cnn((14, 15, 1), 7)
    weights = initial_weights(architecture, 0)
    images = np.random.default_rng(0).integers(0, 256, (9, 14, 15, 1), dtype=np.uint8)
    for layer in ("conv2d", "conv2d_1", "dense"):
        ablations = [[Replacement(layer, 3, value)] for value in (0.25, 0.0)]
        expected = open_network(architecture, weights, "native").ablation_logits(images, ablations)
        kernel = weights[f"{layer}/kernel"].copy()
        kernel[..., 3] = size
        network = open_network(architecture, {**weights, f"{layer}/kernel": kernel}, "native")
        np.testing.assert_allclose(network.ablation_logits(images, ablations), expected, rtol=0, atol=1e-5)
