"""Time a deep network of `architectures.py` in PyTorch: seconds of `batches` batches of 128 with Adam.

In float32, or with `--precision bfloat16` by autocast.

Relu in place after batch normalisation, PyTorch's fused Adam, channels last and channels first in memory tried in each
run and the better one given. The seconds of an epoch are those of its batches times 469 over how many they are
(extrapolated, as every epoch is the same work). Importing is not measured, nor is the first repetition, which fills
oneDNN's caches.

Tried as well: torch.compile, 35 s against 32 s for `vgg` on two AVX-512 cores (PyTorch 2.13), after 33 s of compiling;
it was slower for `residual` too, in float32 and in bfloat16.
"""

import statistics
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

import measurement
import mnist
import numpy as np
import torch
from architectures import NETWORKS, Pooling, Residual
from measurement import BATCH
from torch import nn

Batches = tuple[torch.Tensor, ...]
LAYOUTS = {"channels last": torch.channels_last, "channels first": torch.contiguous_format}


class ResidualBlock(nn.Module):
    """The block that a `Residual` of architectures.py describes."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.normalization = nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)
        self.convolution = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        maps = self.normalization(maps)
        return maps + nn.functional.relu(self.convolution(maps))


def build(name: str) -> nn.Sequential:
    """Build a network of `architectures.py`."""
    network = NETWORKS[name]
    normalized_logits = network.normalized_logits
    layers: list[nn.Module] = []
    side, channels = 28, 1
    for block in network.blocks:
        if isinstance(block, Pooling):
            layers.append(nn.MaxPool2d(2))
            side //= 2
            continue
        if isinstance(block, Residual):
            layers.append(ResidualBlock(channels))
            continue
        padding = block.size // 2 if block.padding == "same" else 0
        layers.append(nn.Conv2d(channels, block.filters, block.size, padding=padding, bias=False))
        side, channels = side + 2 * padding - block.size + 1, block.filters
        if block.pooled:
            layers.append(nn.MaxPool2d(2))
            side //= 2
        layers += [nn.BatchNorm2d(block.filters, eps=1e-3, momentum=0.01), nn.ReLU(inplace=True)]
    if network.averaged:
        layers.append(nn.AdaptiveAvgPool2d(1))
        side = 1
    layers += [nn.Flatten(), nn.Linear(side * side * channels, 10, bias=not normalized_logits)]
    if normalized_logits:
        layers.append(nn.BatchNorm1d(10, eps=1e-3, momentum=0.01))
    return nn.Sequential(*layers)


def main() -> None:
    options = measurement.arguments(__doc__, network="vgg", precision="float32", repetitions=3)
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    (images, labels), _ = mnist.load()
    batches = NETWORKS[options.network].batches
    order = np.random.default_rng(0).permutation(len(images))[: batches * BATCH]
    pixels = torch.from_numpy(mnist.pixels(images[order])).permute(0, 3, 1, 2)
    all_labels = torch.from_numpy(labels[order].astype(np.int64)).split(BATCH)
    tried = {}
    for name, layout in LAYOUTS.items():
        network = build(options.network).to(memory_format=layout)
        batch_images = pixels.contiguous(memory_format=layout).split(BATCH)
        train = trainer(network, batch_images, all_labels, options.precision == "bfloat16")
        first, *seconds = measurement.seconds_of(train, 1 + options.repetitions)
        tried[name] = [value * measurement.STEPS / batches for value in (first, *seconds)]
    best = min(tried, key=lambda name: statistics.median(tried[name][1:]))
    measurement.report(
        tried[best][1:],
        packages=["torch"],
        threads=options.threads,
        configuration=f"eager, {best}, fused Adam, {options.precision}",
        extrapolated_from_images=batches * BATCH,
        first_epoch_seconds=tried[best][0],
        by_layout={name: statistics.median(seconds[1:]) for name, seconds in tried.items()},
    )


def trainer(network: nn.Module, images: Batches, labels: Batches, in_bfloat16: bool) -> Callable[[], None]:
    """Make a function that trains on all batches once."""
    adam = torch.optim.Adam(network.parameters(), lr=1e-3, eps=1e-7, fused=True)

    def train() -> None:
        for batch, their_labels in zip(images, labels, strict=True):
            with torch.autocast("cpu", torch.bfloat16, enabled=in_bfloat16):
                logits = network(batch)
            loss = nn.functional.cross_entropy(logits.float(), their_labels)
            adam.zero_grad(set_to_none=True)
            loss.backward()
            adam.step()

    return train


main()
