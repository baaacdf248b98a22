"""Time training from disk and training from memory in turns, and measure how much memory training takes.

python benchmarks/larger_than_memory.py [--images 2000000] [--rounds 3] [--cold] [--bound-mib 0] [--without-memory]

A set of `--images` images is made of MNIST's, repeated with each image shifted by up to two pixels, and written as
plain IDX files into a folder that is removed at the end. Then a process of its own trains rounds of one epoch each of
`classic` on `cnn`: from disk, and in turn from memory, where as many images (at most two million) are held. The two
take the same steps on the same pixels. --cold has the system forget the file before each epoch from disk; --bound-mib
lets the process that trains from disk alone, without a turn in memory, have no more data than that.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import machine
import numpy as np

import convscope as cs
from convscope.base.streams import random_stream
from convscope.data.datasets.disk import pools
from convscope.data.datasets.disk.images import IN_MEMORY_VARIABLE, is_on_disk
from convscope.data.datasets.readers.idx import idx_header
from convscope.recipes import classic
from convscope.training.memory import peak_memory_bytes, training_bytes

MAX_IN_MEMORY = 2_000_000  # images
MAX_SHIFT = 2  # pixels


def write_set(folder: Path, num_images: int) -> None:
    """Write `num_images` training images with labels, block by block, and MNIST's test images."""
    mnist = cs.load_dataset("mnist")
    images, labels = mnist.train.images[..., 0], mnist.train.labels
    with (
        (folder / "train-images-idx3-ubyte").open("wb") as to_images,
        (folder / "train-labels-idx1-ubyte").open("wb") as to_labels,
    ):
        to_images.write(idx_header((num_images, *images.shape[1:])))
        to_labels.write(idx_header((num_images,)))
        for repetition, start in enumerate(range(0, num_images, len(images))):
            count = min(len(images), num_images - start)
            to_images.write(shift_images(images, repetition)[:count].tobytes())
            to_labels.write(labels[:count].tobytes())
        to_images.flush()
        os.fsync(to_images.fileno())  # what is not yet on the disk cannot be forgotten
    for kind, array in (("images-idx3", mnist.test.images[..., 0]), ("labels-idx1", mnist.test.labels)):
        (folder / f"t10k-{kind}-ubyte").write_bytes(idx_header(array.shape) + array.tobytes())


def shift_images(images: np.ndarray, repetition: int) -> np.ndarray:
    """Shift each of the images (N, H, W) by up to two pixels; the first repetition stays as it is."""
    if repetition == 0:
        return images
    side = 2 * MAX_SHIFT + 1
    shift = random_stream(0, "benchmark shifts", repetition).integers(0, side**2, len(images))
    result = np.zeros_like(images)
    padded = np.pad(images, ((0, 0), (MAX_SHIFT, MAX_SHIFT), (MAX_SHIFT, MAX_SHIFT)))
    height, width = images.shape[1:]
    for number in range(side**2):
        chosen, (top, left) = np.flatnonzero(shift == number), divmod(number, side)
        result[chosen] = padded[chosen, top : top + height, left : left + width]
    return result


def child(folder: Path, num_images: int, rounds: int, cold: bool, bound_mib: int, with_memory: bool) -> dict[str, Any]:
    """Train in turn from disk and from memory; return the images a second of each, and the memory."""
    if bound_mib:
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (bound_mib << 20, bound_mib << 20))
    os.environ[IN_MEMORY_VARIABLE] = str(1 << 20)
    splits = cs.load_dataset(folder)
    train = splits.train
    assert is_on_disk(train.images), "the bound is a megabyte"
    bytes_after_loading = peak_memory_bytes()
    recipe = cs.Recipe(1, classic.batch_size, classic.optimizer, name="one epoch")
    held = None
    if with_memory:
        count = min(num_images, MAX_IN_MEMORY)
        pixels = np.empty((count, *train.image_shape), np.uint8)
        for start in range(0, count, 10_000):
            pixels[start : start + 10_000] = train.images[start : start + 10_000]
        held = cs.Dataset(pixels, train.labels[:count], train.class_names)
    speeds: dict[str, list[float]] = {"disk": [], "memory": []}
    cpu: dict[str, list[float]] = {"disk": [], "memory": []}  # microseconds of all threads an image
    digests = {}
    for _ in range(rounds):
        for name, dataset in (("disk", train), ("memory", held)):
            if dataset is None:
                continue
            if cold and name == "disk":
                with (folder / "train-images-idx3-ubyte").open("rb") as file:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            before = time.process_time()
            model, history = cs.train(cs.presets.cnn, dataset, recipe)
            cpu[name].append(1e6 * (time.process_time() - before) / len(dataset))
            speeds[name].append(len(dataset) / history.seconds[0])
            digests[name] = model.weights_sha256
            print(f"  {name:6} {speeds[name][-1]:>9,.0f} images a second", file=sys.stderr, flush=True)
    accuracy = float((model.predict(splits.test.images) == splits.test.labels).mean())
    bound = training_bytes(model.architecture, recipe, train, splits.test)
    return {
        "speeds": speeds,
        "cpu": cpu,
        "digests": digests,
        "after_loading": bytes_after_loading,
        "peak": peak_memory_bytes(),
        "training_bytes": bound,
        "labels": train.labels.nbytes,
        "accuracy": accuracy,
    }


def report(arguments: argparse.Namespace, result: dict[str, Any]) -> None:
    facts = machine.describe()
    print(f"device            {facts['processor']}, {facts['cores']} cores, load {machine.load()[0]}")
    print(f"python, convscope {facts['python']}, {version('convscope')}")
    print(f"images            {arguments.images:,} of 28 x 28 ({784 * arguments.images / 1e9:.2f} GB)")
    print(f"pools             {pools.POOL_BYTES >> 20} MiB of blocks of {pools.BLOCK_BYTES >> 10} KiB")
    for name, speeds in result["speeds"].items():
        if speeds:
            spread = f"{min(speeds):,.0f} to {max(speeds):,.0f}"
            print(f"from {name:12} {statistics.median(speeds):,.0f} images a second (n = {len(speeds)}, {spread})")
    disk, memory = result["speeds"]["disk"], result["speeds"]["memory"]
    if memory:
        ratios = sorted(disk_speed / memory_speed for disk_speed, memory_speed in zip(disk, memory, strict=True))
        spread = f"{ratios[0]:.3f} to {ratios[-1]:.3f}"
        print(f"disk / memory     {statistics.median(ratios):.3f} (n = {len(ratios)} turns, {spread})")
        taken = {name: statistics.median(values) for name, values in result["cpu"].items()}
        share = taken["memory"] / taken["disk"]  # which others on the machine change little
        print(f"processor time    {taken['disk']:.2f} and {taken['memory']:.2f} us an image, {share:.3f}")
        if arguments.images <= MAX_IN_MEMORY:
            print(f"same weights      {result['digests']['disk'] == result['digests']['memory']}")
    else:
        peak, loaded = result["peak"] / 2**20, result["after_loading"] / 2**20
        print(f"peak memory       {peak:,.0f} MiB (VmHWM), {loaded:,.0f} loaded")
        training, labels = result["training_bytes"] / 2**20, result["labels"] / 2**20
        print(f"of which          {training:,.0f} MiB at most to train, {labels:.1f} of labels")
    print(f"test accuracy     {result['accuracy']:.4f} on 10,000 images of MNIST, seed 0, after an epoch")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--without-memory", action="store_true")
    parser.add_argument("--bound-mib", type=int, default=0)
    parser.add_argument(
        "--folder", type=Path, help="Where to make the folder of the set; the system's place by default."
    )
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        with_memory = not arguments.without_memory and not arguments.bound_mib
        options = (arguments.images, arguments.rounds, arguments.cold, arguments.bound_mib, with_memory)
        print(json.dumps(child(arguments.child, *options)))
        return
    needed = 785 * arguments.images
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        if (free := shutil.disk_usage(folder).free) < 1.2 * needed:
            raise SystemExit(f"{folder}: {free:,} bytes are free; the set takes {needed:,}")
        write_set(Path(folder), arguments.images)
        command = [sys.executable, __file__, *sys.argv[1:], "--child", folder]
        output = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    report(arguments, json.loads(output))


if __name__ == "__main__":
    main()
