"""Compare the time of each step of training with its bound by arithmetic and memory, and print tables in Markdown.

    .venv/bin/python benchmarks/roofline.py [--networks cnn residual vgg] [--layers] [--turns 3]

It compiles an engine that times its steps (native/step_times.hpp) into a folder that is removed afterwards, trains each
network with it on as many threads as there are cores, and takes the least time of each step over the turns, and of the
whole the fastest epoch. A phase's bound is the longest of three times (a roofline: Williams, Waterman and Patterson
2009), and a step's the sum of its phases':

    arithmetic     its multiply-adds at the measured peak, in whole registers: 24 filters are two of 16 numbers each.
                   Convolutions of 3 x 3 and 5 x 5 count as Winograd's algorithm computes them where it needs fewer, in
                   phases of their own for its transforms, whose operations take as long as multiply-adds; before a max
                   pooling only one pixel of four has a gradient. The gradient of dense weights is a part of the
                   optimizer's step.
    second cache   what a transform leaves for the products, and these for the next transform, and the weights, once for
                   each block of tiles, at the measured bandwidth of the second cache.
    maps           each map read and written once a pass, at the measured bandwidth of the cache in which the maps of a
                   pass lie: with batch normalisation all images of the batch wait, so those of a batch, else of 8
                   images a thread.

CONVSCOPE_ISA=avx2 measures another instruction set.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import ceil, prod
from pathlib import Path
from typing import Any

import architectures
import machine
import numpy as np
import training_work

import convscope as cs
from convscope.engine.processor import choose_threads, instruction_sets, measure_peak

PROJECT = Path(__file__).parent.parent
BATCH, EPOCHS = 128, 3
SLICE = 8  # images that a thread takes through a network without batch normalisation
# Vector operations of a tile's transforms for one channel, counted in native/kernels/winograd.cpp as compiled for
# AVX-512: of input and output, and back of the output's gradient and the input's; by the tile's outputs in one
# dimension and its kernel.
TRANSFORMS = {
    (2, 3): (32, 28, 12, 48),
    (4, 3): (168, 146, 98, 232),
    (2, 5): (168, 76, 32, 232),
    (4, 5): (448, 208, 166, 528),
}

TIMED = """
import json, sys
sys.path.insert(0, sys.argv[1])
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in type(finder).__module__.lower()]
import numpy as np
import convscope as cs
assert cs.__file__.startswith(sys.argv[1]), cs.__file__
architecture = cs.Architecture.from_dict(json.loads(sys.argv[2]))
data = cs.load_dataset("mnist").train.take(np.arange(int(sys.argv[3])))
_, history = cs.train(architecture, data, cs.Recipe(epochs=int(sys.argv[4]), batch_size=int(sys.argv[5])))
print(json.dumps(min(history.seconds)))
"""


def instruction_set() -> str:
    return os.environ.get("CONVSCOPE_ISA") or instruction_sets()[0]


@dataclass(frozen=True)
class Machine:
    """The speeds that all threads of this machine reach together.

    Attributes:
        macs: multiply-adds in a second.
        bandwidths: bytes read or written in a second, by the bytes that all threads work on.
    """

    threads: int
    macs: float
    bandwidths: dict[int, float]

    @classmethod
    def measure(cls) -> "Machine":
        threads = choose_threads(None)
        sizes = (1 << 18, 1 << 22, 1 << 27)  # for each thread: in the second-level cache, in the third, in memory
        return cls(threads, measure_peak() * 5e8, {threads * size: copy_speed(threads, size) for size in sizes})

    def bandwidth(self, size: float) -> float:
        """Interpolate the bandwidth for a working set of `size` bytes, on a logarithmic scale."""
        sizes = np.log([float(key) for key in self.bandwidths])
        return float(np.exp(np.interp(np.log(max(size, 1)), sizes, np.log(list(self.bandwidths.values())))))


def copy_speed(threads: int, size: int) -> float:
    """Measure the bytes a second that processes read and write together, each copying half of `size` bytes."""
    with ProcessPoolExecutor(threads) as pool:
        list(pool.map(partial(copy_for, size), [0.05] * threads))  # a process has started before the rest is timed
        return sum(pool.map(partial(copy_for, size), [0.5] * threads))


def copy_for(size: int, seconds: float) -> float:
    """Copy in this process for some seconds; return the most bytes a second that a twentieth of them reached."""
    halves = np.ones((2, size // 8), np.float32)
    best, end = 0.0, time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        copies = 0
        while time.perf_counter() - start < seconds / 20:
            for _ in range(max(1, (1 << 23) // size)):
                np.copyto(halves[0], halves[1])
                copies += 1
        best = max(best, copies * size / (time.perf_counter() - start))
    return best


@dataclass(frozen=True)
class Phase:
    """The needs of a part of a pass, for one image."""

    macs: float  # or operations of a transform
    map_bytes: float
    cache_bytes: float = 0  # between the parts of a pass, through the second cache

    def bound(self, here: Machine, working_set: float) -> float:
        """Return the microseconds that all threads need at least."""
        moved = self.cache_bytes / here.bandwidth(0), self.map_bytes / here.bandwidth(working_set)
        return 1e6 * max(self.macs / here.macs, *moved)


@dataclass(frozen=True)
class Step:
    """A pass of a step for one image, and the microseconds that it took on all threads."""

    name: str
    phases: Sequence[Phase]
    measured: float

    def bound(self, here: Machine, working_set: float) -> float:
        return sum(phase.bound(here, working_set) for phase in self.phases)


def count_macs(phases: Sequence[Phase]) -> float:
    return sum(phase.macs for phase in phases)


def has_winograd(layer: Any) -> bool:
    if not isinstance(layer, cs.Conv2D) or layer.groups > 1:
        return False
    return layer.kernel_size in ((3, 3), (5, 5)) and layer.strides == layer.dilation_rate == (1, 1)


def in_registers(numbers: int) -> int:
    """Round up to whole registers of the instruction set."""
    width = {"avx512": 16, "avx2": 8}.get(instruction_set(), 4)
    return -(-numbers // width) * width


def winograd_phases(kernel: Sequence[int], output: Sequence[int], maps: Sequence[int]) -> list[list[Phase]]:
    """Describe a convolution by Winograd's algorithm forward and backward, each with the tile that needs less work.

    Args:
        maps: bytes of the input and of the output.
    """
    size, _, channels, filters = kernel
    wide_channels, wide_filters = in_registers(channels), in_registers(filters)
    forward, backward = [], []
    for (side, taps), (to_input, to_output, back_output, back_input) in TRANSFORMS.items():
        if taps != size:
            continue
        tiles, points = ceil(output[0] / side) * ceil(output[1] / side), (side + size - 1) ** 2
        of_input, of_output = (4 * tiles * points * wide for wide in (wide_channels, wide_filters))
        # A block of tiles has 512 KiB, but at least 32 tiles (native/layers/winograd_convolution.cpp).
        blocks = tiles / max(32, (1 << 17) / (points * (wide_channels + wide_filters)))
        weights = 4 * points * channels * wide_filters * blocks
        products, products_back = (tiles * points * n for n in (channels * wide_filters, filters * wide_channels))
        to_input, back_input = (tiles * operations * wide_channels for operations in (to_input, back_input))
        to_output, back_output = (tiles * operations * wide_filters for operations in (to_output, back_output))
        transform = Phase(to_input, maps[0], of_input)
        forward.append(
            [transform, Phase(products, 0, of_input + of_output + weights), Phase(to_output, maps[1], of_output)]
        )
        by_weights = Phase(products, 0, of_input + of_output + weights)
        by_input = Phase(products_back, 0, of_input + of_output + weights)
        gradient, result = Phase(back_output, maps[1], of_output), Phase(back_input, maps[0], of_input)
        backward.append([transform, gradient, by_weights, by_input, result])
    return [min(tiles, key=count_macs) for tiles in (forward, backward)]


def direct_macs(layer: Any, kernel: Sequence[int]) -> tuple[int, int, int]:
    """Count the multiply-adds of a pixel forward, for the gradient of the weights, and for that of the input."""
    if isinstance(layer, cs.DepthwiseConv2D):
        same = prod(kernel[:2]) * in_registers(prod(kernel[2:]))
        return same, same, same
    forward = prod(kernel[:-1]) * in_registers(kernel[-1])
    return forward, forward, prod(kernel[:-2]) * in_registers(kernel[-2]) * kernel[-1]


def describe_steps(architecture: cs.Architecture, timed: dict[str, Any]) -> list[Step]:
    """List the forward and backward pass of each step that the engine took, with the work of an image."""
    table, again = architecture.table, architecture.read_again
    read = training_work.read_positions(architecture)
    firsts = [layer for layer, _ in timed["steps"]]
    trained = next(i for i, row in enumerate(table) if row.parameters)
    steps, dense_macs = [], 0.0
    for number, first in enumerate(firsts):
        end = firsts[number + 1] if number + 1 < len(firsts) else len(table)
        row, output = table[first], table[end - 1].output_shape
        maps = 4 * prod(row.input_shape), 4 * prod(output)
        kernel = row.layer.weight_shapes(row.input_shape).get("kernel", ())
        pooling = training_work.pooling_after(table, first, again)
        is_first = first == trained
        ahead_macs = back_macs = 0.0
        if kernel:
            ahead, by_weights, by_input = direct_macs(row.layer, kernel)
            with_gradient = prod(read[first]) if pooling is None else min(prod(read[first]), prod(read[pooling]))
            ahead_macs = ahead * prod(read[first])
            if isinstance(row.layer, cs.Dense):
                dense_macs, by_weights = dense_macs + by_weights, 0
            back_macs = (by_weights + (0 if is_first else by_input)) * with_gradient
        forward = [Phase(ahead_macs, sum(maps))]
        backward = [Phase(back_macs, 2 * maps[0] + maps[1] if not is_first else sum(maps))]
        if not is_first and has_winograd(row.layer):
            ahead_phases, back_phases = winograd_phases(kernel, read[first], maps)
            forward = min(forward, ahead_phases, key=count_macs)
            backward = backward if pooling is not None else min(backward, back_phases, key=count_macs)
        name = " + ".join(row.layer.name for row in table[first:end])
        steps.append(Step(f"{name} forward", forward, timed["forward"][number]))
        steps.append(Step(f"{name} backward", backward, timed["backward"][number]))
    weights = 4 * architecture.parameters  # the optimizer reads and writes each with two moments, and reads a gradient
    steps.append(Step("optimizer", [Phase(dense_macs, 7 * weights / BATCH)], timed["update"]))
    return steps


def working_set(architecture: cs.Architecture, threads: int) -> float:
    """Count the bytes of the maps, values and gradients, that are in use before the first is used again."""
    has_stages = any(isinstance(row.layer, cs.BatchNormalization) for row in architecture.table)
    images = BATCH if has_stages else SLICE * threads
    return images * 8 * sum(prod(row.output_shape) for row in architecture.table)


def time_steps(folder: str, architecture: cs.Architecture, images: int, turns: int) -> dict[str, Any]:
    """Train some times; return the least microseconds an image of each step, of the update and of everything."""
    here: dict[str, Any] = {}
    for _ in range(turns):
        arguments = [folder, json.dumps(architecture.to_dict()), str(images), str(EPOCHS), str(BATCH)]
        done = subprocess.run([sys.executable, "-c", TIMED, *arguments], capture_output=True, text=True, check=True)
        record = json.loads(done.stderr.strip().splitlines()[-1])
        scale = 1e6 / (images * EPOCHS)
        threads = choose_threads(None)
        for phase in ("forward", "backward"):
            new = [seconds * scale / threads for seconds in record[phase]]
            here[phase] = [min(pair) for pair in zip(here.get(phase, new), new, strict=True)]
        here["steps"] = record["steps"]
        here["update"] = min(here.get("update", np.inf), record["update"] * scale / threads)
        here["whole"] = min(here.get("whole", np.inf), 1e6 * json.loads(done.stdout) / images)
    return here


def compile_engine(folder: str) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder]
    command += ["-C", "cmake.define.CONVSCOPE_STEP_TIMES=ON", "-C", f"build-dir={folder}-build", str(PROJECT)]
    subprocess.run(command, check=True, env={**os.environ, "PIP_COMPILE": "0"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [*cs.presets.PRESETS, *(name for name in architectures.NETWORKS if name not in cs.presets.PRESETS)]
    default = ["cnn", "tiny697", "tiny2k", "tiny8k", "tiny25k", "residual", "vgg"]
    parser.add_argument("--networks", nargs="+", choices=names, default=default)
    parser.add_argument("--layers", action="store_true", help="print a table of the steps of each network as well")
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    here = Machine.measure()
    speeds = ", ".join(f"{value / 1e9:.0f} GB/s up to {size >> 10:,} KiB" for size, value in here.bandwidths.items())
    known = f"{machine.describe()['processor']}, {here.threads} threads, {instruction_set()}"
    print(f"{known}: {2e-9 * here.macs:.0f} GFLOP/s, {speeds}")
    print("\n| network | multiply-adds | by Winograd | bound | measured | share |\n|---|---|---|---|---|---|")
    details = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = str(Path(scratch) / "engine")
        compile_engine(folder)
        for name in options.networks:
            if name in cs.presets.PRESETS:
                architecture = cs.presets.PRESETS[name]()
            else:
                architecture = cs.Architecture.from_dict(architectures.architecture(name))
            macs = training_work.count_training_macs(architecture)
            images = BATCH * int(min(400, max(20, 1e11 / macs / BATCH)))
            timed = time_steps(folder, architecture, images, options.turns)
            steps, size = describe_steps(architecture, timed), working_set(architecture, here.threads)
            bound = sum(step.bound(here, size) for step in steps)
            cells = (
                name,
                f"{macs / 1e6:.2f} M",
                f"{sum(count_macs(step.phases) for step in steps) / 1e6:.2f} M",
                f"{bound:.1f} µs",
            )
            print(f"| {' | '.join(cells)} | {timed['whole']:.1f} µs | {bound / timed['whole']:.0%} |", flush=True)
            details.append((name, steps, size))
    for name, steps, size in details if options.layers else ():
        print(f"\n| {name} | multiply-adds | maps | second cache | bound | measured | share |\n{'|---' * 7}|")
        for step in steps:
            bound = step.bound(here, size)
            moved = (sum(phase.map_bytes for phase in step.phases), sum(phase.cache_bytes for phase in step.phases))
            cells = f"{count_macs(step.phases) / 1e3:.0f} k", *(f"{part / 1e3:.0f} kB" for part in moved)
            share = bound / step.measured if step.measured else 1
            print(f"| {step.name} | {' | '.join(cells)} | {bound:.2f} µs | {step.measured:.2f} µs | {share:.0%} |")


if __name__ == "__main__":
    main()
