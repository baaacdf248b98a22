"""Train a network made by hand in PyTorch on the sets, for as long as `--recipe auto` takes, and keep its accuracies.

    python -m pip install torch numpy
    python benchmarks/own_pictures/pytorch.py [--sets letters,icons] [--seeds 5]

Run it after `measure.py --choices auto`, whose seconds of the processor it takes, on one thread as that does. Both keep
their accuracies in `build/own_pictures/accuracies.json`.

The training is what a practitioner would write: three blocks of convolutions with batch normalisation, AdamW in one
cycle of the learning rate, smoothed labels, and images that are shifted, turned and scaled, and mirrored where a person
would allow it. Its numbers were chosen on a fifth of the training images of letters and Fashion-MNIST (`--held-out`).
"""

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

BUILD = Path(__file__).parents[2] / "build" / "own_pictures"
FILE = BUILD / "accuracies.json"
SETS = ("digits", "mnist-30", "fashion-300", "letters", "symbols", "icons", "shapes", "patterns", "arrows")
MIRRORED = ("fashion-300", "shapes", "patterns", "icons")  # sets whose classes a mirror does not change
FILTERS, BATCH, RATE, DECAY = (16, 32, 64), 64, 0.006, 0.05


def main() -> None:
    """Train what is missing, and print each accuracy."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--held-out", action="store_true", help="measure on a fifth of the training images instead")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.sets.split(","):
        for seed in range(options.seeds):
            known = json.loads(FILE.read_text(encoding="utf-8"))
            key = f"{name}/pytorch/{seed}"
            if key in known and not options.held_out:
                continue
            accuracy, seconds = train(name, seed, known[f"{name}/auto/{seed}"][1], held_out=options.held_out)
            print(f"{key}: {100 * accuracy:.2f} %, {seconds:.0f} s", flush=True)
            if not options.held_out:
                known = json.loads(FILE.read_text(encoding="utf-8"))  # another process may have added some
                known[key] = [accuracy, seconds]
                FILE.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


def train(name: str, seed: int, seconds: float, *, held_out: bool = False) -> tuple[float, float]:
    """Train for so many seconds of the processor; return the accuracy on the test images, and the seconds."""
    with np.load(BUILD / f"{name}.npz") as file:
        images, labels, test, test_labels = (file[key] for key in ("x_train", "y_train", "x_test", "y_test"))
    if held_out:
        is_kept = np.random.default_rng(seed).random(len(images)) > 0.2
        test, test_labels = images[~is_kept], labels[~is_kept]
        images, labels = images[is_kept], labels[is_kept]
    torch.manual_seed(seed)
    x, y = to_tensor(images), torch.from_numpy(labels.astype(np.int64))
    network = build(x.shape[1], int(labels.max()) + 1)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    start = time.process_time()
    step, steps = 0, 40  # the first forty steps tell how many there is time for
    while step < steps:
        for chosen in torch.randperm(len(x)).split(BATCH):
            if step >= steps or len(chosen) < 2:  # batch normalisation needs two images
                break
            rate = RATE * one_cycle(step / steps if steps > 40 else 0.0)
            for group in optimizer.param_groups:
                group["lr"] = rate
            loss = nn.functional.cross_entropy(
                network(augment(x[chosen], name in MIRRORED)), y[chosen], label_smoothing=0.1
            )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            step += 1
            if step == 40:
                steps = max(41, int(40 * seconds / (time.process_time() - start)))
    network.eval()
    with torch.no_grad():
        predicted = torch.cat([network(part).argmax(1) for part in to_tensor(test).split(1000)]).numpy()
    return float((predicted == test_labels).mean()), time.process_time() - start


def to_tensor(images: np.ndarray) -> torch.Tensor:
    """Convert (N, H, W) or (N, H, W, C) bytes to (N, C, H, W) numbers around zero."""
    images = images[..., None] if images.ndim == 3 else images
    tensor = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).float() / 255
    return (tensor - 0.5) / 0.5


def build(channels: int, classes: int) -> nn.Sequential:
    """Build three blocks of two convolutions each, the first two with pooling, and a dense layer."""
    layers: list[nn.Module] = []
    for block, filters in enumerate(FILTERS):
        for source in (channels, filters):
            layers += [nn.Conv2d(source, filters, 3, padding=1, bias=False), nn.BatchNorm2d(filters), nn.ReLU(True)]
        layers += [nn.MaxPool2d(2)] if block < 2 else [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2)]
        channels = filters
    return nn.Sequential(*layers, nn.Linear(channels, classes))


def augment(images: torch.Tensor, is_mirrored: bool) -> torch.Tensor:
    """Turn by up to 10 degrees, scale by up to 10 %, shift by up to 8 % of the side, and perhaps mirror each image."""
    count = len(images)
    angle = (torch.rand(count) - 0.5) * 2 * math.radians(10)
    scale = 1 + (torch.rand(count) - 0.5) * 0.2
    mirror = torch.where((torch.rand(count) < 0.5) & is_mirrored, -1.0, 1.0)
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    shift = (torch.rand(2, count) - 0.5) * 2 * 0.16  # coordinates run from -1 to 1
    matrix = torch.stack(
        [torch.stack([mirror * cosine, -sine, shift[0]], 1), torch.stack([mirror * sine, cosine, shift[1]], 1)], 1
    )
    grid = nn.functional.affine_grid(matrix, list(images.shape), align_corners=False)
    return nn.functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


def one_cycle(part: float) -> float:
    """Compute the factor of the rate: a linear rise over a fifth of the steps, then a cosine to zero."""
    return (part / 0.2 + 0.02) if part < 0.2 else 0.5 * (1 + math.cos(math.pi * (part - 0.2) / 0.8))


if __name__ == "__main__":
    main()
