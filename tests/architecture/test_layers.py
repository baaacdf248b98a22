"""Layers one by one: output shapes, weights and multiply-adds, their form as JSON, and errors."""

import json
from itertools import product

import pytest

from convscope.architecture import (
    Activation,
    Add,
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
    GlobalMaxPooling2D,
    GroupNormalization,
    LayerNormalization,
    MaxPooling2D,
    Multiply,
    PReLU,
    SoftVoting,
    ZeroPadding2D,
)
from convscope.architecture.layer_json import LAYER_KINDS, layer_from_dict, layer_to_dict
from convscope.architecture.layers import Window
from convscope.base.errors import ArchitectureError

LAYERS = [
    Conv2D(16), Conv2D(7, (5, 3), (2, 1), "same", "relu", name="edges"), MaxPooling2D(),
    MaxPooling2D((3, 2), (1, 2), name="pool"), AveragePooling2D(3, padding="same"), GlobalMaxPooling2D(),
    GlobalAveragePooling2D(name="mean"), Dropout(0.25), DepthwiseConv2D((5, 3), 2, "same", 3, "tanh"),
    Conv2D(16, use_bias=False), DepthwiseConv2D(use_bias=False), BatchNormalization(),
    BatchNormalization(0.9, 1e-5, "gelu", name="normal"), Add("edges"), Add("edges", "relu", name="sum"),
    Multiply("edges"), LayerNormalization(1e-6), GroupNormalization(2, name="groups"),
    Branch("edges"), Concatenate("sum", name="both"), SoftVoting(5, name="vote"), ZeroPadding2D(),
    ZeroPadding2D(((0, 1), (2, 3)), name="frame"), Activation(), PReLU(name="learned"),
    Activation("leaky_relu", 0.01, name="leak"), Flatten(), Flatten(name="vector"), Dense(9, use_bias=False),
    Dense(128, "relu"), Dense(10, "softmax", name="classes"),
]  # fmt: skip


def count_windows(size, kernel, stride, padding):
    """Count the windows one by one: one starts at every stride, and with `valid` it must also end within the map."""
    return sum(1 for start in range(0, size, stride) if padding == "same" or start + kernel <= size)


# --- Shapes and counts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("padding", "stride"), list(product(("valid", "same"), (1, 2, 3))))
def test_convolution_shape_is_the_number_of_its_windows(padding, stride):
    for height, width, rows, columns in product((5, 8, 28, 31), (6, 17), (1, 2, 5), (1, 3, 4)):
        layer = Conv2D(3, (rows, columns), stride, padding)
        expected = (count_windows(height, rows, stride, padding), count_windows(width, columns, stride, padding), 3)
        assert layer.output_shape((height, width, 2)) == expected


def test_the_default_stride_of_a_pooling_is_its_size():
    assert MaxPooling2D((3, 2)).strides == (3, 2)
    assert MaxPooling2D(3, 1).strides == (1, 1)


@pytest.mark.parametrize("kind", [MaxPooling2D, AveragePooling2D])
def test_pooling_with_same_padding_keeps_every_pixel(kind):
    assert kind(2, padding="same").output_shape((11, 8, 32)) == (6, 4, 32)
    assert kind(3, 1, "same").output_shape((11, 8, 5)) == (11, 8, 5)


@pytest.mark.parametrize("kind", [GlobalMaxPooling2D, GlobalAveragePooling2D])
def test_global_pooling_reduces_each_map_to_a_number(kind):
    assert kind().output_shape((11, 8, 32)) == (32,)


def test_depthwise_convolution_has_filters_for_each_channel():
    layer = DepthwiseConv2D((5, 3), (2, 1), "same", depth_multiplier=4)
    assert layer.output_shape((11, 8, 3)) == (6, 8, 12)
    assert layer.weight_shapes((11, 8, 3)) == {"kernel": (5, 3, 3, 4), "bias": (12,)}
    assert layer.macs((11, 8, 3)) == 6 * 8 * 12 * (5 * 3)


def test_a_dilated_window_reaches_further_with_the_same_weights():
    plain, layer = Conv2D(8, (3, 2)), Conv2D(8, (3, 2), dilation_rate=(2, 3))
    assert layer.window.reach == (5, 4)
    assert layer.output_shape((11, 8, 3)) == (7, 5, 8)
    assert layer.weight_shapes((11, 8, 3)) == plain.weight_shapes((11, 8, 3))
    assert layer.macs((11, 8, 3)) == 7 * 5 * 8 * (3 * 2) * 3
    assert Conv2D(8, 3, padding="same", dilation_rate=4).output_shape((5, 8, 3)) == (5, 8, 8)
    assert DepthwiseConv2D(3, dilation_rate=2).output_shape((11, 8, 3)) == (7, 4, 3)


def test_filters_in_groups_have_weights_for_the_channels_of_their_group():
    layer = Conv2D(8, (3, 2), 2, "same", groups=4)
    assert layer.output_shape((11, 8, 12)) == (6, 4, 8)
    assert layer.weight_shapes((11, 8, 12)) == {"kernel": (3, 2, 3, 8), "bias": (8,)}
    assert layer.macs((11, 8, 12)) == 6 * 4 * 8 * (3 * 2) * 3  # a group has 12 / 4 channels


def test_weights_have_the_shapes_that_keras_gives_them():
    assert Conv2D(4, (5, 3)).weight_shapes((9, 9, 2)) == {"kernel": (5, 3, 2, 4), "bias": (4,)}
    assert Dense(7).weight_shapes((800,)) == {"kernel": (800, 7), "bias": (7,)}
    assert PReLU().weight_shapes((9, 8, 2)) == PReLU().weight_shapes((2,)) == {"alpha": (2,)}
    normal = {"gamma": (2,), "beta": (2,), "moving_mean": (2,), "moving_variance": (2,)}
    assert BatchNormalization().weight_shapes((9, 8, 2)) == BatchNormalization().weight_shapes((2,)) == normal
    assert MaxPooling2D().weight_shapes((9, 9, 2)) == {}
    assert Flatten().weight_shapes((9, 9, 2)) == {}


def test_zero_padding_adds_its_rows_and_columns():
    assert ZeroPadding2D(2).output_shape((9, 8, 3)) == (13, 12, 3)
    assert ZeroPadding2D((0, 3)).output_shape((9, 8, 3)) == (9, 14, 3)
    assert ZeroPadding2D(((1, 2), (3, 4))).output_shape((9, 8, 3)) == (12, 15, 3)
    assert ZeroPadding2D().weight_shapes((9, 8, 3)) == {}
    assert ZeroPadding2D().macs((9, 8, 3)) == 0


@pytest.mark.parametrize("padding", [2, (2, 2), [2, 2], ((2, 2), (2, 2)), [[2, 2], (2, 2)], (2, (2, 2))], ids=str)
def test_a_number_a_pair_and_pairs_are_the_same_zero_padding(padding):
    layer = ZeroPadding2D(padding)
    assert layer == ZeroPadding2D(2)
    assert layer.padding == ((2, 2), (2, 2))
    assert hash(layer) == hash(ZeroPadding2D(2))


def test_a_pair_of_a_zero_padding_is_rows_and_columns():
    assert ZeroPadding2D((1, 2)).padding == ((1, 1), (2, 2))
    assert layer_to_dict(ZeroPadding2D(((0, 1), (2, 3))))["padding"] == [[0, 1], [2, 3]]


@pytest.mark.parametrize("shape", [(9, 8, 2), (5,)], ids=str)
def test_normalisation_activation_and_addition_keep_the_shape_of_maps_and_vectors(shape):
    assert BatchNormalization().output_shape(shape) == Add("other").output_shape(shape) == shape
    assert Branch("other").output_shape(shape) == Concatenate("other").output_shape(shape) == shape
    assert Activation().output_shape(shape) == shape
    assert Activation().weight_shapes(shape) == {}
    assert Activation().macs(shape) == 0


def test_multiply_adds_are_counted_output_by_output():
    layer = Conv2D(4, (2, 3), padding="same")
    # 5 rows x 6 columns x 4 filters, each reading 2 x 3 pixels of 2 channels.
    assert layer.macs((5, 6, 2)) == 5 * 6 * 4 * (2 * 3 * 2)
    assert Dense(7).macs((800,)) == 5600
    assert Add("other").macs((8, 8, 3)) == 0
    assert MaxPooling2D().macs((8, 8, 3)) == Flatten().macs((8, 8, 3)) == BatchNormalization().macs((8, 8, 3)) == 0


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    # An odd zero is added after the map, as TensorFlow does: a window of 2 over 8 pixels needs one zero in all, of 5
    # four, of 3 at stride 2 one.
    [(8, 2, 1, 0), (8, 3, 1, 1), (8, 5, 1, 2), (8, 3, 2, 0), (31, 3, 2, 1), (8, 1, 2, 0), (1, 5, 1, 2)],
)
def test_same_padding_puts_an_odd_zero_last(size, kernel, stride, expected):
    frame = Window((kernel, 1), (stride, 1), "same").frame((size, 9, 1))
    num_windows = -(-size // stride)  # rounded up
    zeros = max((num_windows - 1) * stride + kernel - size, 0)
    assert frame == ((expected, zeros - expected), (0, 0))
    assert Window((kernel, 1), (stride, 1), "valid").frame((size, 9, 1)) == ((0, 0), (0, 0))


@pytest.mark.parametrize("kernel_size", [3, [3, 3], (3, 3)], ids=str)
def test_a_number_a_list_and_a_pair_are_the_same_kernel_size(kernel_size):
    assert Conv2D(8, kernel_size) == Conv2D(8, (3, 3))
    assert hash(Conv2D(8, kernel_size)) == hash(Conv2D(8, (3, 3)))


# --- JSON -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_a_layer_goes_through_json_unchanged(layer):
    assert layer_from_dict(json.loads(json.dumps(layer_to_dict(layer)))) == layer


def test_every_kind_of_layer_goes_through_json_above():
    assert {type(layer) for layer in LAYERS} == set(LAYER_KINDS.values())


def test_missing_arguments_of_a_layer_have_their_defaults():
    normalization = layer_from_dict({"kind": "BatchNormalization", "activation": "relu"})
    assert normalization == BatchNormalization(activation="relu")
    assert layer_from_dict({"kind": "Conv2D", "filters": 8}) == Conv2D(8)


def test_the_json_of_a_layer_has_its_kind_first():
    assert layer_to_dict(Conv2D(16, activation="relu", name="conv2d")) == {
        "kind": "Conv2D", "name": "conv2d", "filters": 16, "kernel_size": [3, 3], "strides": [1, 1], "padding": "valid",
        "activation": "relu", "use_bias": True,
    }  # fmt: skip
    assert next(iter(layer_to_dict(Flatten()))) == "kind"


def test_dilation_and_groups_of_1_are_left_out_of_the_json():
    plain, layer = Conv2D(8, dilation_rate=1, groups=1), Conv2D(8, dilation_rate=(2, 1), groups=4)
    assert layer_to_dict(plain).keys() == layer_to_dict(Conv2D(8)).keys()
    assert layer_to_dict(layer) == layer_to_dict(plain) | {"dilation_rate": [2, 1], "groups": 4}
    assert layer_from_dict(layer_to_dict(layer)) == layer
    depthwise = DepthwiseConv2D(dilation_rate=3)
    assert layer_from_dict(layer_to_dict(depthwise)) == depthwise != DepthwiseConv2D()


# --- Errors -----------------------------------------------------------------------------------------------------------

COUNT = "must be a whole number from 1 to 65536"
PAIR = "must be one or two whole numbers from 1 to 1024"
FRAME = r"must be a whole number from 0 to 1024, a pair \(rows, columns\) of them, or \(\(above, below\), \(left, "


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (Conv2D, {"filters": 0}, f"Conv2D: filters is 0; it {COUNT}"),
        (Conv2D, {"filters": 65537}, f"filters is 65537; it {COUNT}"),
        (Conv2D, {"filters": 8, "name": "edges", "kernel_size": 0}, rf"edges \(Conv2D\): kernel_size is 0; it {PAIR}"),
        (Conv2D, {"filters": 8, "kernel_size": (3,)}, rf"kernel_size is \(3,\); it {PAIR}"),
        (Conv2D, {"filters": 8, "kernel_size": (3, 2.5)}, rf"kernel_size is \(3, 2.5\); it {PAIR}"),
        (Conv2D, {"filters": 8, "kernel_size": True}, f"kernel_size is True; it {PAIR}"),
        (Conv2D, {"filters": 8, "strides": (0, 1)}, rf"strides is \(0, 1\); it {PAIR}"),
        (Conv2D, {"filters": 8, "dilation_rate": 0}, f"dilation_rate is 0; it {PAIR}"),
        (Conv2D, {"filters": 8, "groups": 0}, f"groups is 0; it {COUNT}"),
        (
            Conv2D,
            {"filters": 8, "strides": 2, "dilation_rate": (1, 3)},
            r"strides is \(2, 2\) and dilation_rate is \(1, 3\); only one",
        ),
        (DepthwiseConv2D, {"strides": (1, 2), "dilation_rate": 2}, "only one of them may be above 1"),
        (Conv2D, {"filters": 8, "strides": 1025}, f"strides is 1025; it {PAIR}"),
        (Conv2D, {"filters": 8, "padding": "full"}, "padding is 'full'; it must be one of valid, same"),
        (
            Conv2D,
            {"filters": 8, "activation": "mish"},
            "'mish'; it must be one of linear, relu, relu6, leaky_relu, elu, ",
        ),
        (Conv2D, {"filters": 8, "activation": ["relu"]}, r"activation is \['relu'\]; it must be one of"),
        (MaxPooling2D, {"pool_size": -1}, f"MaxPooling2D: pool_size is -1; it {PAIR}"),
        (AveragePooling2D, {"padding": "full"}, "padding is 'full'; it must be one of valid, same"),
        (DepthwiseConv2D, {"depth_multiplier": 0}, f"depth_multiplier is 0; it {COUNT}"),
        (DepthwiseConv2D, {"kernel_size": 0}, f"kernel_size is 0; it {PAIR}"),
        (DepthwiseConv2D, {"activation": "mish"}, "activation is 'mish'"),
        (DepthwiseConv2D, {"padding": "full"}, "padding is 'full'"),
        (Dropout, {"rate": 1}, "Dropout: rate is 1; it must be a number from 0 to less than 1"),
        (Dropout, {"rate": -0.1}, "rate is -0.1"),
        (Dropout, {"rate": float("nan")}, "rate is nan"),
        (MaxPooling2D, {"strides": 0}, f"MaxPooling2D: strides is 0; it {PAIR}"),
        (BatchNormalization, {"momentum": 1}, "momentum is 1; it must be a number from 0 to less than 1"),
        (BatchNormalization, {"momentum": -0.1}, "momentum is -0.1"),
        (
            BatchNormalization,
            {"epsilon": 0, "name": "bn"},
            r"bn \(BatchNormalization\): epsilon is 0; it must be .* above 0",
        ),
        (BatchNormalization, {"epsilon": 2.0}, "epsilon is 2.0; it must be a number above 0 and at most 1"),
        (BatchNormalization, {"activation": "mish"}, "activation is 'mish'"),
        (Add, {"from_layer": ""}, "Add: from_layer is ''; it must be the name of a layer"),
        (Add, {"from_layer": "edges", "activation": "mish"}, "activation is 'mish'"),
        (Branch, {"from_layer": ""}, "Branch: from_layer is ''; it must be the name of a layer"),
        (Concatenate, {"from_layer": None}, "Concatenate: from_layer is None"),
        (SoftVoting, {"members": 0}, "SoftVoting: members is 0; it must be a whole number from 1"),
        (ZeroPadding2D, {"padding": -1}, f"ZeroPadding2D: padding is -1; it {FRAME}"),
        (ZeroPadding2D, {"padding": 1025}, f"padding is 1025; it {FRAME}"),
        (ZeroPadding2D, {"padding": True}, f"padding is True; it {FRAME}"),
        (ZeroPadding2D, {"padding": (1, 2, 3)}, rf"padding is \(1, 2, 3\); it {FRAME}"),
        (ZeroPadding2D, {"padding": ((1, 2), (3,))}, f"it {FRAME}"),
        (ZeroPadding2D, {"padding": ((1, 2), (3, 1.5))}, f"it {FRAME}"),
        (ZeroPadding2D, {"padding": "same", "name": "pad"}, rf"pad \(ZeroPadding2D\): padding is 'same'; it {FRAME}"),
        (Activation, {"activation": "mish"}, "Activation: activation is 'mish'; it must be one of linear, relu"),
        (Activation, {"activation": None}, "activation is None"),
        (Activation, {"negative_slope": -0.1}, "negative_slope is -0.1; it must be a number from 0, finite in float32"),
        (Activation, {"negative_slope": float("nan")}, "negative_slope is nan"),
        (Activation, {"negative_slope": float("inf")}, "negative_slope is inf"),
        (Activation, {"negative_slope": 1e39}, r"negative_slope is 1e\+39"),
        (Conv2D, {"filters": 8, "use_bias": 0}, "Conv2D: use_bias is 0; it must be true or false"),
        (DepthwiseConv2D, {"use_bias": "no"}, "use_bias is 'no'"),
        (Dense, {"units": 2, "use_bias": None}, "use_bias is None"),
        (Dense, {"units": 2.0}, rf"Dense: units is 2\.0; it {COUNT}"),
        (Dense, {"units": 2, "activation": None}, "Dense: activation is None; it must be one of"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_layer_rejects_invalid_arguments(kind, arguments, message):
    with pytest.raises(ArchitectureError, match=message):
        kind(**arguments)


@pytest.mark.parametrize(
    ("layer", "input_shape", "message"),
    [
        (Conv2D(8), (800,), r"Conv2D needs maps \(H, W, C\), but its input is a vector of 800"),
        (Conv2D(8, 5), (4, 9, 1), "Conv2D with a window of 5 × 5 does not fit a map of 4 × 9 .*; use a smaller window"),
        (Conv2D(8, (3, 5)), (9, 4, 1), "window of 3 × 5 does not fit a map of 9 × 4"),
        (MaxPooling2D(name="pool"), (1, 1, 8), r"pool \(MaxPooling2D\) with a window of 2 × 2 does not fit"),
        (MaxPooling2D(), (8,), "MaxPooling2D needs maps"),
        (ZeroPadding2D(), (8,), r"ZeroPadding2D needs maps \(H, W, C\), but its input is a vector of 8"),
        (GlobalAveragePooling2D(), (8,), "GlobalAveragePooling2D needs maps"),
        (
            Dense(8),
            (5, 5, 3),
            r"Dense needs a vector, but its input is maps of shape \(5, 5, 3\); put a Flatten before it",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_layer_refuses_an_input_shape_that_does_not_fit(layer, input_shape, message):
    with pytest.raises(ArchitectureError, match=message):
        layer.output_shape(input_shape)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "a layer must be an object with a `kind`, not None"),
        ({"name": "conv2d"}, "a layer must be an object with a `kind`"),
        ({"kind": "Conv3D"}, "unknown layer kind 'Conv3D'; the known kinds are Conv2D, .*, Dense"),
        ({"kind": "Dense", "units": 3, "from_layer": "a"}, "Dense has no 'from_layer': it .* put a Branch with"),
        ({"kind": "Dense", "units": 3, "bias": False}, "Dense has no 'bias'; it has units, activation, use_bias, name"),
        ({"kind": "Dense"}, "Dense needs 'units'; add it"),
        ({"kind": "Dense", "units": "3"}, "Dense: units is '3'"),
        ({"kind": "Dense", "units": 3, "name": 7}, "Dense: name is 7; it must be text"),
        ({"kind": "Conv2D", "filters": 3, "kernel_size": [3, "3"]}, "kernel_size is"),
        ({"kind": "Conv2D", "filters": 3, "padding": {}}, "padding is {}"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_layer_from_dict_rejects_invalid_arguments(value, message):
    with pytest.raises(ArchitectureError, match=message):
        layer_from_dict(value)
