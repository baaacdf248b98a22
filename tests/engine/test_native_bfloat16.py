"""Convolutions in bfloat16, compared with the reference after its operands are rounded, and errors without AMX.

On a processor without AMX the tests take away the engine's check; it then computes the products one by one.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from convscope import train
from convscope.architecture import (
    Activation,
    Architecture,
    BatchNormalization,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    Layer,
    MaxPooling2D,
    ZeroPadding2D,
    presets,
)
from convscope.base.errors import RecipeError
from convscope.engine import initial_weights, open_network, processor, reference_layers
from convscope.engine.native import NativeNetwork
from convscope.engine.processor import instruction_sets
from convscope.engine.reference import ReferenceNetwork
from convscope.recipes import Recipe

from .test_native import random_images, random_labels, random_weights

ISAS = instruction_sets("bfloat16") or instruction_sets()


@pytest.fixture(autouse=True)
def allow_products_without_amx(monkeypatch: pytest.MonkeyPatch) -> None:
    if not instruction_sets("bfloat16"):
        monkeypatch.setattr(processor, "instruction_sets", lambda *_: instruction_sets())


Gradients = Mapping[str, NDArray[Any]]


def to_bf16(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return the nearest numbers of eight significant bits, ties to even."""
    fractions, exponents = np.frexp(values)
    return np.ldexp(np.rint(np.ldexp(fractions, 8)), exponents - 8)


@pytest.fixture
def rounded_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the reference round the operands of its convolutions to bfloat16."""
    exact, exact_backward = reference_layers.convolution, reference_layers.convolution_backward

    def convolution(x: Any, kernel: Any, bias: Any, window: Any) -> Any:
        return exact(to_bf16(x), to_bf16(kernel), bias, window)

    def convolution_backward(dy: Any, x: Any, kernel: Any, window: Any) -> Any:
        dx, dkernel, _ = exact_backward(to_bf16(dy), to_bf16(x), to_bf16(kernel), window)
        return dx, dkernel, dy.sum(axis=(0, 1, 2))

    for function in (convolution, convolution_backward):
        monkeypatch.setattr(reference_layers, function.__name__, function)


def relative_distance(values: Gradients, expected: Gradients) -> float:
    """Return the Euclidean distance of all values from `expected`, divided by the length of `expected`."""
    squares = sum(float(np.square(values[name] - expected[name]).sum()) for name in expected)
    return float(np.sqrt(squares / sum(float(np.square(value).sum()) for value in expected.values())))


CHAINS: list[tuple[Layer, ...]] = [
    (Conv2D(16, (3, 2), activation="relu"), Conv2D(33, (2, 3), padding="same"), Flatten(), Dense(5)),
    (Conv2D(17, (5, 3), padding="same"), Conv2D(40, (1, 5), activation="relu"), Conv2D(3, (3, 1)), Flatten()),
    (Conv2D(64, (4, 2), activation="tanh"), Conv2D(18, (3, 4)), Flatten(), Dense(37, "relu"), Dense(4, "softmax")),
    (Conv2D(16, (3, 4)), BatchNormalization(activation="relu"), Conv2D(24, 1), BatchNormalization(), Flatten()),
    (
        ZeroPadding2D(((0, 2), (1, 0))), Conv2D(16, (3, 4)), Activation("relu"), ZeroPadding2D(), Conv2D(24, (2, 3)),
        Activation("leaky_relu", 0.5), Flatten(), Dense(4), Activation("softmax"),
    ),
    (Conv2D(16, 3, activation="relu"), Conv2D(33, 3, padding="same"), Flatten(), Dense(5)),
    (Conv2D(17, 5, padding="same"), Conv2D(40, 3, activation="tanh"), Conv2D(18, 5), Flatten()),
]  # fmt: skip


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("layers", CHAINS, ids=range(len(CHAINS)))
@pytest.mark.usefixtures("rounded_reference")
def test_networks_agree_with_the_reference_whose_operands_are_rounded(isa: str, layers: tuple[Layer, ...]) -> None:
    architecture = Architecture(Input(13, 11, 16, 1 / 256), layers)
    weights = random_weights(architecture)
    network = NativeNetwork(architecture, weights, 2, isa, "bfloat16")
    expected = ReferenceNetwork(architecture, weights)
    images, labels = random_images((13, 11, 16), 21), random_labels(architecture.num_classes, 21)
    # A sum in float32 may round to another bfloat16 number than in float64, so the results differ a little.
    logits = expected.logits(images)
    assert relative_distance({"logits": network.logits(images)}, {"logits": logits}) < 1e-3
    loss, gradients = network.gradients(images, labels)
    expected_loss, expected_gradients = expected.gradients(images, labels)
    assert loss == pytest.approx(expected_loss, rel=1e-4)
    assert gradients.keys() == expected_gradients.keys()
    assert relative_distance(gradients, expected_gradients) < 1e-3


@pytest.mark.parametrize("isa", ISAS)
def test_convolutions_with_dilation_or_groups_are_computed_in_float32(isa: str) -> None:
    layers = (
        Conv2D(32, 3, padding="same", activation="relu", dilation_rate=2), MaxPooling2D(2),
        Conv2D(32, 3, groups=2), GlobalAveragePooling2D(),
    )  # fmt: skip
    architecture = Architecture(Input(13, 11, 16, 1 / 256), layers)
    weights, images = random_weights(architecture), random_images((13, 11, 16), 9)
    network = NativeNetwork(architecture, weights, 2, isa, "bfloat16")
    expected = ReferenceNetwork(architecture, weights)
    assert relative_distance({"logits": network.logits(images)}, {"logits": expected.logits(images)}) < 1e-6
    labels = random_labels(32, 9)
    gradients, expected_gradients = network.gradients(images, labels)[1], expected.gradients(images, labels)[1]
    assert relative_distance(gradients, expected_gradients) < 1e-5


@pytest.mark.parametrize("isa", ISAS)
def test_results_are_the_same_bits_for_any_number_of_threads(isa: str) -> None:
    for layers in (CHAINS[2], CHAINS[4]):
        architecture = Architecture(Input(13, 11, 16), layers)
        images, labels = random_images((13, 11, 16), 85), random_labels(architecture.num_classes, 85)
        results = []
        for threads in (1, 2, 5):
            network = NativeNetwork(architecture, random_weights(architecture), threads, isa, "bfloat16")
            _, gradients = network.gradients(images, labels)
            results.append([network.logits(images), *gradients.values()])
        for result in results[1:]:
            assert all(np.array_equal(a, b) for a, b in zip(results[0], result, strict=True))


def test_training_in_bfloat16_learns_and_goes_on_to_the_same_bits(small_mnist: Any) -> None:
    recipe, network = Recipe(epochs=2, batch_size=32, precision="bfloat16"), presets.lenet5
    states: list[Any] = []
    model, history = train(network, small_mnist, recipe, on_epoch=states.append)
    assert history.accuracy[-1] > 0.6
    again, _ = train(network, small_mnist, recipe, state=states[1])
    single, _ = train(network, small_mnist, replace(recipe, precision="float32"))
    for name, value in model.weights.items():
        assert value.dtype == np.float32
        assert np.array_equal(value, again.weights[name])
    assert any(not np.array_equal(value, single.weights[name]) for name, value in model.weights.items())
    assert model.provenance["recipe"]["precision"] == "bfloat16"


def test_an_instruction_set_for_bfloat16_gives_the_usual_bits_in_float32() -> None:
    weights, images = random_weights(presets.cnn()), random_images((28, 28, 1), 9)
    usual = NativeNetwork(presets.cnn(), weights).logits(images)
    for isa in instruction_sets("bfloat16"):
        assert np.array_equal(NativeNetwork(presets.cnn(), weights, instruction_set=isa).logits(images), usual)


def test_an_instruction_set_without_bfloat16_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    sets = {"float32": ("avx2",), "bfloat16": ("amx_bf16",)}
    monkeypatch.setattr(processor, "instruction_sets", lambda precision: sets[precision])
    weights = random_weights(presets.ann())
    with pytest.raises(ValueError, match="instruction_set is 'avx2'; on this processor, bfloat16 can use amx_bf16"):
        NativeNetwork(presets.ann(), weights, 1, "avx2", "bfloat16")
    monkeypatch.setenv("CONVSCOPE_ISA", "avx2")
    with pytest.raises(ValueError, match="CONVSCOPE_ISA is 'avx2'"):
        NativeNetwork(presets.ann(), weights, 1, precision="bfloat16")


def test_a_processor_without_the_instructions_is_told_which_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "instruction_sets", lambda *_: ())
    weights = initial_weights(presets.ann(), 0)
    for opened in (
        lambda: open_network(presets.ann(), weights, precision="bfloat16"),
        lambda: NativeNetwork(presets.ann(), weights, precision="bfloat16"),
    ):
        with pytest.raises(RecipeError, match=r"no instructions for it \(AMX-BF16\); use precision float32"):
            opened()


def test_the_reference_supports_only_its_own_precision() -> None:
    with pytest.raises(RecipeError, match="engine reference computes in float64; use engine native"):
        open_network(presets.ann(), initial_weights(presets.ann(), 0), "reference", precision="bfloat16")
