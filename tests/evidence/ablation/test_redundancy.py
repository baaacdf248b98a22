import numpy as np

import convscope as cs
from convscope.base.records import decode, encode
from convscope.evidence.ablation import Redundancy, find_redundancy

from .conftest import noise, untrained


def with_kernels(architecture, change):
    """An untrained network of which `change` has rewritten the weights."""
    model = untrained(architecture)
    weights = {name: weight.copy() for name, weight in model.weights.items()}
    change(weights)
    return cs.Model(architecture, weights, model.class_names)


def pairs(redundancy):
    return [(pair.layer, pair.filters) for pair in redundancy.pairs]


def test_filters_that_answer_alike_are_named_by_layer_and_number():
    def change(weights):
        weights["conv2d/kernel"][..., 7] = weights["conv2d/kernel"][..., 2]
        weights["conv2d_1/kernel"][..., 0] = weights["conv2d_1/kernel"][..., 31]

    found = find_redundancy(with_kernels(cs.presets.cnn((12, 11, 1), 7), change), noise().images)
    assert pairs(found) == [("conv2d", (2, 7)), ("conv2d_1", (0, 31))]
    assert all(pair.correlation > 0.999999 and pair.kernel_cosine > 0.999999 for pair in found.pairs)
    assert (found.num_pairs, found.num_images) == (2, 120)


def test_a_kernel_that_is_a_multiple_of_another_is_found_though_its_bias_differs():
    def change(weights):
        weights["conv2d/kernel"][..., 1] = 0.25 * weights["conv2d/kernel"][..., 0]
        weights["conv2d/bias"][:2] = -0.5, 0.3  # relu cuts them elsewhere
        weights["conv2d/kernel"][..., 2] = -weights["conv2d/kernel"][..., 0]

    found = find_redundancy(with_kernels(cs.presets.cnn((12, 11, 1), 7), change), noise().images)
    assert pairs(found) == [("conv2d", (0, 1))]
    assert found.pairs[0].kernel_cosine > 0.999999
    assert found.pairs[0].correlation < 0.99


def test_filters_that_answer_alike_by_other_kernels_are_found():
    # On constant images a kernel counts by its sum alone.
    def change(weights):
        weights["conv2d/kernel"][:] = 0
        weights["conv2d/kernel"][0, 0, 0, 0] = weights["conv2d/kernel"][2, 2, 0, 1] = 1

    layers = (cs.Conv2D(3), cs.Flatten(), cs.Dense(2))
    model = with_kernels(cs.Architecture(cs.Input(6, 6), layers), change)
    images = np.arange(20, dtype=np.uint8)[:, None, None, None] * np.ones((1, 6, 6, 1), np.uint8)
    found = find_redundancy(model, images)
    assert pairs(found) == [("conv2d", (0, 1))]
    assert found.pairs[0].kernel_cosine == 0
    assert [(one.layer, one.filter) for one in found.constant_filters] == [("conv2d", 2)]


def test_correlations_are_those_of_numpy_block_by_block(monkeypatch):
    model, images = untrained(cs.presets.cnn((12, 11, 1), 7)), noise().images
    monkeypatch.setattr("convscope.evidence.ablation.redundancy.LEAST_CORRELATION", -1)
    monkeypatch.setattr("convscope.evidence.ablation.redundancy._MOST_PAIRS", 10_000)
    monkeypatch.setattr("convscope.evidence.ablation.parts._BLOCK_BYTES", 200_000)
    found = find_redundancy(model, images)
    with np.errstate(invalid="ignore"):  # of a filter that never answers
        expected = {
            layer: np.nan_to_num(np.corrcoef(outputs.reshape(-1, outputs.shape[-1]).T.astype(np.float64)))
            for layer, outputs in model.activations(images, ["conv2d", "conv2d_1"]).items()
        }
    assert found.num_pairs == len(found.pairs) == 16 * 15 / 2 + 32 * 31 / 2
    for pair in found.pairs:
        np.testing.assert_allclose(pair.correlation, expected[pair.layer][pair.filters], atol=1e-9)


def test_depthwise_kernels_are_compared_within_their_channel_alone():
    def change(weights):
        weights["depthwise_conv2d/kernel"][:] = weights["depthwise_conv2d/kernel"][:, :, :1, :1]

    layers = (cs.DepthwiseConv2D(3, depth_multiplier=2), cs.Flatten(), cs.Dense(3))
    model = with_kernels(cs.Architecture(cs.Input(8, 8, 2), layers), change)
    found = find_redundancy(model, noise(50, 3, (8, 8, 2)).images)
    assert pairs(found) == [("depthwise_conv2d", (0, 1)), ("depthwise_conv2d", (2, 3))]


def test_units_are_compared_on_request_and_constant_ones_named():
    def change(weights):
        weights["dense/kernel"][:, 4] = 0
        weights["dense/bias"][4] = 0.7
        weights["dense/kernel"][:, 1] = 3 * weights["dense/kernel"][:, 0]

    layers = (cs.Conv2D(3), cs.Flatten(), cs.Dense(5, "relu"), cs.Dense(7))
    model = with_kernels(cs.Architecture(cs.Input(12, 11), layers), change)
    assert pairs(find_redundancy(model, noise().images)) == []
    found = find_redundancy(model, noise().images, units=True)
    assert pairs(found) == [("dense", (0, 1))]
    assert ("dense", 4) in [(one.layer, one.filter) for one in found.constant_filters]


def test_of_many_pairs_the_most_alike_are_listed_and_all_counted():
    def change(weights):
        weights["conv2d/kernel"][:] = weights["conv2d/kernel"][..., :1]
        weights["conv2d/bias"][:] = 0

    layers = (cs.Conv2D(20, 3), cs.Flatten(), cs.Dense(7))
    found = find_redundancy(with_kernels(cs.Architecture(cs.Input(12, 11), layers), change), noise().images)
    assert (found.num_pairs, len(found.pairs)) == (190, 100)
    assert found.lines()[-1] == "and 90 more pairs"


def test_very_wide_layers_are_compared_in_part(monkeypatch):
    monkeypatch.setattr("convscope.evidence.ablation.redundancy._MOST_FILTERS", 10)
    found = find_redundancy(untrained(cs.presets.cnn((12, 11, 1), 7)), noise(3000).images)
    assert found.num_filters_left_out == 16 + 32 - 20
    assert found.num_images == 1000


def test_to_dict_is_plain_json():
    def change(weights):
        weights["conv2d/kernel"][..., 7] = weights["conv2d/kernel"][..., 2]
        weights["conv2d/kernel"][..., 3] = 0

    found = find_redundancy(with_kernels(cs.presets.cnn((12, 11, 1), 7), change), noise().images)
    assert decode(encode(found), Redundancy, "ablation.json") == found
    assert found.pairs[0].filters == (2, 7)
    assert ("conv2d", 3) in [(one.layer, one.filter) for one in found.constant_filters]
