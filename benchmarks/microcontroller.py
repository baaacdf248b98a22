"""Export trained runs as C headers in integers, count the bytes that compilers make of them, and compare their logits.

python benchmarks/microcontroller.py EXPERIMENT [--calibrate 1000] [--arm 1] [--json]

Each header is compiled by gcc -std=c99 for this machine, and those of the first `--arm` runs also by clang-19 for ARM
(AArch64) and run by QEMU, which takes minutes a run. All programs must give the bits of the integers in Python, for
every image; else this script ends with an error. Printed are for each run the bytes of the constants in the object
file, the bytes that the header states, the header's accuracy, the model's, and how many predictions differ; at the end
the mean of the accuracies.

    convscope experiment --architecture micro11k --recipe micro11k --seeds 30 --out runs/micro
    python benchmarks/microcontroller.py runs/micro
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import convscope as cs
from convscope.base.statistics import mean_interval
from convscope.export.c_header import write_c
from convscope.export.c_header.quantization import quantize
from convscope.export.c_header.simulation import simulate
from convscope.export.formats import sample_images
from convscope.storage import list_runs

PROGRAM = """
#include "net.h"
#include <stdio.h>

int main(void)
{
    static uint8_t image[NET_HEIGHT * NET_WIDTH * NET_CHANNELS];
    static float logits[NET_CLASSES];
    static net_scratch scratch;
    while (fread(image, sizeof image, 1, stdin) == 1) {
        net_logits(image, logits, &scratch);
        fwrite(logits, sizeof logits, 1, stdout);
    }
    return 0;
}
"""
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic")
ARM = ("clang-19", "--target=aarch64-linux-gnu", "-static", "-fuse-ld=lld-19")


def compute_logits(folder: Path, compiler: tuple[str, ...], runner: tuple[str, ...], images: np.ndarray) -> bytes:
    """Compile the program and run it, and return the bytes of the logits that it prints."""
    command = [*compiler, *WARNINGS, "-O2", "net.c", "-o", "net", "-lm"]
    subprocess.run(command, cwd=folder, check=True)
    done = subprocess.run([*runner, "./net"], cwd=folder, check=True, input=images.tobytes(), capture_output=True)
    return done.stdout


def count_constant_bytes(folder: Path) -> int:
    """Count the bytes of the weights in the object file: the symbols of constant data, except the class names."""
    subprocess.run(["gcc", *WARNINGS, "-Os", "-c", "net.c", "-o", "net.o"], cwd=folder, check=True)
    symbols = subprocess.run(["nm", "-S", "net.o"], cwd=folder, check=True, capture_output=True, text=True).stdout
    sizes = [line.split() for line in symbols.splitlines()]
    return sum(int(size[1], 16) for size in sizes if len(size) == 4 and size[2] == "r" and "class_names" not in size[3])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", type=Path)
    parser.add_argument("--calibrate", type=int, default=1000, help="training images for the ranges and the bound")
    parser.add_argument("--arm", type=int, default=1, help="how many runs are computed by QEMU too")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object at the end of stdout, and nothing else"
    )
    arguments = parser.parse_args()
    data = cs.load_dataset("mnist")
    calibration, test = sample_images(data.train, arguments.calibrate), data.test
    log = sys.stderr if arguments.json else sys.stdout
    print(
        "run | bytes in the object file | stated | accuracy in C | of the model | other predictions | processors",
        file=log,
    )
    runs = []
    for number, path in enumerate(list_runs(arguments.experiment / "runs")):
        model = cs.load_model(path)
        expected = simulate(quantize(model, calibration[::2]), test.images)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_c(model, folder / "net.h", dtype="int8", calibration_images=calibration, prefix="net")
            (folder / "net.c").write_text(PROGRAM)
            processors = {"x86": (("gcc",), ())}
            if number < arguments.arm:
                processors["ARM"] = (ARM, ("qemu-aarch64",))
            for processor, (compiler, runner) in processors.items():
                if compute_logits(folder, compiler, runner, test.images) != expected.tobytes():
                    sys.exit(f"{path}: {processor} gives other logits than Python")
            counted = count_constant_bytes(folder)
            stated = re.search(r"NET_WEIGHT_BYTES (\d+)", (folder / "net.h").read_text())
        assert stated is not None
        program_classes, model_classes = expected.argmax(axis=1), model.logits(test.images).argmax(axis=1)
        accuracy, in_floats = (float(np.mean(classes == test.labels)) for classes in (program_classes, model_classes))
        wrong = np.flatnonzero(program_classes != test.labels).tolist()
        seed = model.provenance["seed"]
        runs.append(
            {"seed": seed, "wrong": wrong, "accuracy": accuracy, "accuracy_in_floats": in_floats, "bytes": counted}
        )
        shares = f"{accuracy:.2%} | {in_floats:.2%} | {np.sum(program_classes != model_classes)}"
        print(
            f"{path.name} | {counted:,} | {int(stated[1]):,} | {shares} | {' '.join(processors)}", file=log, flush=True
        )
    if arguments.json:
        print(json.dumps({"num_images": len(test), "runs": runs}))
        return
    accuracies = [run["accuracy"] for run in runs]
    if (interval := mean_interval(accuracies)) is not None:
        low, high = interval
        print(
            f"{len(accuracies)} runs: mean {statistics.mean(accuracies):.3%} (95 % interval {low:.3%} to {high:.3%}), "
            f"sd {statistics.stdev(accuracies):.3%}, min {min(accuracies):.2%}, max {max(accuracies):.2%}"
        )


if __name__ == "__main__":
    main()
