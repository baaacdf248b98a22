"""Architectures: names of layers, counts, receptive fields (also measured, pixel by pixel), JSON and errors."""

import json
from itertools import pairwise, product
from math import prod

import numpy as np
import pytest
from tests.random_networks import architecture_around, kind_sequences

from convscope.architecture import (
    Activation,
    Add,
    Architecture,
    AveragePooling2D,
    BatchNormalization,
    Branch,
    Concatenate,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    MaxPooling2D,
    Multiply,
    SoftVoting,
    ZeroPadding2D,
    presets,
)
from convscope.base.errors import ArchitectureError
from convscope.engine import open_network

# Networks around every seventh pair of neighbouring kinds of layers; all pairs would take long.
RANDOM = [architecture_around(pair, np.random.default_rng(seed)) for seed, pair in enumerate(kind_sequences(2)[::7])]


def open_positive_network(architecture):
    """Open a network whose outputs are 0 for a dark image and positive as soon as a pixel that they read is lit."""
    weights = {
        name: np.full(shape, 0.0 if name.endswith(("/bias", "/beta", "/moving_mean")) else 0.1)
        for name, shape in architecture.weight_shapes.items()
    }
    return open_network(architecture, weights, "reference")


def find_reached_outputs(architecture, layer):
    """Return (H, W, *output shape) bool: whether lighting a pixel of a dark image changes an output of `layer`."""
    height, width, channels = architecture.input.shape
    # One image for each pixel, in which this pixel alone is lit: the diagonal of images by pixels.
    images = np.zeros((height * width, height * width, channels), np.uint8)
    images[np.arange(height * width), np.arange(height * width)] = 255
    images = images.reshape(-1, height, width, channels)
    outputs = open_positive_network(architecture).activations(images, [layer])[layer] > 0
    return outputs.reshape(height, width, *outputs.shape[1:])


def find_pixels_reaching_line(reached, axis, index):
    """Return along `axis`, 0 for rows and 1 for columns, the pixels that reach any output in row or column `index`."""
    return np.flatnonzero(reached.take(index, axis=2 + axis).any(axis=(1 - axis, 2)))


# --- Names ------------------------------------------------------------------------------------------------------------


def test_layers_are_named_as_keras_names_them():
    names = [layer.name for layer in presets.cnn().layers]
    assert names == ["conv2d", "max_pooling2d", "conv2d_1", "max_pooling2d_1", "flatten", "dense", "dense_1"]


def test_explicit_names_stay_and_are_unique():
    layers = (Conv2D(2, name="conv2d_1"), Conv2D(2), Conv2D(2), Conv2D(2, name="eyes"), Flatten(), Dense(2))
    names = [layer.name for layer in Architecture(Input(28, 28), layers).layers]
    assert names == ["conv2d_1", "conv2d", "conv2d_2", "eyes", "flatten", "dense"]


# --- Counts -----------------------------------------------------------------------------------------------------------


def test_the_cnn_has_the_published_shapes_and_counts():
    cnn = presets.cnn()
    assert [(row.output_shape, row.parameters, row.macs) for row in cnn.table] == [
        ((26, 26, 16), 160, 97_344),
        ((13, 13, 16), 0, 0),
        ((11, 11, 32), 4_640, 557_568),
        ((5, 5, 32), 0, 0),
        ((800,), 0, 0),
        ((128,), 102_528, 102_400),
        ((10,), 1_290, 1_280),
    ]
    assert (cnn.parameters, cnn.macs, cnn.num_classes) == (108_618, 758_592, 10)


def test_the_ann_has_the_published_counts():
    ann = presets.ann()
    assert (ann.parameters, ann.macs) == (118_282, 784 * 128 + 128 * 128 + 128 * 10)


def test_moving_statistics_are_weights_that_are_not_trained():
    layers = (Conv2D(4, use_bias=False), BatchNormalization(), Flatten(), Dense(3), BatchNormalization())
    architecture = Architecture(Input(5, 5), layers)
    assert architecture.parameters == 4 * 9 + 2 * 4 + (36 + 1) * 3 + 2 * 3  # layer by layer
    assert architecture.non_trainable_parameters == 2 * 4 + 2 * 3  # a mean and a variance of each channel
    assert [row.non_trainable_parameters for row in architecture.table] == [0, 8, 0, 0, 6]
    assert set(architecture.weight_shapes) - set(architecture.trainable_weight_shapes) == {
        "batch_normalization/moving_mean",
        "batch_normalization/moving_variance",
        "batch_normalization_1/moving_mean",
        "batch_normalization_1/moving_variance",
    }


@pytest.mark.parametrize("architecture", RANDOM, ids=range(len(RANDOM)))
def test_the_table_has_the_shapes_that_the_reference_engine_computes(architecture):
    network = open_positive_network(architecture)
    images = np.zeros((2, *architecture.input.shape), np.uint8)
    outputs = network.activations(images, [layer.name for layer in architecture.layers])
    assert {row.layer.name: row.output_shape for row in architecture.table} == {
        name: output.shape[1:] for name, output in outputs.items()
    }
    num_weights = architecture.parameters + architecture.non_trainable_parameters
    assert num_weights == sum(weight.size for weight in network.weights().values())
    assert architecture.parameters == sum(map(prod, architecture.trainable_weight_shapes.values()))
    assert architecture.table[0].input_shape == architecture.input.shape
    for before, row in pairwise(architecture.table):
        assert row.layer.kind in ("Branch", "Concatenate", "Multiply") or row.input_shape == before.output_shape


# --- Receptive fields -------------------------------------------------------------------------------------------------

FIELDS = {
    "valid": (Conv2D(2, 3), MaxPooling2D(), Conv2D(2, (2, 3)), MaxPooling2D((2, 1))),
    "same": (Conv2D(1, 3, padding="same"), Conv2D(1, 4, padding="same"), MaxPooling2D(3, 2)),
    "depthwise": (DepthwiseConv2D(3, 2, "same", 2), Conv2D(1, 2), DepthwiseConv2D((2, 3))),
    "dilation": (
        Conv2D(2, (3, 2), padding="same", dilation_rate=(2, 3)), MaxPooling2D(2),
        Conv2D(2, 2, groups=2, dilation_rate=2), DepthwiseConv2D((1, 2), padding="same", dilation_rate=2),
    ),
    "normalisation": (BatchNormalization(), Conv2D(1, 3), BatchNormalization(activation="relu"), MaxPooling2D(2)),
    "additions": (
        Conv2D(1, 3, 2, "same"), Add("conv2d"), Conv2D(1, 3, padding="same"), Add("add", "relu"),
        Conv2D(1, (1, 4), padding="same"), Add("add"), Conv2D(1, 2),
    ),
    "branches": (
        Conv2D(1, 3, padding="same"), MaxPooling2D(2, padding="same", name="small"), Branch("conv2d"),
        Conv2D(2, (1, 4), 2, "same"), Concatenate("small", name="both"), Branch("input"), ZeroPadding2D(1),
        Conv2D(1, 3, 2), Concatenate("both"), Conv2D(1, 2),
    ),
    "zero padding": (
        ZeroPadding2D(((1, 2), (0, 3))), Conv2D(1, 3, 2, activation="relu"), ZeroPadding2D((1, 2)), MaxPooling2D(2, 1),
        Activation("leaky_relu"), Conv2D(1, (2, 3)),
    ),
    "dropout": (Conv2D(1, 3), Dropout(0.5), MaxPooling2D(2), Dropout(0.1), Conv2D(1, 2)),
    "poolings": (AveragePooling2D(3, 2, "same"), Conv2D(1, 3), MaxPooling2D(3, 1, "same")),
    "strides": (Conv2D(1, 5, 2, "same"), Conv2D(1, 2, 2, "same"), MaxPooling2D(2, 1)),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("layers", FIELDS.values(), ids=FIELDS)
@pytest.mark.parametrize("size", [(17, 22), (19, 13)], ids=str)
def test_receptive_field_is_the_box_of_the_pixels_that_reach_an_output(layers, size):
    architecture = Architecture(Input(*size), (*layers, Flatten(), Dense(2)))
    is_dilated = any(getattr(layer, "dilation_rate", (1, 1)) != (1, 1) for layer in layers)
    num_compared = 0
    for row in architecture.table[: len(layers)]:
        field = row.receptive_field
        reached = find_reached_outputs(architecture, row.layer.name).any(axis=-1)
        for axis, num_pixels in enumerate(size):
            for index in range(row.output_shape[axis]):
                start = field.start[axis] + index * field.jump[axis]
                expected = np.arange(start, start + field.size[axis])
                pixels = find_pixels_reaching_line(reached, axis, index)
                if expected[0] < 0 or expected[-1] >= num_pixels:  # a part of the field lies in the padding
                    assert set(pixels) <= set(expected)
                    continue
                if is_dilated:  # pixels between the first and the last may reach nothing
                    assert (pixels[0], pixels[-1]) == (expected[0], expected[-1])
                    expected = np.intersect1d(expected, pixels)
                np.testing.assert_array_equal(pixels, expected)
                num_compared += 1
    assert num_compared > 20  # fields without padding, so that the test compares something


@pytest.mark.parametrize("vector", [Flatten(), GlobalAveragePooling2D()], ids=lambda vector: vector.kind)
@pytest.mark.parametrize("layers", FIELDS.values(), ids=FIELDS)
def test_receptive_field_of_a_vector_is_the_box_of_all_pixels_that_are_read(layers, vector):
    architecture = Architecture(Input(18, 21), (*layers, vector, Dense(3)))
    for row in architecture.table[-2:]:
        pixels = find_reached_outputs(architecture, row.layer.name).any(axis=-1)
        rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
        assert row.receptive_field.start == (rows[0], columns[0])
        assert row.receptive_field.size == (len(rows), len(columns))
        assert row.receptive_field.jump == (0, 0)


def test_receptive_field_of_an_addition_contains_those_of_both_inputs():
    # The pooling halves the map; the padding makes it as large as that of the first convolution again.
    layers = (Conv2D(1, 3, padding="same"), MaxPooling2D(2), ZeroPadding2D(((4, 3), (2, 5))), Add("conv2d"))
    architecture = Architecture(Input(14, 14), (*layers, Flatten(), Dense(2)))
    reached = find_reached_outputs(architecture, "add").any(axis=-1)
    field = architecture.row("add").receptive_field
    for axis, index in product((0, 1), range(14)):
        start = field.start[axis] + index * field.jump[axis]
        pixels = find_pixels_reaching_line(reached, axis, index)
        assert set(pixels) <= set(range(start, start + field.size[axis]))


def test_receptive_field_of_a_vector_that_reads_only_padding_is_empty():
    layers = (ZeroPadding2D(((6, 0), (0, 0))), MaxPooling2D((2, 2), (8, 1)), GlobalAveragePooling2D(), Dense(2))
    field = Architecture(Input(3, 4), layers).table[2].receptive_field
    assert field.size == (0, 4)


def test_receptive_fields_of_the_cnn_are_those_worked_by_hand():
    # A window of k adds (k - 1) * jump to the size; a stride multiplies the jump. A vector reads all 26 x 26 pixels.
    fields = [(row.receptive_field.size[0], row.receptive_field.jump[0]) for row in presets.cnn().table]
    assert fields == [(3, 1), (4, 2), (8, 2), (10, 4), (26, 0), (26, 0), (26, 0)]


# --- As data ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", RANDOM, ids=range(len(RANDOM)))
def test_an_architecture_goes_through_json_unchanged(architecture):
    assert Architecture.from_dict(json.loads(str(architecture))) == architecture


def test_architectures_that_differ_only_in_their_name_are_equal():
    cnn = presets.cnn()
    assert Architecture(cnn.input, cnn.layers, "other") == cnn


def test_row_finds_a_layer_by_its_name():
    assert presets.cnn().row("conv2d_1").output_shape == (11, 11, 32)
    with pytest.raises(KeyError, match="no layer 'conv2d_2'; the layers are conv2d, max_pooling2d, conv2d_1"):
        presets.cnn().row("conv2d_2")


# --- Errors -----------------------------------------------------------------------------------------------------------

IMAGE = Input(28, 28)
END = (Flatten(), Dense(10))


@pytest.mark.parametrize(
    ("image", "layers", "message"),
    [
        (IMAGE, (), "needs at least one layer"),
        (IMAGE, (Conv2D(8),), r"conv2d ends the network with shape \(26, 26, 8\); the last layer must give a vector"),
        (IMAGE, (Flatten(), Dense(1)), r"dense ends the network with shape \(1,\).*two or more numbers"),
        (IMAGE, (Flatten(), Dense(5, "softmax"), Dense(5)), "dense: softmax is allowed in the last layer only"),
        (IMAGE, (Conv2D(8, activation="softmax"), *END), "conv2d: softmax is allowed in the last layer only"),
        (IMAGE, (BatchNormalization(activation="softmax"), *END), "batch_normalization: softmax is allowed in the"),
        (
            IMAGE,
            (*END, BatchNormalization(activation="relu")),
            "normalization: the last layer must have the activation",
        ),
        (
            IMAGE,
            (Add("flatten"), *END),
            r"add \(Add\): from_layer is 'flatten', which is not an earlier layer; before it are input$",
        ),
        (
            IMAGE,
            (Conv2D(8), Add("dense"), *END),
            "'dense', which is not an earlier layer; before it are input, conv2d$",
        ),
        (IMAGE, (Conv2D(8), Add("add"), *END), "from_layer is 'add', which is not an earlier layer"),
        (IMAGE, (Conv2D(8), Add("input"), *END), r"add \(Add\) adds input of shape \(28, 28, 1\) to conv2d of shape"),
        (
            IMAGE,
            (Add("input"), *END),
            r"add \(Add\) is the first layer; put the layers before it whose outputs it joins",
        ),
        (IMAGE, (Conv2D(8), Branch("c"), *END), r"branch \(Branch\): from_layer is 'c', which is not an earlier layer"),
        (
            IMAGE,
            (Conv2D(8, name="a"), Conv2D(8), Branch("a"), *END),
            r"no layer reads conv2d \(Conv2D\), since branch after it goes back to a; read it by an Add, a Mult",
        ),
        (
            IMAGE,
            (Conv2D(8, name="a"), GlobalAveragePooling2D(), Dense(5, name="d"), Multiply("a"), *END),
            r"multiply \(Multiply\) multiplies a of shape \(26, 26, 8\) by d of shape \(5,\); give both the same shape",
        ),
        (
            IMAGE,
            (Conv2D(8, name="a"), MaxPooling2D(name="b"), Concatenate("a", name="both"), *END),
            r"both \(Concatenate\) joins a of shape \(26, 26, 8\) and b of shape \(13, 13, 8\); give both as many rows",
        ),
        (IMAGE, (Flatten(), SoftVoting(2), Dense(5)), "soft_voting: SoftVoting is allowed as the last layer only"),
        (
            IMAGE,
            (Flatten(), Dense(9), SoftVoting(2)),
            r"SoftVoting\) reads shape \(9,\); it must be a vector of the logits of 2 members, all of equal length",
        ),
        (IMAGE, (Conv2D(8), SoftVoting(2)), r"SoftVoting\) reads shape \(26, 26, 8\); it must be a vector"),
        (IMAGE, (Conv2D(8, name="a"), Flatten(), Concatenate("a"), Dense(5)), "joins a of shape .* and flatten of"),
        (
            IMAGE,
            (Conv2D(8, name="a"), MaxPooling2D(name="b"), Add("a", name="sum"), *END),
            r"sum \(Add\) adds a of shape \(26, 26, 8\) to b of shape \(13, 13, 8\); give both the same shape",
        ),
        (IMAGE, (Conv2D(8, padding="same"), Conv2D(9, 1), Add("conv2d"), *END), r"\(28, 28, 8\) to conv2d_1 of .* 9\)"),
        (IMAGE, (*END, Activation()), "activation: the last layer must have the activation softmax or linear"),
        (IMAGE, (*END, Activation("softmax"), Activation("linear")), "activation: softmax is allowed in the last"),
        (IMAGE, (Conv2D(8), Activation("softmax"), *END), "activation: softmax is allowed in the last layer only"),
        (IMAGE, (*END, ZeroPadding2D()), r"zero_padding2d \(ZeroPadding2D\) needs maps"),
        (IMAGE, (*END, Add("dense", "relu")), "add: the last layer must have the activation softmax or linear"),
        (IMAGE, (Flatten(), Dense(5, "relu")), "dense: the last layer must have the activation softmax or linear"),
        (IMAGE, (Flatten(name="a"), Dense(5, name="a")), "two layers are called 'a'; layer names must be unique"),
        (IMAGE, (Flatten(name="input"), Dense(5)), "no layer may be called 'input'"),
        (IMAGE, (Flatten(name="a/b"), Dense(5)), "layer name 'a/b': use ASCII letters, digits and underscores"),
        (IMAGE, (Flatten(name="<b>"), Dense(5)), "layer name '<b>': use ASCII"),
        (
            IMAGE,
            (Conv2D(8), Dense(5)),
            r"dense \(Dense\) needs a vector, but its input is maps of shape \(26, 26, 8\); put a Flatten before it",
        ),
        (IMAGE, (Flatten(), Conv2D(8), *END), r"conv2d \(Conv2D\) needs maps"),
        (IMAGE, (*[MaxPooling2D()] * 5, *END), r"max_pooling2d_4 \(MaxPooling2D\) with a window of 2 × 2 does not fit"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_architecture_rejects_invalid_arguments(image, layers, message):
    with pytest.raises(ArchitectureError, match=message):
        Architecture(image, layers)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"height": 0}, "input: height is 0; it must be a whole number from 1 to 4096"),
        ({"width": 4097}, "input: width is 4097; it must be a whole number from 1 to 4096"),
        ({"width": 28.0}, r"input: width is 28\.0"),
        ({"channels": True}, "input: channels is True; it must be a whole number from 1 to 64"),
        ({"channels": 65}, "input: channels is 65"),
        ({"scale": float("nan")}, "input: scale is nan; it must be a finite number"),
        ({"offset": float("inf")}, "input: offset is inf; it must be a finite number"),
    ],
    ids=str,
)
def test_an_input_rejects_invalid_arguments(arguments, message):
    with pytest.raises(ArchitectureError, match=message):
        Input(**{"height": 28, "width": 28, **arguments})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (None, "an architecture must be an object with `input` and `layers`"),
        ({"input": 3}, "an architecture must be an object with `input` and `layers`"),
        ({"layers": {}}, "an architecture's `layers` must be a list"),
        ({"layers": [{"kind": "Flatten"}, {"kind": "Attention"}]}, "unknown layer kind 'Attention'"),
        ({"input": {"height": 28}}, "input needs 'width'; add it"),
        ({"input": {"height": 28, "width": 28, "depth": 3}}, "input has no 'depth'; it has height, width"),
        ({"input": {"height": 3, "width": 3}}, "max_pooling2d .* does not fit a map of 1 × 1"),
    ],
    ids=str,
)
def test_from_dict_rejects_invalid_arguments(change, message):
    value = None if change is None else {**presets.cnn().to_dict(), **change}
    with pytest.raises(ArchitectureError, match=message):
        Architecture.from_dict(value)
