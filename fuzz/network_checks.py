"""Compare the native engine's outputs for a case with the reference's; called by network_worker.py and the tests.

The difference between two arrays must be within a tolerance, a share of the array's largest number. If it is larger,
the reference computes the case again up to thirty times, each time with errors of the size of the precision's roundings
in every layer. If these errors alone change the array as much, the case is ill-conditioned: a relu is near its kink,
two numbers under a pooling are nearly equal, or Adam steps along a gradient that consists of rounding errors. The
difference may then be `MARGIN` times the change that the errors cause.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
from network_cases import Case, Outputs, compute
from numpy.typing import NDArray

from convscope.engine import native, reference, reference_layers, reference_normalization, reference_passes
from convscope.engine.augmentation import augment
from convscope.engine.native import NativeNetwork
from convscope.engine.reference import ReferenceNetwork
from convscope.recipes import Augmentation, Precision

TOLERANCES: dict[str, dict[Precision, float]] = {  # by kind of output; those of float32 as in tests/engine
    "logits": {"float32": 1e-5, "bfloat16": 2e-2},
    "activations": {"float32": 1e-5, "bfloat16": 2e-2},
    "ablations": {"float32": 1e-5, "bfloat16": 2e-2},
    "loss": {"float32": 1e-5, "bfloat16": 2e-2},
    "gradients": {"float32": 1e-4, "bfloat16": 7e-2},
    "by layer": {"float32": 1e-4, "bfloat16": 1e-1},
    "by image": {"float32": 1e-4, "bfloat16": 1e-1},
    "training": {"float32": 2e-5, "bfloat16": 2e-2},
    "state": {"float32": 1e-4, "bfloat16": 1e-1},
    "logits after training": {"float32": 1e-4, "bfloat16": 5e-2},
}
MAX_TRIALS = 30  # each has an even chance to break a tie of two numbers the other way
MARGIN = 10.0  # an ill-conditioned difference may be this many times the change by rounding errors
ROUNDING = 2.0**-21  # the error of a layer's numbers: that of a sum of some hundred products in float32
SMALLEST = 2.0**-100  # smaller differences are no failure: intermediate numbers may be too small for float32
BFLOAT16_ROUNDING = 2.0**-8  # the error of the factors of products in bfloat16

_MODULES = (reference_passes, reference_layers, reference_normalization)  # where `reference_passes` looks a function up
# Their functions: those whose factors bfloat16 rounds, those that sum products, all that get errors.
_FACTORS = ("convolution", "convolution_backward")
_SUMS = ("convolution", "depthwise", "dense")
_COMPUTED = (
    *_FACTORS,
    "dense",
    "dense_backward",
    "activate",
    "activate_backward",
    "average_pooling",
    "average_pooling_backward",
    "batch_normalization",
    "batch_normalization_backward",
    "batch_statistics",
    "batch_statistics_backward",
    "depthwise",
    "depthwise_backward",
    "group_normalization",
    "group_normalization_backward",
    "max_pooling_backward",
    "multiply",
    "multiply_backward",
    "prelu",
    "prelu_backward",
    "soft_voting",
    "soft_voting_backward",
)


@dataclass
class Findings:
    """The faults of a case, and the size of its differences.

    Attributes:
        failures: a sentence for each array that is too far off.
        worst: for each kind of output, the largest difference within the tolerance, as a share of the array's largest
            number.
        ill_conditioned: how many arrays differ by more than the tolerance, but no more than rounding errors explain.
        compared: how many arrays were compared.
    """

    failures: list[str] = field(default_factory=list)
    worst: dict[str, float] = field(default_factory=dict)
    ill_conditioned: int = 0
    compared: int = 0


class Oracle:
    """The reference's outputs for a case, computed once for all instruction sets.

    Training depends on the augmented images, in which the sets may differ by a grey level, so there may be several.
    """

    def __init__(self, case: Case) -> None:
        self.case = case
        self._outputs: dict[bytes, Outputs] = {}
        self._spreads: dict[tuple[bytes, Precision], list[dict[str, float]]] = {}

    @cached_property
    def augmentation(self) -> NDArray[np.uint8]:
        options = self.case.options
        return augment(self.case.images[self.case.order], options.augmentation, options.augmentation_key)

    def outputs(self, seen: NDArray[np.uint8]) -> Outputs:
        """Compute all outputs, with the augmented images `seen` in training."""
        if (key := seen.tobytes()) not in self._outputs:
            self._outputs[key] = compute(ReferenceNetwork(self.case.architecture, self.case.weights), self.case, seen)
        return self._outputs[key]

    def spreads(self, seen: NDArray[np.uint8], precision: Precision) -> Iterator[dict[str, float]]:
        """Yield the change of each output that rounding errors in each layer cause, trial after trial."""
        known = self._spreads.setdefault((seen.tobytes(), precision), [])
        for trial in range(MAX_TRIALS):
            if trial == len(known):
                known.append(measure_rounding_spread(self.case, seen, self.outputs(seen), precision, trial))
            yield known[trial]


def check_case(oracle: Oracle, instruction_set: str, precision: Precision) -> Findings:
    """Compare the native engine's outputs for the oracle's case with the reference's."""
    findings, case = Findings(), oracle.case
    seen = check_augmentation(oracle, instruction_set, findings)
    network = NativeNetwork(case.architecture, case.weights, case.threads, instruction_set, precision)
    values = compute(network, case)
    expected = oracle.outputs(seen)
    if values.keys() != expected.keys():
        findings.failures.append(f"only one engine gives {sorted(values.keys() ^ expected.keys())}")
        return findings
    findings.compared = len(values)
    if suspects := find_suspects(values, expected, precision, findings):
        judge_suspects(suspects, oracle.spreads(seen, precision), findings)
    return findings


def check_augmentation(oracle: Oracle, instruction_set: str, findings: Findings) -> NDArray[np.uint8]:
    """Compare the augmented images of the case's epoch; return those of the native engine, on which it trains."""
    case = oracle.case
    images, options = case.images[case.order], case.options
    if options.augmentation == Augmentation():
        return images
    seen = native.augment(images, options.augmentation, options.augmentation_key, 0, instruction_set)
    off = np.abs(seen.astype(int) - oracle.augmentation)
    findings.worst["augmentation"] = float(np.mean(off > 0))
    # Rounding may change a pixel by one grey level, in at most one of a hundred pixels.
    if off.max() > 1 or np.count_nonzero(off) > max(3, 0.01 * off.size):
        findings.failures.append(f"augmentation differs by {off.max()} grey levels, {np.mean(off > 0):.1%} do")
    return seen


class Suspect(NamedTuple):
    """An array that differs by more than the tolerance."""

    difference: float
    scale: float  # the largest number of the expected array


def find_suspects(values: Outputs, expected: Outputs, precision: Precision, findings: Findings) -> dict[str, Suspect]:
    """Find the arrays that differ by more than the tolerance, and note the largest differences within it."""
    largest: dict[str, float] = {}  # of all arrays of a group: what cancels to less is left with errors of this size
    for name, value in expected.items():
        largest[group(name)] = max(largest.get(group(name), 0.0), float(np.abs(value).max(initial=0)))
    suspects = {}
    for name, value in values.items():
        difference, scale = distance(value, expected[name]), float(np.abs(expected[name]).max(initial=0))
        kind = name.partition("/")[0]
        if difference <= TOLERANCES[kind][precision] * scale:
            findings.worst[kind] = max(findings.worst.get(kind, 0.0), difference / scale if scale else 0.0)
        elif difference > max(ROUNDING * largest[group(name)], SMALLEST):
            suspects[name] = Suspect(difference, scale)
    return suspects


def judge_suspects(suspects: dict[str, Suspect], spreads: Iterator[dict[str, float]], findings: Findings) -> None:
    """Divide the suspects into ill-conditioned arrays and failures; stop the trials when no failure is left."""
    spread = dict.fromkeys(suspects, 0.0)
    for changes in spreads:
        spread = {name: max(size, changes[name]) for name, size in spread.items()}
        if all(suspect.difference <= MARGIN * spread[name] for name, suspect in suspects.items()):
            break
    for name, (difference, scale) in suspects.items():
        if difference <= MARGIN * spread[name]:
            findings.ill_conditioned += 1
        else:
            findings.failures.append(
                f"{name} differs by {difference:.2g}, its largest number is {scale:.2g}, "
                f"and roundings change it by {spread[name]:.2g}"
            )


def group(name: str) -> str:
    """Name the group of outputs over which a layer's errors spread: its gradients, and the moments made of them."""
    is_gradient = name.startswith(("gradients/", "by layer/", "by image/", "state/m/", "state/v/"))
    return name.rsplit("/", 2)[0] if is_gradient else name


def distance(value: NDArray[Any], expected: NDArray[Any]) -> float:
    """Compute the largest difference; infinite if the shapes differ or a number is not finite."""
    if value.shape != expected.shape or not np.isfinite(value).all():
        return float("inf")
    return float(np.abs(value.astype(np.float64) - expected).max(initial=0))


def measure_rounding_spread(
    case: Case, seen: NDArray[np.uint8], expected: Outputs, precision: Precision, trial: int
) -> dict[str, float]:
    """Measure the change of each output of the reference that rounding errors in each layer cause."""
    image = case.architecture.input
    offset = image.offset * (1 + ROUNDING * (-1) ** trial)  # a pixel that should become 0 may not in float32
    architecture = replace(case.architecture, input=replace(image, offset=offset))
    with add_rounding_errors(precision, trial, case.options.weight_bits is not None):
        changed = compute(ReferenceNetwork(architecture, case.weights), case, seen)
    return {name: distance(value, expected[name]) for name, value in changed.items()}


@contextmanager
def add_rounding_errors(precision: Precision, trial: int, few_levels: bool) -> Iterator[None]:
    """Let the reference's layers compute with errors as rounding makes them; each trial has others.

    Args:
        few_levels: True if weights are whole multiples of a step. Then different windows often have equal sums, or sums
            of zero, which float32 rounds differently: a pooling takes another one, or a relu lets it through.
    """

    def make_rough(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments: compute_with_errors(function, arguments, precision, trial, few_levels)

    def make_rough_dlogits(logits: NDArray[Any], *arguments: Any) -> NDArray[Any]:
        dlogits = cross_entropy_backward(logits, *arguments)
        # Each is the difference between a probability and a target, which may be nearly equal.
        return (add_errors(dlogits * len(logits) + 1, ROUNDING, trial, None) - 1) / len(logits)

    def round_rough(kernel: NDArray[Any], *arguments: Any) -> NDArray[Any]:
        return round_kernel(add_errors(kernel, ROUNDING, trial), *arguments)  # float32 holds it before

    cross_entropy_backward, round_kernel = reference.cross_entropy_backward, reference.round_kernel
    with ExitStack() as stack:
        for name in _COMPUTED:
            module = next(module for module in _MODULES if hasattr(module, name))
            stack.enter_context(patch.object(module, name, make_rough(getattr(module, name))))
        stack.enter_context(patch.object(reference, "cross_entropy_backward", make_rough_dlogits))
        stack.enter_context(patch.object(reference, "round_kernel", round_rough))
        yield


def compute_with_errors(
    function: Callable[..., Any], arguments: tuple[Any, ...], precision: Precision, trial: int, few_levels: bool
) -> Any:
    """Call a function of the reference's layers, and add rounding errors to its factors and results."""
    name = function.__name__
    if precision == "bfloat16" and name in _FACTORS:
        arguments = tuple(
            add_errors(argument, BFLOAT16_ROUNDING, trial, None) if isinstance(argument, np.ndarray) else argument
            for argument in arguments
        )
    result, first = function(*arguments), arguments[0]
    if name == "batch_statistics":
        mean, variance = (add_errors(number, ROUNDING, trial) for number in result)
        return mean, np.maximum(variance, 0)
    if isinstance(result, tuple):
        return tuple(add_errors(number, ROUNDING, trial) for number in result)
    error, size = ROUNDING, 0.0
    is_average = "average" in name
    if is_average:  # the errors of a sum of equal numbers add up
        error *= 1 + max(first.size / result.size, result.size / first.size) / 8
    if name in ("batch_statistics_backward", "activate_backward"):
        # A difference of numbers as large as the first argument, and a product with one of numbers near 1.
        size = float(np.abs(first).max(initial=0))
    if name == "batch_statistics_backward":
        # The mean of many equal numbers, which float32 sums block by block, has the same error for all of them.
        error *= 1 + (first.size / first.shape[-1]) ** 0.5 / 4
    # Windows with the same pixels in another order have the same mean, but in float32 not always the same sum.
    zeros: bool | NDArray[np.bool_] = name == "batch_statistics_backward"
    if name == "average_pooling":  # a mean that cancels to 0
        zeros = function(np.abs(first), *arguments[1:]) != 0
    is_sum = few_levels and name in _SUMS
    return add_errors(result, error, trial, size, zeros | is_sum, by_position=is_average or is_sum)


def add_errors(
    values: NDArray[Any],
    error: float,
    trial: int,
    size: float | None = 0.0,
    zeros: bool | NDArray[np.bool_] = False,
    by_position: bool = False,
) -> NDArray[Any]:
    """Add errors to numbers: each at most `error` times the sum of the number's own size and the largest number's.

    The error of a number follows from its bits alone, so that equal numbers stay equal, unless `by_position`. In every
    fourth trial all errors go the same way, as those of many nearly equal numbers do.

    Args:
        size: replaces the largest number's size if it is larger; None if only a number's own size counts.
        zeros: True if all zeros get errors too, or true for those that do.
        by_position: True if equal numbers at different positions get different errors.
    """
    values = np.asarray(values, np.float64)
    # A hash of the bits and the trial, with the constants of SplitMix64 (Steele, Lea and Flood 2014).
    bits = (values.view(np.uint64) + np.uint64(trial)) * np.uint64(0x9E3779B97F4A7C15)
    if by_position:
        bits = bits + np.arange(bits.size, dtype=np.uint64).reshape(bits.shape) * np.uint64(0xD1B54A32D192ED03)
    bits = (bits ^ (bits >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    shares = (bits >> np.uint64(40)) / 2.0**23 - 1  # evenly from -1 to 1
    if trial % 4 == 3:
        shares = np.full_like(shares, 1 if trial % 8 == 3 else -1)
    sizes = np.abs(values)
    if size is not None:
        sizes = sizes + max(size, float(sizes.max(initial=0))) * (zeros | (values != 0))
    return np.asarray(values + error * shares * sizes)
