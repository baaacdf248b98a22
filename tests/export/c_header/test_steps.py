"""The steps of an exported header: which layers merge into one step, and that steps compute what the model does."""

import numpy as np
import pytest
from tests.export.c_header.test_memory import make_model

import convscope as cs
from convscope.base.errors import ConvscopeError
from convscope.export.c_header.arithmetic import activate, compute_step, scale_images
from convscope.export.c_header.steps import plan_steps


def compute_by_steps(model: cs.Model, images: np.ndarray) -> np.ndarray:
    input_layer = model.architecture.input
    values = [scale_images(images, input_layer.scale, input_layer.offset)]
    for step in plan_steps(model):
        values.append(activate(step.activation, step.slope, compute_step(step, [values[v] for v in step.reads])))
    return values[-1].reshape(len(images), -1)


def steps_give_the_logits(model: cs.Model) -> bool:
    shape = model.architecture.input.shape
    images = np.random.default_rng(1).integers(0, 256, (5, *shape), np.uint8)
    expected = model.logits(images)
    return bool(np.abs(compute_by_steps(model, images) - expected).max() <= 1e-5 * np.abs(expected).max())


def test_batch_normalization_merges_into_the_convolution_before_it() -> None:
    model = make_model(
        cs.Conv2D(3), cs.Dropout(0.5), cs.BatchNormalization(activation="relu"), cs.Flatten(), cs.Dense(2)
    )
    steps = plan_steps(model)
    assert [(step.kind, step.layers, step.activation) for step in steps] == [
        ("conv2d", ("conv2d", "batch_normalization"), "relu"),
        ("dense", ("dense",), "linear"),
    ]
    assert steps_give_the_logits(model)


@pytest.mark.parametrize(
    "layers",
    [
        (cs.Conv2D(3, activation="relu"), cs.BatchNormalization()),  # after an activation
        (cs.Conv2D(3, name="c"), cs.BatchNormalization(), cs.Add("c")),  # the convolution alone is read again
        (cs.MaxPooling2D(), cs.BatchNormalization(activation="tanh")),
        (cs.BatchNormalization(),),
        (cs.Conv2D(3), cs.Flatten(), cs.BatchNormalization()),  # normalises pixels of a channel differently
        (cs.Conv2D(3, name="c"), cs.Dropout(0.1, name="d"), cs.BatchNormalization(), cs.Add("d")),
        (cs.Conv2D(3, name="c"), cs.Conv2D(3, 1, name="d"), cs.Branch("c"), cs.BatchNormalization(),
         cs.Concatenate("d")),
    ],
)  # fmt: skip
def test_batch_normalization_stays_a_step_where_it_cannot_be_folded(layers: tuple[object, ...]) -> None:
    flatten = () if any(isinstance(layer, cs.Flatten) for layer in layers) else (cs.Flatten(),)
    model = make_model(*layers, *flatten, cs.Dense(2))
    assert "depthwise" in [step.kind for step in plan_steps(model)]  # a factor for each channel
    assert steps_give_the_logits(model)


def test_batch_normalization_of_a_depthwise_convolution_scales_each_of_its_channels() -> None:
    model = make_model(cs.DepthwiseConv2D(3, depth_multiplier=3), cs.BatchNormalization(), cs.Flatten(), cs.Dense(2))
    assert len(plan_steps(model)) == 2
    assert steps_give_the_logits(model)


def test_the_softmax_at_the_end_is_left_out() -> None:
    model = make_model(cs.Flatten(), cs.Dense(3), cs.BatchNormalization(activation="softmax"))
    assert [step.activation for step in plan_steps(model)] == ["linear"]
    assert steps_give_the_logits(model)


def test_zero_padding_merges_into_the_next_convolution_but_not_into_pooling() -> None:
    padding = cs.ZeroPadding2D
    model = make_model(
        padding(((1, 2), (3, 0))), cs.Conv2D(3, 2, 2), padding(1), cs.MaxPooling2D(), cs.Flatten(), cs.Dense(2)
    )
    assert [step.kind for step in plan_steps(model)] == ["conv2d", "pad", "max_pool", "dense"]
    assert steps_give_the_logits(model)


def test_an_activation_merges_into_the_step_before_it() -> None:
    layer = cs.Activation
    model = make_model(
        cs.Conv2D(3), cs.BatchNormalization(), layer("leaky_relu", 0.7), layer("tanh"), cs.Flatten(), cs.Dense(2),
        layer("softmax"),
    )  # fmt: skip
    assert [(step.kind, step.activation) for step in plan_steps(model)] == [
        ("conv2d", "leaky_relu"),
        ("activation", "tanh"),
        ("dense", "linear"),
    ]
    assert steps_give_the_logits(model)


def _set_weight(model: cs.Model, name: str, value: float) -> None:
    """Set a weight to a value that the constructor of a model refuses."""
    weight = model.weights[name].copy()
    weight.flat[0] = value
    object.__setattr__(model, "weights", {**model.weights, name: weight})


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(value: float) -> None:
    model = make_model(cs.Conv2D(2), cs.Flatten(), cs.Dense(2))
    _set_weight(model, "dense/kernel", value)
    with pytest.raises(ConvscopeError, match="dense: a weight is not a finite number"):
        plan_steps(model)


def test_a_variance_below_zero_is_refused() -> None:
    model = make_model(cs.Conv2D(2), cs.BatchNormalization(), cs.Flatten(), cs.Dense(2))
    _set_weight(model, "batch_normalization/moving_variance", -1)
    with pytest.raises(ConvscopeError, match="conv2d: a weight is not a finite number"):
        plan_steps(model)
