"""Open a network in one of the engines, and draw its initial weights.

An engine is imported when a network in it is opened, because importing Keras takes seconds.
"""

from collections.abc import Mapping
from math import prod, sqrt
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture
from convscope.base.errors import RecipeError
from convscope.base.streams import random_stream
from convscope.engine.network import Network, Weights, check_weights
from convscope.recipes import Precision

EngineName = Literal["native", "reference", "keras"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)
_COMPUTES_IN: Mapping[EngineName, str] = {"reference": "float64", "keras": "float32"}  # `native` has several precisions
_INITIAL_VALUES = {"bias": 0, "gamma": 1, "beta": 0, "moving_mean": 0, "moving_variance": 1, "alpha": 0.25}
"""The initial values of all weights but kernels, by the name within a layer."""


def open_network(
    architecture: Architecture,
    weights: Weights,
    engine: EngineName = "native",
    threads: int | None = None,
    precision: Precision = "float32",
) -> Network:
    """Open `architecture` with `weights` in `engine`.

    Args:
        weights: by name, of any type that `float_array` takes; `native` and `keras` compute with them as float32,
            `reference` as float64.
        threads: the number for `native`; by default as many as the process may run on. Results are the same bits for
            any number. `reference` ignores it; `keras` passes it to its backend, see `KerasNetwork`.
        precision: the type to which `native` rounds the factors of its products; see `Recipe.precision`.

    Raises:
        RecipeError: if `check_precision` raises it.
        EngineError: if the engine is `keras`, and Keras or its backend is not installed.
        ValueError: if a weight is missing, unknown, of another shape or type, or not finite in float32; if the engine
            is unknown; if threads < 1.
    """
    if engine not in ENGINES:
        raise ValueError(f"engine is {engine!r}; it must be one of {', '.join(ENGINES)}")
    if threads is not None and threads < 1:
        raise ValueError(f"threads is {threads}; it must be at least 1")
    check_precision(precision, engine)
    check_weights(architecture, weights)
    if engine == "reference":
        from convscope.engine.reference import ReferenceNetwork

        return ReferenceNetwork(architecture, weights)
    if engine == "keras":
        from convscope.engine.keras import KerasNetwork

        return KerasNetwork(architecture, weights, threads)
    from convscope.engine.native import NativeNetwork

    return NativeNetwork(architecture, weights, threads, precision=precision)


def check_engine(engine: EngineName) -> None:
    """Raise `EngineError`, with the command to install it, unless `engine` has all it needs; imports nothing."""
    if engine == "keras":
        from convscope.engine.keras import backend_name

        backend_name()


def check_precision(precision: Precision, engine: EngineName = "native") -> None:
    """Raise `RecipeError`, with the alternative, unless `engine` computes in `precision` on this processor."""
    if precision == "float32":
        return
    if engine != "native":
        raise RecipeError(
            f"precision is {precision}, but engine {engine} computes in {_COMPUTES_IN[engine]}; use engine native or "
            "precision float32"
        )
    from convscope.engine.processor import usable_instruction_sets

    usable_instruction_sets(precision)  # raises if there is none


def initial_weights(architecture: Architecture, seed: int) -> dict[str, NDArray[np.float32]]:
    """Draw Glorot-uniform kernels, each from its own stream "initialize LAYER/kernel"; all other weights are constant.

    A kernel's values lie within ±sqrt(6 / (fan_in + fan_out)), where a convolution's fans count the kernel's positions.
    Biases are zero; a batch normalisation changes nothing at first, with gamma and variance one, beta and mean zero;
    the slopes of PReLU are 0.25. Sources: Glorot and Bengio 2010, equation 16; He and others 2015, section 2.1.
    """
    weights = {}
    # A stream for each kernel: adding a layer leaves the others' first weights as they are.
    for name, shape in architecture.weight_shapes.items():
        if (weight := name.partition("/")[2]) != "kernel":
            weights[name] = np.full(shape, _INITIAL_VALUES[weight], np.float32)
            continue
        # (rows, columns, in, out), or (in, out) with one position.
        positions = prod(shape[:-2])
        limit = sqrt(6 / (positions * (shape[-2] + shape[-1])))
        values = random_stream(seed, f"initialize {name}").uniform(-limit, limit, shape)
        weights[name] = values.astype(np.float32)
    return weights
