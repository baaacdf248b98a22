"""The images and windows that excite each filter most."""

import json
from functools import partial

import numpy as np
import pytest
from tests.noise import init_model, random_dataset

import convscope as cs
from convscope.engine import initial_weights
from convscope.evidence.explanation import filter_measures, filter_pictures
from convscope.evidence.explanation.filter_measures import class_selectivity, filter_layers, measure_filters
from convscope.evidence.explanation.filters import filter_cards


def one_convolution(kernels, biases=None, shape=(8, 8, 1), **options):
    """A model of one convolution with the given kernels (rows, columns, C, F), whose logits do not matter."""
    kernels = np.asarray(kernels, np.float32)
    layer = cs.Conv2D(kernels.shape[3], kernels.shape[:2], **{"activation": "relu", **options})
    architecture = cs.Architecture(cs.Input(*shape), (layer, cs.GlobalAveragePooling2D(), cs.Dense(2)))
    weights = dict(initial_weights(architecture, 0))
    weights["conv2d/kernel"] = kernels
    weights["conv2d/bias"] = np.zeros(kernels.shape[3], np.float32) if biases is None else np.float32(biases)
    return cs.Model(architecture, weights, ("no", "yes"))


def make_dataset(images, labels=None, names=("no", "yes")):
    labels = np.arange(len(images)) % len(names) if labels is None else np.asarray(labels)
    return cs.Dataset(np.asarray(images, np.uint8), labels.astype(np.int64), names, "made", "test")


noise = partial(random_dataset, seed=3, split="test")


EDGE = np.array([[-1, 0, 1]] * 3, float)[:, :, None, None]  # darker on the left than on the right


# --- What excites a filter --------------------------------------------------------------------------------------------


def test_an_edge_detector_is_excited_most_where_the_edge_is():
    images = np.zeros((4, 8, 8, 1))
    images[2, 2:5, 5] = 255  # a stroke three pixels long
    images[3, 2:4, 5] = 255  # a shorter one, at the same place
    (layer,) = filter_cards(one_convolution(EDGE), make_dataset(images)).layers
    (card,) = layer.filters
    assert card.exciting.index == (2, 3)  # the other images leave it at zero
    assert card.exciting.positions == [(2, 3), (1, 3)]  # the upper left pixels of the windows with the highest outputs
    assert card.exciting.value == (3.0, 2.0)  # white pixels in the right column of the window
    # The quartiles of the highest outputs of the four images: 0, 0, 2 and 3.
    assert (card.quantiles, card.active_image_fraction) == ((0.0, 0.0, 1.0, 2.25, 3.0), 0.5)
    np.testing.assert_array_equal(layer.pictures.real.unpack()[0, 0], images[2, 2:5, 3:6])


def test_a_picture_at_the_border_is_clear_beyond_it():
    images = np.zeros((2, 8, 8, 1))
    images[1, 0:2, 1] = 200
    model = one_convolution(EDGE, padding="same")
    (layer,) = filter_cards(model, make_dataset(images)).layers
    (card,) = layer.filters
    assert card.exciting.positions[0] == (0, 0)
    np.testing.assert_array_equal(layer.pictures.real.unpack()[0, 0, ..., 0], [[0, 0, 0], [0, 0, 200], [0, 0, 200]])


def test_the_nine_most_exciting_images_equal_a_full_sort_of_the_maps(monkeypatch):
    monkeypatch.setattr(filter_measures, "_BLOCK_BYTES", 100_000)  # so that there are many blocks
    dataset, architecture = noise(150, (12, 11, 1), 7), cs.presets.cnn((12, 11, 1), 7)
    model = init_model(architecture)
    outputs = model.activations(dataset.images, ["conv2d", "conv2d_1"])
    for layer in filter_cards(model, dataset).layers:
        maps = outputs[layer.layer]
        highest_of_filters = maps.max(axis=(1, 2))  # (N, F)
        for card in layer.filters:
            highest = highest_of_filters[:, card.filter]
            order = np.argsort(-highest, kind="stable")
            expected = [image for image in order[:9] if highest[image] > 0]
            shown = card.exciting
            assert list(shown.index) == expected
            for index, cell, value in zip(shown.index, shown.positions, shown.value, strict=True):
                assert maps[(index, *cell, card.filter)] == pytest.approx(highest[index], rel=1e-6)
                assert value == pytest.approx(highest[index], rel=1e-5)
            np.testing.assert_allclose(card.quantiles, np.percentile(highest, [0, 25, 50, 75, 100]), rtol=1e-5)


def test_a_filter_with_negative_outputs_still_has_nine_images():
    model = one_convolution(-np.ones((1, 1, 1, 1)), activation="linear", shape=(2, 2, 1))
    images = np.arange(10, 22).reshape(12, 1, 1, 1) * np.ones((1, 2, 2, 1))
    (card,) = filter_cards(model, make_dataset(images)).layers[0].filters
    assert card.exciting.index == tuple(range(9))  # the darkest first
    assert (card.selectivity, card.active_image_fraction, card.is_dead, card.is_rare) == (0, 0, False, True)


def test_of_images_that_excite_equally_the_first_come_first():
    images = np.full((60, 4, 4, 1), 50)
    images[20:50] = 90
    model = one_convolution(np.ones((1, 1, 1, 1)), shape=(4, 4, 1))
    (card,) = filter_cards(model, make_dataset(images)).layers[0].filters
    assert (card.exciting.index, set(card.exciting.positions)) == (tuple(range(20, 29)), {(0, 0)})


# --- Dead, selective --------------------------------------------------------------------------------------------------


def test_filters_of_constant_output_are_dead_and_filters_that_few_images_excite_are_rare():
    images = np.random.default_rng(0).integers(0, 200, (300, 4, 4, 1))
    images[7, 1, 1] = 255
    # relu(x - 0.9) is above zero for 255 alone; relu(-1) and relu(0.7) are constant; relu(x) is excited by any image.
    model = one_convolution(np.array([1, 0, 0, 1]).reshape(1, 1, 1, 4), [-0.9, -1, 0.7, 0], (4, 4, 1))
    cards = filter_cards(model, make_dataset(images)).layers[0].filters
    assert [card.is_dead for card in cards] == [False, True, True, False]
    assert [card.is_rare for card in cards] == [True, False, False, False]
    assert cards[0].active_image_fraction == 1 / 300
    assert (cards[0].exciting.index, cards[0].exciting.positions) == ((7,), [(1, 1)])
    assert [len(card.exciting.index) for card in cards] == [1, 0, 0, 9]
    assert cards[2].quantiles == tuple([pytest.approx(0.7)] * 5)


def test_means_and_variances_equal_those_of_all_cells_at_once(monkeypatch):
    monkeypatch.setattr(filter_measures, "_BLOCK_BYTES", 20_000)
    dataset, model = noise(60, (10, 10, 3), 3), init_model(cs.presets.cnn((10, 10, 3), 3))
    layers = filter_layers(model.architecture)
    for layer, measures in zip(layers, measure_filters(model, layers, dataset.images), strict=True):
        cells = model.activations(dataset.images, [layer.layer])[layer.layer].reshape(-1, layer.num_filters)
        np.testing.assert_array_equal(measures.is_constant, cells.std(axis=0) == 0)
        means = np.maximum(cells, 0).reshape(60, -1, layer.num_filters).mean(axis=1)
        np.testing.assert_allclose(measures.means, means, rtol=1e-4)


def test_selectivity_equals_a_loop_over_classes_and_filters():
    stream = np.random.default_rng(4)
    means, labels = stream.random((80, 6)), stream.choice([0, 1, 3, 7], 80)
    selectivity, label = class_selectivity(means, labels)
    for filter_index in range(6):
        by_class = {name: means[labels == name, filter_index].mean() for name in (0, 1, 3, 7)}
        best = max(by_class, key=by_class.get)
        rest = np.mean([mean for name, mean in by_class.items() if name != best])
        assert label[filter_index] == best
        assert selectivity[filter_index] == pytest.approx((by_class[best] - rest) / (by_class[best] + rest))


def test_a_filter_for_one_class_is_selective_for_it():
    labels = np.arange(400) % 4
    images = np.where(labels == 2, 200, 0).reshape(-1, 1, 1, 1) * np.ones((1, 4, 4, 1))
    layers = (cs.Conv2D(1, 1, activation="relu"), cs.GlobalAveragePooling2D(), cs.Dense(4))
    weights = {"conv2d/kernel": np.ones((1, 1, 1, 1)), "conv2d/bias": np.zeros(1),
               "dense/kernel": np.ones((1, 4)), "dense/bias": np.zeros(4)}  # fmt: skip
    model = cs.Model(cs.Architecture(cs.Input(4, 4), layers), weights, tuple("abcd"))
    (layer,) = filter_cards(model, make_dataset(images, labels, tuple("abcd"))).layers
    assert (layer.filters[0].selectivity, layer.filters[0].selective_label) == (1.0, 2)


# --- Any network, any data --------------------------------------------------------------------------------------------


def test_a_filter_is_read_after_a_following_normalization_or_activation_layer():
    layers = (
        cs.Conv2D(4, use_bias=False), cs.BatchNormalization(), cs.Activation("relu", name="a"), cs.ZeroPadding2D(),
        cs.Conv2D(3, activation="tanh"), cs.Activation("relu"), cs.DepthwiseConv2D(),
        cs.Activation("leaky_relu", 0.1, name="b"), cs.Conv2D(2, name="c"),
        cs.BatchNormalization(activation="relu", name="d"), cs.Activation("relu"), cs.Conv2D(2, name="last"),
        cs.ZeroPadding2D(), cs.GlobalAveragePooling2D(), cs.Activation("softmax"),
    )  # fmt: skip
    model = init_model(cs.Architecture(cs.Input(12, 11), layers), ("no", "yes"))
    cards = filter_cards(model, make_dataset(np.random.default_rng(0).integers(0, 256, (30, 12, 11, 1))))
    assert [(layer.layer, layer.read_at, layer.activation) for layer in cards.layers] == [
        ("conv2d", "a", "relu"),
        ("conv2d_1", "conv2d_1", "tanh"),
        ("depthwise_conv2d", "b", "leaky_relu"),
        ("c", "d", "relu"),
        ("last", "last", "linear"),
    ]


def test_hidden_units_see_the_whole_image():
    dataset = noise(60, (8, 8, 3), 5)
    cards = filter_cards(init_model(cs.presets.ann((8, 8, 3), 5)), dataset)
    assert [(layer.layer, layer.map_size, len(layer.filters)) for layer in cards.layers] == [
        ("dense", (1, 1), 128),
        ("dense_1", (1, 1), 128),
    ]
    pictures, filters = cards.layers[0].pictures, cards.layers[0].filters
    row = next(row for row, unit in enumerate(pictures.filters) if filters[unit].exciting.index)
    best_image = filters[pictures.filters[row]].exciting.index[0]
    np.testing.assert_array_equal(pictures.real.unpack()[row, 0], dataset.images[best_image])


def test_a_network_without_hidden_layers_has_no_cards():
    model = init_model(cs.Architecture(cs.Input(8, 8), (cs.Flatten(), cs.Dense(2))), ("no", "yes"))
    cards = filter_cards(model, make_dataset(np.ones((5, 8, 8, 1))))
    assert cards.layers == ()


def test_of_many_images_evenly_taken_ones_are_measured_and_the_rest_counted():
    dataset, model = noise(90, (8, 8, 1), 2), one_convolution(EDGE)
    dataset = cs.Dataset(dataset.images, dataset.labels, ("no", "yes"))
    cards = filter_cards(model, dataset, max_images=10)
    taken = np.linspace(0, 89, 10).round().astype(int)
    assert (cards.num_images, cards.num_images_left_out) == (10, 80)
    (expected,) = filter_cards(model, dataset.take(taken)).layers
    card = cards.layers[0].filters[0]
    assert list(card.exciting.index) == [taken[index] for index in expected.filters[0].exciting.index]
    assert card.quantiles == expected.filters[0].quantiles
    np.testing.assert_array_equal(cards.layers[0].pictures.real.unpack(), expected.pictures.real.unpack())


def test_pictures_beyond_the_limit_are_thinned_evenly_and_still_counted(monkeypatch):
    dataset, model = noise(30, (10, 10, 1), 3), init_model(cs.presets.cnn((10, 10, 1), 3))
    monkeypatch.setattr(filter_pictures, "_MAX_BYTES", 6_000)
    cards = filter_cards(model, dataset)
    shown = [layer.pictures.filters for layer in cards.layers]
    assert shown[0] == tuple(range(16))
    assert 1 < len(shown[1]) < 32
    assert (shown[1][0], shown[1][-1]) == (0, 31)
    assert len(json.dumps([layer.pictures.to_dict() for layer in cards.layers])) < 8_000
    assert [len(layer.filters) for layer in cards.layers] == [16, 32]


def test_large_pictures_are_reduced_by_a_whole_factor():
    layers = (cs.Flatten(), cs.Dense(3, "tanh"), cs.Dense(2))
    model = init_model(cs.Architecture(cs.Input(57, 40), layers), ("no", "yes"))
    images = np.random.default_rng(0).integers(0, 256, (12, 57, 40, 1))
    (layer,) = filter_cards(model, make_dataset(images)).layers
    assert (layer.pictures.factor, layer.pictures.real.shape[2:]) == (3, (19, 14, 1))
    index, real = layer.filters[0].exciting.index[0], layer.pictures.real.unpack()
    assert real[0, 0, 4, 5, 0] == round(images[index, 12:15, 15:18].mean())
    assert real[0, 0, 4, 13, 0] == round(images[index, 12:15, 39].mean())  # 40 = 13 · 3 + 1: the last has one column


def test_text_and_html_show_a_line_for_each_layer():
    cards = filter_cards(init_model(cs.presets.cnn((10, 10, 1), 3)), noise(40, (10, 10, 1), 3))
    lines = str(cards).splitlines()
    assert lines[0] == "Filters on 40 test images of noise:"
    assert [line.split()[:2] for line in lines[4:]] == [["conv2d", "16"], ["conv2d_1", "32"]]
    assert ">conv2d_1</td>" in cards._repr_html_()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model, data: filter_cards(model, data, max_images=0), "max_images is 0; it must be at least 1"),
        (lambda model, _: filter_cards(model, noise(9, (8, 8, 1), 3)), "noise has 3 classes"),
        (lambda model, _: filter_cards(model, make_dataset(np.ones((3, 9, 8, 1)))), r"needs uint8 \(N, 8, 8, 1\)"),
    ],
)
def test_mismatched_arguments_are_rejected(call, message):
    with pytest.raises(ValueError, match=message):
        call(one_convolution(EDGE), make_dataset(np.ones((3, 8, 8, 1))))
