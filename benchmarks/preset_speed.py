"""Time training of each preset, beside the same network in PyTorch, and as a share of the processor's peak.

    .venv-peers/bin/python benchmarks/preset_speed.py [--presets tiny697 small] [--turns 3]

Both sides train on the same images by Adam in batches of 128 with as many threads as there are cores. PyTorch trains
the module of `cs.to_torch`, which reads bytes, in its faster memory format. Times are microseconds an image, the
median over turns of the fastest epoch of each. The share counts only multiply-adds that training needs.
"""

import argparse
import time
from statistics import median

import machine
import numpy as np
import torch
import training_work

import convscope as cs
from convscope.engine.processor import choose_threads, measure_peak

IMAGES, BATCH, EPOCHS = 12_800, 128, 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=list(cs.presets.PRESETS), choices=list(cs.presets.PRESETS))
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(choose_threads(None))
    data = cs.load_dataset("mnist").train.take(np.arange(IMAGES))
    here = machine.describe()
    print(f"{here['processor']}, {here['cores']} cores, PyTorch {torch.__version__}")
    print(f"{'preset':10}{'parameters':>11}{'ours':>9}{'share':>8}{'PyTorch':>9}{'ratio':>7}")
    for name in options.presets:
        architecture = cs.presets.PRESETS[name]()
        turns = [(*time_ours(architecture, data), time_torch(architecture, data)) for _ in range(options.turns)]
        ours, share, theirs = (median(column) for column in zip(*turns, strict=True))
        figures = f"{ours:9.2f}{share:8.1%}{theirs:9.1f}{theirs / ours:7.2f}"
        print(f"{name:10}{architecture.parameters:11,}{figures}", flush=True)


def time_ours(architecture: cs.Architecture, data: cs.Dataset) -> tuple[float, float]:
    """Train for some epochs; return microseconds an image, and the share of the peak."""
    peak = measure_peak()
    _, history = cs.train(architecture, data, cs.Recipe(epochs=EPOCHS, batch_size=BATCH))
    seconds = min(history.seconds)
    gflop = 2e-9 * training_work.count_training_macs(architecture) * len(data)
    return seconds / len(data) * 1e6, gflop / seconds / peak


def time_torch(architecture: cs.Architecture, data: cs.Dataset) -> float:
    """Train the same network in PyTorch; return microseconds an image."""
    model, _ = cs.train(architecture, data.take(np.arange(BATCH)), cs.Recipe(epochs=1, batch_size=BATCH))
    images, labels = torch.from_numpy(data.images.copy()), torch.from_numpy(data.labels.astype(np.int64))
    return min(
        time_epochs(cs.to_torch(model).to(memory_format=memory_format), images, labels) / len(data) * 1e6
        for memory_format in (torch.contiguous_format, torch.channels_last)
    )


def time_epochs(module: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Train a module; return the seconds of the fastest epoch."""
    module.requires_grad_(True).train()
    optimizer = torch.optim.Adam(module.parameters(), 1e-3, fused=True)
    seconds = []
    for _ in range(EPOCHS):
        start = time.perf_counter()
        for batch, wanted in zip(images.split(BATCH), labels.split(BATCH), strict=True):
            optimizer.zero_grad(set_to_none=True)
            torch.nn.functional.cross_entropy(module(batch), wanted).backward()
            optimizer.step()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


if __name__ == "__main__":
    main()
