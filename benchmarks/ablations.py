"""Time an ablation study: each filter of the convolutions is set to zero by itself, on all test images of MNIST.

python benchmarks/ablations.py [--architecture NETWORK] [--repeats 7] [--threads N] [--instruction-set NAME]

It prints the seconds that the logits under all ablations take, alone and with predictions and losses. For comparison it
prints the seconds of the unchanged network's logits times the number of ablations: the time without reusing results.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version

import machine

import convscope as cs
from convscope.architecture import presets
from convscope.engine import Ablation, Replacement, compute_ablation_effects, initial_weights
from convscope.engine.native import NativeNetwork
from convscope.engine.processor import instruction_sets


def list_single_ablations(architecture: cs.Architecture) -> list[Ablation]:
    """List an ablation for each filter of each convolution: zero instead of its output."""
    return [
        [Replacement(row.layer.name, filter_)]
        for row in architecture.table
        if isinstance(row.layer, cs.Conv2D | cs.DepthwiseConv2D)
        for filter_ in range(row.output_shape[-1])
    ]


def measure_seconds(repeats: int, work: Callable[[], object]) -> list[float]:
    """Measure the seconds of each repeat, without a first call that fills the caches."""
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return seconds[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", default="cnn", help="a preset, read as it is for MNIST")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--instruction-set", choices=instruction_sets())
    arguments = parser.parse_args()

    test = cs.load_dataset("mnist").test
    architecture = getattr(presets, arguments.architecture)()
    network = NativeNetwork(
        architecture, initial_weights(architecture, 0), arguments.threads, arguments.instruction_set
    )
    ablations = list_single_ablations(architecture)
    rows = {
        "ablations' logits": measure_seconds(
            arguments.repeats, lambda: network.ablation_logits(test.images, ablations)
        ),
        "with their effects": measure_seconds(
            arguments.repeats, lambda: compute_ablation_effects(network, test.images, test.labels, ablations)
        ),
        "whole network": measure_seconds(arguments.repeats, lambda: network.logits(test.images)),
    }
    print(f"device              {machine.describe()['processor']}, load {machine.load()[0]}")
    print(f"python, convscope   {platform.python_version()}, {version('convscope')}")
    print(f"instruction set     {network.instruction_set}")
    print(f"threads             {network.threads}")
    print(
        f"ablations, images     {len(ablations)} of {arguments.architecture}, {len(test):,} (n = {arguments.repeats})"
    )
    for name, seconds in rows.items():
        times = len(ablations) if name == "whole network" else 1
        low, high = min(seconds) * times, max(seconds) * times
        note = f" ({times} times)" if times > 1 else ""
        print(f"{name:<19} {statistics.median(seconds) * times:.3f} s, {low:.3f} to {high:.3f}{note}")


if __name__ == "__main__":
    main()
