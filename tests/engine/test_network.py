"""Both engines accept weights of every float type, and the same values give the same network."""

import numpy as np
import pytest
from tests.engine.epochs import assert_same_bits

from convscope.architecture import presets
from convscope.engine import initial_weights, open_network
from convscope.engine.network import float_array
from convscope.training.model import Model

ARCHITECTURE = presets.cnn((14, 15, 1), 7)
ENGINES = ["native", "reference"]


def short_weights():
    """Return weights with at most three significant bits, which every float type can represent exactly."""
    return {
        name: (np.round(value * 64) / 64).clip(-0.125, 0.125).astype(np.float32)
        for name, value in initial_weights(ARCHITECTURE, 0).items()
    }


def bfloat16_bits(value):
    """Return the first half of each float32."""
    return (value.view(np.uint32) >> 16).astype(np.uint16)


def bfloat16(value):
    return value.astype(pytest.importorskip("ml_dtypes").bfloat16)


AS_TYPE = {
    "float16": lambda value: value.astype(np.float16),
    "float32, big-endian": lambda value: value.astype(">f4"),
    "float64": lambda value: value.astype(np.float64),
    "float64, Fortran order": lambda value: np.asfortranarray(value.astype(np.float64)),
    "bfloat16 as uint16": bfloat16_bits,
    "bfloat16 of ml_dtypes": bfloat16,
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", AS_TYPE)
def test_weights_of_any_float_type_are_the_same_network(engine, kind):
    weights = short_weights()
    typed = {name: AS_TYPE[kind](value) for name, value in weights.items()}
    images = np.random.default_rng(0).integers(0, 256, (3, 14, 15, 1), np.uint8)
    network = open_network(ARCHITECTURE, typed, engine)
    np.testing.assert_array_equal(network.logits(images), open_network(ARCHITECTURE, weights, engine).logits(images))
    assert_same_bits(network.weights(), weights)


@pytest.mark.parametrize("kind", AS_TYPE)
def test_a_model_holds_its_weights_as_float32(kind):
    weights = short_weights()
    names = tuple(str(k) for k in range(7))
    model = Model(ARCHITECTURE, {name: AS_TYPE[kind](value) for name, value in weights.items()}, names)
    assert {value.dtype for value in model.weights.values()} == {np.dtype(np.float32)}
    assert model.weights_sha256 == Model(ARCHITECTURE, weights, names).weights_sha256


def test_float64_is_rounded_to_the_nearest_and_ties_to_even():
    step = 2.0**-23  # between floats from 1 on
    values = np.array([1 + 0.49 * step, 1 + 0.5 * step, 1 + 1.5 * step, 1 + 0.51 * step])
    np.testing.assert_array_equal(float_array(values), [1, 1, 1 + 2 * step, 1 + step])


def test_bfloat16_bits_are_every_number_with_a_short_fraction():
    """Decode them by the format's definition: a sign, 8 bits of an exponent e, and 7 bits of a fraction f.

    The value is (128 + f) · 2^(e - 127 - 7). For e = 0 it is f · 2^(1 - 127 - 7), and for e = 255 not finite.
    """
    bits = np.arange(2**16, dtype=np.uint32).astype(np.uint16)
    values = float_array(bits)
    exponent, fraction = (bits >> 7 & 0xFF).astype(int), (bits & 0x7F).astype(int)
    sign = np.where(bits >> 15, -1.0, 1.0)
    finite = exponent < 255
    expected = sign * np.ldexp(np.where(exponent, 128 + fraction, fraction), np.maximum(exponent, 1) - 127 - 7)
    np.testing.assert_array_equal(values[finite], expected[finite])
    assert not np.isfinite(values[~finite]).any()


def test_reference_computes_with_float64_weights_as_they_are():
    thirds = np.full(7, 1 / 3)
    network = open_network(ARCHITECTURE, {**short_weights(), "dense_1/bias": thirds}, "reference")
    rounded, remainder = network.weights()["dense_1/bias"], network.optimizer_state()["remainder/dense_1/bias"]
    np.testing.assert_array_equal(rounded, thirds.astype(np.float32))
    np.testing.assert_array_equal(rounded + remainder, thirds)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.zeros(7, np.int64), "weight dense_1/bias is int64; give float16, float32, float64, or bfloat16"),
        (np.zeros(7, bool), "weight dense_1/bias is bool; give float16"),
        (np.zeros(7, np.complex64), "weight dense_1/bias is complex64; give float16"),
        (np.full(7, 1e39), "weight dense_1/bias holds a value that is not finite"),
        (np.full(7, 0x7F80, np.uint16), "weight dense_1/bias holds a value that is not finite"),
        (np.full(7, np.inf, np.float16), "weight dense_1/bias holds a value that is not finite"),
        (np.zeros(8, np.float16), r"weight dense_1/bias has shape \(8,\); the architecture needs \(7,\)"),
    ],
)
def test_open_network_rejects_invalid_arguments(engine, value, message):
    with pytest.raises(ValueError, match=message):
        open_network(ARCHITECTURE, {**short_weights(), "dense_1/bias": value}, engine)
