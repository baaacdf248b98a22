import numpy as np
import pytest

import convscope as cs
from convscope.engine import initial_weights, open_network
from convscope.evidence.explanation.filter_layers import filter_layers
from convscope.evidence.explanation.synthesis import _ascend, _picking_network, synthesize

PLAIN = {"jitter": 0, "blur": 0, "decay": 0}


def untrained(architecture):
    names = tuple(map(str, range(architecture.num_classes)))
    return cs.Model(architecture, initial_weights(architecture, 1), names)


def one_convolution(kernel, bias=0.0, scale=1 / 255, **options):
    kernel = np.asarray(kernel, np.float32)
    layer = cs.Conv2D(kernel.shape[3], kernel.shape[:2], **{"activation": "relu", **options})
    layers = (layer, cs.GlobalAveragePooling2D(), cs.Dense(2))
    architecture = cs.Architecture(cs.Input(9, 10, kernel.shape[2], scale), layers)
    biases = np.full(kernel.shape[3], bias, np.float32)
    weights = {**initial_weights(architecture, 0), "conv2d/kernel": kernel, "conv2d/bias": biases}
    return cs.Model(architecture, weights, ("a", "b"))


def mixed():
    """A network with everything that may stand before, at or behind a filter's layer."""
    layers = (
        cs.Conv2D(4, padding="same", use_bias=False),
        cs.BatchNormalization(activation="tanh"),
        cs.DepthwiseConv2D(depth_multiplier=2, activation="gelu", padding="same"),
        cs.Conv2D(4, 1, name="back"),
        cs.Add("batch_normalization", activation="leaky_relu"),
        cs.ZeroPadding2D(((1, 0), (0, 2))),
        cs.Conv2D(5, name="apart"),
        cs.BatchNormalization(),
        cs.Activation("leaky_relu", 0.05),
        cs.AveragePooling2D(),
        cs.Conv2D(1, activation="sigmoid", name="single"),
        cs.Flatten(),
        cs.Dense(3),
    )
    return untrained(cs.Architecture(cs.Input(9, 10, 3, 0.01, -1.2), layers))


# --- The optimum ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scale", "bright"), [(1 / 255, 1), (-1 / 255, -1)])
def test_the_best_image_of_a_linear_filter_is_white_where_its_kernel_is_positive_and_black_elsewhere(scale, bright):
    stream = np.random.default_rng(0)
    kernel = stream.choice([-1, 1], (3, 3, 2, 4)) * stream.uniform(0.5, 1, (3, 3, 2, 4))
    made = synthesize(one_convolution(kernel, 0.25, scale, activation="linear"), "conv2d", **PLAIN)
    top, left, bottom, right = made.window
    for number in range(4):
        expected = np.where(bright * kernel[..., number] > 0, 255, 0)
        np.testing.assert_array_equal(made.images[number, top:bottom, left:right], expected)
        part = kernel[..., number][bright * kernel[..., number] > 0].sum()
        assert made.activations[number] >= np.float32(255 * scale * part + 0.25) - 1e-5


def test_a_relu_that_grey_leaves_silent_is_woken():
    made = synthesize(one_convolution(np.ones((3, 3, 1, 1)), -8.0), "conv2d")
    assert made.start_activations.tolist() == [0.0]
    assert made.activations.tolist() == [1.0]  # nine white pixels, less 8


def test_filters_behind_ones_that_grey_leaves_silent_are_woken_too():
    """The first convolution answers from two thirds of white on: at grey no gradient passes its relu."""
    layers = (cs.Conv2D(2, 3, activation="relu"), cs.Conv2D(3, 3, activation="relu"), cs.Flatten(), cs.Dense(2))
    model = untrained(cs.Architecture(cs.Input(12, 12), layers))
    weights = {name: weight.copy() for name, weight in model.weights.items()}
    weights["conv2d/kernel"] = np.zeros((3, 3, 1, 2), np.float32)
    weights["conv2d/kernel"][1, 1] = 1
    weights["conv2d/bias"] = np.full(2, -2 / 3, np.float32)
    weights["conv2d_1/kernel"] = np.abs(weights["conv2d_1/kernel"])
    model = cs.Model(model.architecture, weights, model.class_names)
    grey = np.full((1, 12, 12, 1), 128, np.uint8)
    assert not model.activations(grey, ["conv2d"])["conv2d"].any()
    made = synthesize(model, "conv2d_1")
    top, left, bottom, right = made.window
    white = np.full((1, 12, 12, 1), 255, np.uint8)  # the best there is: every weight of the second is positive
    best = model.activations(white, ["conv2d_1"])["conv2d_1"].max(axis=(0, 1, 2))
    np.testing.assert_allclose(made.activations, best, rtol=0.02)
    alone = synthesize(model, "conv2d_1", [1])
    np.testing.assert_array_equal(alone.images[0, top:bottom, left:right], made.images[1, top:bottom, left:right])


def test_the_ascent_raises_every_filter_and_each_image_is_best_for_its_own():
    model = untrained(cs.presets.cnn((14, 14, 1), 4))
    for layer in ("conv2d", "conv2d_1"):
        made = synthesize(model, layer)
        assert made.filters == tuple(range(len(made.images)))
        assert (made.activations > made.start_activations).all()
        maps = model.activations(made.images, [layer])[layer]
        highest = maps.max(axis=(1, 2))  # (image, filter)
        np.testing.assert_array_equal(made.activations, highest.diagonal())
        assert (highest.argmax(axis=0) == np.arange(len(highest))).mean() > 0.8


def test_blurred_images_excite_less_and_are_smoother():
    model = untrained(cs.presets.ann((14, 14, 1), 4))
    plain, smooth = (synthesize(model, "dense", range(8), **options) for options in (PLAIN, {**PLAIN, "blur": 2.0}))
    roughness = [np.abs(np.diff(one.images.astype(float), axis=1)).mean() for one in (plain, smooth)]
    assert roughness[1] < 0.95 * roughness[0]
    assert smooth.activations.mean() < plain.activations.mean()


# --- What is ascended -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "chosen"), [("conv2d", [3, 1]), ("depthwise_conv2d", [7, 0, 2]), ("back", [2]), ("single", [0])]
)
def test_the_logits_ascended_are_the_chosen_filters_middle_outputs_before_activation(layer, chosen):
    model = mixed()
    found = next(one for one in filter_layers(model.architecture) if one.layer == layer)
    rows, columns = found.map_size
    middle = ((rows - 1) // 2, (columns - 1) // 2)
    images = np.random.default_rng(0).integers(0, 256, (5, 9, 10, 3), np.uint8)
    outputs = open_network(model.architecture, model.weights, "reference").activations(images, [found.row.layer.name])
    expected = outputs[found.row.layer.name][(slice(None), *middle)][:, chosen]
    logits = _picking_network(model, found, chosen, middle).logits(images)[:, : len(chosen)]
    undone = {"tanh": np.arctanh, "sigmoid": lambda y: np.log(y / (1 - y)), "linear": lambda y: y}
    if found.activation == "gelu":
        from scipy.special import ndtr

        logits, undone["gelu"] = logits * ndtr(logits), lambda y: y
    np.testing.assert_allclose(logits, undone[found.activation](expected), atol=1e-4)


def test_the_gradient_ascended_agrees_with_finite_differences():
    model = mixed()
    found = filter_layers(model.architecture)[1]
    network = _picking_network(model, found, [5, 2], (4, 4))
    images = np.random.default_rng(0).integers(20, 230, (2, 9, 10, 3), np.uint8)
    gradient = network.layer_gradients(images, np.eye(2), ["input"])["input"]
    for place in [(3, 3, 0), (4, 5, 2), (5, 4, 1)]:
        above, below = images.copy(), images.copy()
        above[(slice(None), *place)] += 5
        below[(slice(None), *place)] -= 5
        change = (network.logits(above) - network.logits(below)).diagonal() / (10 * 0.01)
        np.testing.assert_allclose(change, gradient[(slice(None), *place)], rtol=0.02, atol=1e-3)


def test_a_gradient_taken_on_a_moved_image_moves_the_pixels_that_it_is_of():
    kernel = np.zeros((5, 5, 1, 1))
    kernel[2, 3] = 1
    model = one_convolution(kernel)
    network = _picking_network(model, filter_layers(model.architecture)[0], [0], (2, 2))  # it reads pixel (4, 5)
    start, options = np.full((1, 9, 10, 1), 100.0), {"step_size": 20.0, "blur": 0.0, "decay": 0.0}
    for shift in [(0, 0), (1, -1), (-1, 0)]:
        image = _ascend(network, start, (2, 2, 7, 7), np.array([shift]), **options)[0, ..., 0]
        assert np.argwhere(image != 100).tolist() == [[4 - shift[0], 5 - shift[1]]]
        assert image.max() == 200  # the root mean square over 25 pixels is a fifth of the one


def test_regularisation_pulls_to_grey_and_spreads_and_is_gone_at_the_end():
    model = one_convolution(np.zeros((5, 5, 1, 1)))
    network = _picking_network(model, filter_layers(model.architecture)[0], [0], (2, 2))
    start, still = np.full((1, 9, 10, 1), 227.5), np.zeros((4, 2), int)
    start[0, 4, 4] = 127.5
    options = {"step_size": 1.0, "blur": 0.0, "decay": 0.0}  # no gradient: only regularisation moves anything
    pulled = _ascend(network, start, (2, 2, 7, 7), still, **options | {"decay": 0.3})
    # The strength falls by thirds: 1, 2/3, 1/3, and none in the last of four steps.
    assert pulled[0, 2, 2, 0] == round(127.5 + 100 * (1 - 0.3) * (1 - 0.2) * (1 - 0.1))
    assert pulled[0, 0, 0, 0] == round(227.5)  # outside the window
    spread = _ascend(network, start, (2, 2, 7, 7), still, **options | {"blur": 0.8})
    assert 128 < spread[0, 4, 4, 0] < 228
    assert spread[0, 4, 3, 0] < 228


def test_what_lies_outside_the_window_is_the_start_and_the_same_for_all():
    made = synthesize(untrained(cs.presets.cnn((20, 20, 3), 4)), "conv2d", [0, 5])
    top, left, bottom, right = made.window
    assert (bottom - top, right - left) == (3, 3)
    outside = made.images.astype(float)
    outside[:, top:bottom, left:right] = np.nan
    np.testing.assert_array_equal(outside[0], outside[1])
    assert np.nanmean(outside) == pytest.approx(127.5, abs=2)
    assert made.images.dtype == np.uint8


# --- Any network ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", ["conv2d", "depthwise_conv2d", "back", "single"])
def test_every_kind_of_filter_is_raised(layer):
    made = synthesize(mixed(), layer, steps=40)
    assert (made.activations > made.start_activations).all()


def test_hidden_units_are_raised_where_there_is_no_convolution():
    made = synthesize(untrained(cs.presets.ann((8, 8, 3), 100)), "dense_1", [0, 127, 64])
    assert made.window == (0, 0, 8, 8)
    assert (made.activations > made.start_activations).all()


def test_some_filters_alone_give_the_images_that_they_give_among_all():
    model = untrained(cs.presets.cnn((12, 12, 1), 4))
    every, some = synthesize(model, "conv2d_1", steps=20), synthesize(model, "conv2d_1", [30, 2], steps=20)
    assert some.filters == (30, 2)
    np.testing.assert_allclose(some.images.astype(int), every.images[[30, 2]].astype(int), atol=2)


def test_the_same_seed_gives_the_same_images_and_another_others():
    model = untrained(cs.presets.cnn((12, 12, 1), 4))
    first, second, other = (synthesize(model, "conv2d", steps=10, seed=seed).images for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


def test_small_windows_are_neither_moved_nor_blurred_and_the_parameters_say_so():
    model = untrained(cs.presets.cnn())
    parameters = synthesize(model, "conv2d", [0], steps=1).to_record()
    assert (parameters.jitter, parameters.blur, parameters.steps, parameters.place) == (0, 0, 1, (12, 12))
    assert synthesize(model, "conv2d_1", [0], steps=1).to_record().jitter == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filters": []}, "filters is empty"),
        ({"filters": [16]}, "filter is 16; conv2d has filters 0 to 15"),
        ({"filters": [-1]}, "filter is -1; conv2d has filters 0 to"),
        ({"steps": 0}, "steps is 0; it must be at least 1"),
        ({"step_size": 0}, "step_size is 0; it must be above 0"),
        ({"jitter": -1}, "jitter is -1; it must be at least 0"),
        ({"blur": float("nan")}, "blur is nan"),
        ({"decay": 1.5}, "decay is 1.5; it must be at most 1"),
    ],
)
def test_what_is_out_of_range_is_rejected(options, message):
    with pytest.raises(ValueError, match=message):
        synthesize(untrained(cs.presets.cnn((10, 10, 1), 2)), "conv2d", **options)


def test_a_layer_without_filters_is_rejected():
    with pytest.raises(KeyError, match="no layer 'dense' with filters; the layers are conv2d, conv2d_1"):
        synthesize(untrained(cs.presets.cnn((10, 10, 1), 2)), "dense")
    linear = cs.Architecture(cs.Input(8, 8), (cs.Flatten(), cs.Dense(2)))
    with pytest.raises(KeyError, match="this network has none"):
        synthesize(untrained(linear), "dense")
