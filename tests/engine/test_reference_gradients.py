"""The reference engine's gradients agree with finite differences; the other engines are compared with the reference."""

from functools import partial
from itertools import product

import numpy as np
import pytest

import convscope as cs
from convscope.architecture.layers import Window
from convscope.base.streams import random_stream
from convscope.engine.loss import cross_entropy, cross_entropy_backward
from convscope.engine.reference import ReferenceNetwork
from convscope.engine.reference_activations import ACTIVATIONS, activate, activate_backward, prelu, prelu_backward
from convscope.engine.reference_layers import (
    average_pooling,
    average_pooling_backward,
    convolution,
    convolution_backward,
    dense,
    dense_backward,
    depthwise,
    depthwise_backward,
    draw_dropout_mask,
    dropout,
    dropout_backward,
    max_pooling,
    max_pooling_backward,
    multiply,
    multiply_backward,
    whole_map,
    zero_padding,
    zero_padding_backward,
)
from convscope.engine.reference_normalization import group_normalization, group_normalization_backward

from .test_reference import random_images

CASES = ((7, (8, 8)), (1, (31, 17)))  # batches and sizes
WINDOWS = [
    Window((size, size), (stride, stride), padding)
    for size, stride, padding in product((1, 2, 3, 5), (1, 2), ("valid", "same"))
] + [Window((2, 3), (1, 1), padding, (3, 2)) for padding in ("valid", "same")]


def numerical_gradient(function, array, index, step):
    """Return the derivative of `function()` with respect to `array[index]`, by central differences of fourth order.

    f'(x) ≈ (8 (f(x + h) - f(x - h)) - (f(x + 2h) - f(x - 2h))) / (12 h), where h is `step`.
    """
    original = array[index]
    values = []
    for multiple in (-2, -1, 1, 2):
        array[index] = original + multiple * step
        values.append(function())
    array[index] = original
    below_2, below, above, above_2 = values
    return (8 * (above - below) - (above_2 - below_2)) / (12 * step)


def assert_gradient(function, array, gradient, stream, count=3, step=1e-3):
    """Compare `count` random entries of `gradient` with finite differences of `function()`, to 1e-6."""
    assert gradient.shape == array.shape
    scale = np.abs(gradient).max()
    for flat in stream.integers(0, array.size, count):
        index = np.unravel_index(flat, array.shape)
        expected = numerical_gradient(function, array, index, step)
        # An entry much smaller than the largest one consists of rounding errors, so it is compared to their scale.
        assert abs(gradient[index] - expected) <= 1e-6 * max(abs(expected), 1e-2 * scale), index


def assert_backward(forward, backward, arrays, stream, **options):
    """Compare the gradients `backward(dy)` of `arrays` with finite differences of the product <dy, forward()>."""
    dy = stream.normal(size=forward().shape)
    for array, gradient in zip(arrays, backward(dy), strict=True):
        assert_gradient(lambda: np.vdot(dy, forward()), array, gradient, stream, **options)


# --- Layers against finite differences --------------------------------------------------------------------------------
# Most layers are linear in each of their arrays, so that a long step such as 0.1 has no error of its own.


@pytest.mark.parametrize("window", WINDOWS, ids=lambda w: f"{w.size[0]}-{w.padding}-{w.strides[0]}-{w.dilation[0]}")
@pytest.mark.parametrize(("batch", "size"), CASES, ids=str)
@pytest.mark.parametrize(("channels", "groups"), [(1, 1), (3, 1), (17, 1), (6, 3)])
def test_convolution_backward_agrees_with_finite_differences(channels, groups, batch, size, window):
    stream = random_stream(channels, f"convolution {window} {batch} {size}")
    x = stream.normal(size=(batch, *size, channels))
    kernel, bias = stream.normal(size=(*window.size, channels // groups, 3)), stream.normal(size=3)
    forward = partial(convolution, x, kernel, bias, window)
    assert_backward(
        forward, lambda dy: convolution_backward(dy, x, kernel, window), (x, kernel, bias), stream, step=0.1
    )


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("window", [((2, 2), (2, 2)), ((3, 2), (2, 1)), ((2, 3), (3, 3)), ((1, 1), (2, 2))], ids=str)
@pytest.mark.parametrize(
    ("pooling", "backward"),
    [(max_pooling, max_pooling_backward), (average_pooling, average_pooling_backward)],
    ids=["max", "average"],
)
@pytest.mark.parametrize(("batch", "size"), CASES, ids=str)
def test_pooling_backward_agrees_with_finite_differences(batch, size, pooling, backward, window, padding):
    window = Window(*window, padding)
    stream = random_stream(0, f"pooling {window} {batch} {size}")
    # Values are whole numbers, all different: within a tenth of one there is no kink.
    x = stream.permutation(batch * size[0] * size[1] * 5).reshape(batch, *size, 5).astype(float)
    assert_backward(lambda: pooling(x, window), lambda dy: [backward(dy, x, window)], [x], stream, count=20, step=0.1)


@pytest.mark.parametrize("window", WINDOWS, ids=lambda w: f"{w.size[0]}-{w.padding}-{w.strides[0]}-{w.dilation[0]}")
@pytest.mark.parametrize(("batch", "size"), CASES, ids=str)
@pytest.mark.parametrize("multiplier", [1, 3])
def test_depthwise_backward_agrees_with_finite_differences(multiplier, batch, size, window):
    stream = random_stream(multiplier, f"depthwise {window} {batch} {size}")
    x = stream.normal(size=(batch, *size, 5))
    kernel, bias = stream.normal(size=(*window.size, 5, multiplier)), stream.normal(size=5 * multiplier)
    arrays = (x, kernel, bias)
    forward = partial(depthwise, *arrays, window)
    assert_backward(forward, lambda dy: depthwise_backward(dy, x, kernel, window), arrays, stream, step=0.1)


@pytest.mark.parametrize("shape", [(3, 6), (2, 3, 4, 6)])
def test_multiply_and_group_normalization_backward_agree_with_finite_differences(shape):
    stream = random_stream(len(shape), "product")
    x, y, factor = (stream.normal(size=size) for size in (shape, shape, (shape[0], shape[-1])))
    for factors in (y, factor):
        backward = partial(multiply_backward, x=x, factor=factors)
        assert_backward(partial(multiply, x, factors), backward, (x, factors), stream, step=0.1)
    gamma, beta = stream.normal(size=6), stream.normal(size=6)
    for groups in (1, 2):
        forward = partial(group_normalization, x, gamma, beta, groups, 0.1)
        backward = partial(group_normalization_backward, x=x, gamma=gamma, groups=groups, epsilon=0.1)
        assert_backward(forward, backward, (x, gamma, beta), stream)


def test_dense_backward_agrees_with_finite_differences():
    stream = random_stream(0, "dense")
    x, kernel, bias = (stream.normal(size=shape) for shape in ((7, 11), (11, 5), (5,)))
    forward = partial(dense, x, kernel, bias)
    assert_backward(forward, lambda dy: dense_backward(dy, x, kernel), (x, kernel, bias), stream, count=10, step=0.1)


def test_dropout_backward_agrees_with_finite_differences():
    stream = random_stream(0, "dropout")
    x = stream.normal(size=(3, 4, 5, 2))
    kept = draw_dropout_mask(7, 1, 0, x.shape, 2**22)
    forward = partial(dropout, x, kept, 0.25)
    assert_backward(forward, lambda dy: [dropout_backward(dy, kept, 0.25)], [x], stream, count=40, step=0.1)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_backward_agree_with_finite_differences(name):
    forward, backward = ACTIVATIONS[name]
    stream = random_stream(0, name)
    x = stream.uniform(-8, 8, 60)
    x = x[np.abs((x + 1.5) % 3 - 1.5) > 0.1]  # away from the kinks at 0, -3, 3 and 6
    assert_backward(lambda: forward(x), lambda dy: [backward(dy, x)], [x], stream, count=x.size)


@pytest.mark.parametrize("shape", [(3, 5), (2, 4, 3, 5)], ids=str)
def test_prelu_backward_agrees_with_finite_differences(shape):
    stream = random_stream(0, f"prelu {shape}")
    x = stream.uniform(0.1, 4, shape) * stream.choice([-1, 1], shape)  # away from the kink at zero
    alpha = stream.normal(size=5)
    assert_backward(lambda: prelu(x, alpha), lambda dy: prelu_backward(dy, x, alpha), (x, alpha), stream, count=5)


@pytest.mark.parametrize("slope", [0, 0.01, 0.2, 3.5])
def test_leaky_relu_of_any_slope_backward_agrees_with_finite_differences(slope):
    stream = random_stream(0, f"slope {slope}")
    x = stream.uniform(0.1, 4, (50,)) * stream.choice([-1, 1], 50)
    np.testing.assert_array_equal(activate(np.array([-2.0, 0.0, 3.0]), "leaky_relu", slope), [-2 * slope, 0, 3])
    forward = partial(activate, x, "leaky_relu", slope)
    assert_backward(forward, lambda dy: [activate_backward(dy, x, "leaky_relu", slope)], [x], stream, count=50)


@pytest.mark.parametrize("padding", [((0, 0), (0, 0)), ((1, 2), (3, 0)), ((0, 1), (0, 4))], ids=str)
def test_zero_padding_backward_agrees_with_finite_differences(padding):
    stream = random_stream(0, f"padding {padding}")
    x = stream.normal(size=(3, 5, 4, 2))
    forward = partial(zero_padding, x, padding)
    assert_backward(forward, lambda dy: [zero_padding_backward(dy, padding)], [x], stream, count=40, step=0.1)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
@pytest.mark.parametrize("num_classes", [2, 10, 101])
def test_cross_entropy_backward_agrees_with_finite_differences(num_classes, smoothing, weighted):
    stream = random_stream(0, "cross-entropy")
    logits = stream.normal(size=(7, num_classes), scale=3)
    labels = stream.integers(0, num_classes, 7)
    loss = (labels, smoothing, stream.uniform(0, 3, 7) if weighted else None)
    gradient = cross_entropy_backward(logits, *loss)
    assert_gradient(lambda: cross_entropy(logits, *loss), logits, gradient, stream, count=30)


# --- Networks against finite differences ------------------------------------------------------------------------------


def find_active_pieces(network, images):
    """Return the open relus and the winners of pooling windows; while these stay the same, the loss is smooth."""
    table = network.architecture.table
    outputs = network.activations(images, [row.layer.name for row in table])
    marks = []
    before = None
    for row in table:
        output = outputs[row.layer.name]
        if getattr(row.layer, "activation", "") in ("relu", "leaky_relu"):
            marks.append((before if row.layer.kind == "Activation" else output) > 0)
        if row.layer.kind == "MaxPooling2D":
            marks.append(max_pooling_backward(np.ones_like(output), before, row.layer.window))
        if row.layer.kind == "GlobalMaxPooling2D":
            marks.append(max_pooling_backward(np.ones_like(output)[:, None, None], before, whole_map(before)))
        before = output
    return b"".join(mark.tobytes() for mark in marks)


def assert_network_gradients(architecture, images, labels, entries=4):
    """Compare gradients of random weights of every layer with finite differences, to 1e-6, where the loss is smooth."""
    stream = random_stream(0, f"weights {architecture}")
    positive = ("/gamma", "/moving_variance")  # around 1, as in trained networks, so that gradients do not vanish
    weights = {
        name: stream.uniform(0.5, 2, shape) if name.endswith(positive) else stream.normal(size=shape) / 3
        for name, shape in architecture.weight_shapes.items()
    }
    _, gradients = ReferenceNetwork(architecture, weights).gradients(images, labels)
    assert list(gradients) == list(architecture.trainable_weight_shapes)
    pieces = find_active_pieces(ReferenceNetwork(architecture, weights), images)

    for name, gradient in gradients.items():
        scale = np.abs(gradient).max()
        num_compared = 0
        for flat in stream.integers(0, gradient.size, 10 * entries):
            index = np.unravel_index(flat, gradient.shape)
            has_kink = []  # for each step, whether it leads to another piece

            def loss(has_kink=has_kink):
                network = ReferenceNetwork(architecture, weights)
                has_kink.append(find_active_pieces(network, images) != pieces)
                return cross_entropy(network._forward(images)[-1], labels)

            expected = numerical_gradient(loss, weights[name], index, 2e-5)
            if any(has_kink):
                continue
            rounding = 1e-11  # the last bit of a loss, divided by the step
            assert abs(gradient[index] - expected) <= 1e-6 * max(abs(expected), 1e-2 * scale) + rounding, (name, index)
            num_compared += 1
            if num_compared == entries:
                break
        assert num_compared == entries, f"{name}: too few smooth points"


@pytest.mark.parametrize(
    ("channels", "kernel", "stride", "padding"),
    [(1, 3, 1, "valid"), (3, 5, 1, "same"), (5, 2, 2, "same"), (17, 1, 2, "valid")],
)
@pytest.mark.parametrize(("batch", "size"), CASES, ids=str)
def test_gradients_agree_with_finite_differences(size, batch, channels, kernel, stride, padding):
    layers = (
        cs.Conv2D(4, kernel, stride, padding, activation="relu"), cs.MaxPooling2D(2),
        cs.Conv2D(3, 2, activation="linear"), cs.Flatten(), cs.Dense(6, activation="relu"),
        cs.Dense(5, activation="softmax"),
    )  # fmt: skip
    if size == (8, 8) and stride == 2:
        layers = (*layers[:2], cs.Conv2D(3, 3, padding="same"), *layers[3:])
    architecture = cs.Architecture(cs.Input(*size, channels, scale=1 / 127.5, offset=-1), layers)
    labels = np.arange(batch) % 5
    assert_network_gradients(architecture, random_images(batch, (batch, *size, channels)), labels)


NETWORKS = {
    **{
        f"every pooling and depthwise convolution, {last.kind}": (
            cs.Conv2D(4, 3, activation="relu"), cs.AveragePooling2D(3, 2, "same"),
            cs.DepthwiseConv2D(2, padding="same", depth_multiplier=2), cs.MaxPooling2D(2, 1, "same"), last,
            cs.Dense(5, "softmax"),
        )
        for last in (cs.GlobalAveragePooling2D(), cs.GlobalMaxPooling2D())
    },
    "normalisation and layers without bias": (
        cs.BatchNormalization(), cs.Conv2D(4, 3, use_bias=False), cs.BatchNormalization(activation="relu"),
        cs.MaxPooling2D(2), cs.DepthwiseConv2D(2, use_bias=False), cs.BatchNormalization(0.9, 0.1, "gelu"),
        cs.Flatten(), cs.Dense(6, use_bias=False), cs.BatchNormalization(activation="leaky_relu"), cs.Dense(5),
        cs.BatchNormalization(),
    ),
    "zero padding and activations as layers": (
        cs.ZeroPadding2D(((1, 0), (2, 3))), cs.Conv2D(4, 3), cs.Activation("leaky_relu", 0.05), cs.ZeroPadding2D(2),
        cs.DepthwiseConv2D(3, 2), cs.Activation("gelu"), cs.Flatten(), cs.Activation("linear"), cs.Dense(6),
        cs.Activation("relu"), cs.Dense(5), cs.Activation("softmax"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("layers", NETWORKS.values(), ids=NETWORKS)
def test_gradients_through_every_kind_of_layer_agree_with_finite_differences(layers):
    architecture = cs.Architecture(cs.Input(9, 7, 3, scale=1 / 127.5, offset=-1), layers)
    assert_network_gradients(architecture, random_images(0, (7, 9, 7, 3)), np.arange(7) % 5)
