"""Measure how well a network reads digits from photos: of other people's writing, and of MNIST's as photographed.

python benchmarks/photo_reading.py RUN [--count 1000] [--seed 0] [--json]

Printed are, with Wilson intervals of 95 %: scikit-learn's 1,797 digits of 8 × 8 through the steps of
`convscope.data.handwriting`, as they are and enlarged, with the confusion matrix; and test digits of MNIST clean, as
photos that tests/photos.py renders, on squared paper, with specks, and small on the sheet; and the photos without each
step. `--count` digits are drawn from the test set with `--seed`, which is the first photo's seed too.
"""

import argparse
import json
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import machine
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits

import convscope as cs
from convscope.base.averaging import average
from convscope.base.metrics import confusion_matrix, wilson_interval
from convscope.data.handwriting import STEPS, Step, prepare
from convscope.storage import load_model

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import photos

Pictures = list[NDArray[np.uint8]]
VARIANT_DIVISOR = 4  # the steps, squares, specks and small digits are measured on one digit in four
# The 8 × 8 digits get a margin of one pixel and are enlarged ten times, bicubic: chosen on every second digit, from the
# first on.
ENLARGEMENT = 10


def load_other_digits(enlarged: bool) -> tuple[Pictures, NDArray[np.int64]]:
    """Load scikit-learn's digits, light on dark, 0 to 255, and their labels."""
    bunch = load_digits()
    digits = np.floor(bunch.images * 255 / 16 + 0.5).astype(np.uint8)
    if not enlarged:
        return list(digits), bunch.target
    side = 10 * ENLARGEMENT  # 8 pixels and the margin on both sides
    framed = [Image.fromarray(np.pad(digit, 1)) for digit in digits]
    return [np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC)) for picture in framed], bunch.target


def draw_on_squares(image: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """Draw the photo of a digit on squared paper, the squares half to nearly all as high as the digit."""
    ink, _ = photos.draw_rows([[image]], seed)
    stream = np.random.default_rng([seed, 2])
    gap = int(stream.uniform(0.45, 0.9) * np.ptp(np.flatnonzero(ink.any(axis=1))))
    thick, lines = max(1, gap // 40), np.zeros_like(ink)
    for start in range(int(stream.integers(gap)), max(ink.shape), gap):
        lines[start : start + thick] = lines[:, start : start + thick] = 80
    return photos.photograph(np.maximum(ink, lines), seed)


def draw_with_specks(image: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """Draw the photo of a digit on a sheet with twelve round specks, up to a 90th of its longer side wide."""
    ink, _ = photos.draw_rows([[image]], seed)
    stream = np.random.default_rng([seed, 3])
    rows, columns = np.indices(ink.shape)
    for _ in range(12):
        row, column, radius = stream.uniform(0, 1, 3) * (*ink.shape, max(ink.shape) / 180)
        cover = np.clip(radius + 1 - np.hypot(rows - row, columns - column), 0, 1)
        ink = np.maximum(ink, (255 * cover).astype(np.uint8))
    return photos.photograph(ink, seed)


def draw_small(image: NDArray[np.uint8], seed: int, times: int) -> NDArray[np.uint8]:
    """Draw the photo of a digit on a sheet `times` times as large, in at most 1,600 pixels."""
    ink, _ = photos.draw_rows([[image]], seed)
    ink = np.pad(ink, [(side * (times - 1) // 2,) * 2 for side in ink.shape])
    largest = max(ink.shape)
    if largest > 1600:
        ink = average(ink[..., np.newaxis], *(max(1, side * 1600 // largest) for side in ink.shape))[..., 0]
    return photos.photograph(ink, seed)


def read_pictures(model: cs.Model, pictures: Pictures, labels: Any, steps: Any = None) -> dict[str, Any]:
    """Count the pictures that are read correctly, and measure the time of the steps for each picture."""
    height, width, channels = model.architecture.input.shape
    assert model.handwriting is not None
    images: Pictures = []
    hints: list[str] = []
    start = time.perf_counter()
    for picture in pictures:
        prepared = prepare(picture, height, width, channels, model.handwriting, steps)
        images.append(prepared.image)
        hints += prepared.hints
    seconds = (time.perf_counter() - start) / len(pictures)
    y_pred = model.predict(np.stack(images))
    num_correct = int((y_pred == labels).sum())
    return {
        "num_images": len(pictures),
        "accuracy": num_correct / len(pictures),
        "interval": wilson_interval(num_correct, len(pictures)),
        "milliseconds": 1000 * seconds,
        "hints": {hint: hints.count(hint) for hint in sorted(set(hints))},
        "confusion_matrix": confusion_matrix(labels, y_pred, 10).tolist(),
    }


def measure(model: cs.Model, count: int, seed: int) -> dict[str, dict[str, Any]]:
    """Measure the accuracies of each kind of picture, by the name of the kind."""
    test = cs.load_dataset("mnist").test
    chosen = np.sort(np.random.default_rng(seed).choice(len(test.labels), count, replace=False))
    images, labels = test.images[chosen], test.labels[chosen]
    num_correct = int((model.predict(images) == labels).sum())
    figures: dict[str, dict[str, Any]] = {
        "scikit-learn's digits, 8 × 8": read_pictures(model, *load_other_digits(enlarged=False)),
        "scikit-learn's digits, enlarged": read_pictures(model, *load_other_digits(enlarged=True)),
        "MNIST, as in the file": {
            "num_images": count,
            "accuracy": num_correct / count,
            "interval": wilson_interval(num_correct, count),
        },
    }

    pictures = [photos.photograph_digit(image, seed + i) for i, image in enumerate(images)]
    figures["photos"] = read_pictures(model, pictures, labels)
    assert model.handwriting is not None
    few = max(1, count // VARIANT_DIVISOR)
    few_pictures, few_labels = pictures[:few], labels[:few]
    figures["the first of these photos"] = read_pictures(model, few_pictures, few_labels)
    usual_steps = model.handwriting.steps
    for step in STEPS:
        steps: tuple[Step, ...] = tuple(name for name in STEPS if (name in usual_steps) != (name == step))
        figures[f"photos, {'without' if step in usual_steps else 'with'} {step}"] = read_pictures(
            model, few_pictures, few_labels, steps
        )
    figures["photos, only resized"] = read_pictures(model, few_pictures, few_labels, ())
    figures["inverted photos"] = read_pictures(model, [255 - picture for picture in few_pictures], few_labels)

    def measure_drawn(name: str, draw: Any) -> None:
        figures[name] = read_pictures(
            model, [draw(image, seed + i) for i, image in enumerate(images[:few])], few_labels
        )

    measure_drawn("photos of squared paper", draw_on_squares)
    measure_drawn("photos with specks", draw_with_specks)
    for times in (2, 4):
        measure_drawn(
            f"photos of a sheet {times} times as large", lambda image, seed, times=times: draw_small(image, seed, times)
        )
    return figures


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a run folder of digits, or its model.safetensors")
    parser.add_argument(
        "--count", type=int, default=1000, help="test digits that are rendered; a fourth of them for the steps"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    model = load_model(options.run / "model.safetensors" if options.run.is_dir() else options.run)
    if model.handwriting is None or len(model.class_names) != 10:
        parser.error("the run is of no digits, or holds no handwriting")
    names = ("convscope", "numpy", "scipy", "pillow", "scikit-learn")
    versions = {"python": platform.python_version()} | {name: version(name) for name in names}
    figures = measure(model, options.count, options.seed)
    if options.json:
        print(
            json.dumps({"machine": machine.describe(), "versions": versions, "seed": options.seed, "figures": figures})
        )
        return
    print(machine.describe()["processor"], versions, f"seed {options.seed}", sep=" · ")
    print(f"{'':<44}{'n':>6}{'accuracy':>10}  {'interval':<16}{'ms':>6}  hints")
    for name, figure in figures.items():
        low, high = figure["interval"]
        print(
            f"{name:<44}{figure['num_images']:>6}{100 * figure['accuracy']:>9.2f}%  "
            f"{100 * low:.2f} to {100 * high:.2f}  {figure.get('milliseconds', 0):>6.1f}  {figure.get('hints', '')}"
        )
    print("\nscikit-learn's digits, enlarged: rows are the truth")
    print(np.array(figures["scikit-learn's digits, enlarged"]["confusion_matrix"]))


if __name__ == "__main__":
    main()
