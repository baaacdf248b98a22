"""Read photographed-looking strings of five MNIST test digits with a trained model, and print how many come out whole.

python benchmarks/string_reading.py RUN [--strings 400] [--touching 0.03] [--seed 21] [--split test]
                                        [--wrong FOLDER] [--json]

The pictures are rendered by tests/photos.py. Each digit touches the one before it with the chance of `--touching`, and
is drawn from the test digits without being drawn twice in a string. A string counts if it is read as one line of
exactly its five digits. What was chosen with which digits is in docs/methods/strings.md.
"""

import argparse
import json
import platform
import sys
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

import machine
import numpy as np
from PIL import Image
from scipy import ndimage

import convscope as cs
from convscope.base.metrics import wilson_interval
from convscope.base.tables import percent_with_interval
from convscope.prediction.strings import read_strings
from convscope.storage import load_model

sys.path.append(str(Path(__file__).parents[1] / "tests"))
import photos

LENGTH = 5


def count_touching(images: list[np.ndarray], seed: int, touching: float) -> int:
    """Count the pairs of digits that touch, and would stand apart without `touching`."""
    counts = [
        ndimage.label(photos.draw_rows([images], seed, chance)[0] > 127, np.ones((3, 3)))[1]
        for chance in (0.0, touching)
    ]
    return max(0, counts[0] - counts[1])


def describe_mistake(truth: str, read: str) -> str:
    """Describe in a few words how a string was misread."""
    if "\n" in read:
        return "not on one line"
    if len(read) != len(truth):
        return "a digit too few" if len(read) < len(truth) else "a digit too many"
    num_misread = sum(digit != digit_read for digit, digit_read in zip(truth, read, strict=True))
    return "one digit misread" if num_misread == 1 else "more than one digit misread"


def measure_share(outcomes: list[bool]) -> dict[str, Any]:
    """Count how many of some pictures are classified correctly, with the interval of their share."""
    num_correct, count = sum(outcomes), len(outcomes)
    return {"num_images": count, "accuracy": num_correct / count, "interval": wilson_interval(num_correct, count)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a run folder, or its model.safetensors")
    parser.add_argument("--strings", type=int, default=400)
    parser.add_argument("--touching", type=float, default=0.03)
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument(
        "--split", choices=("test", "train"), default="test", help="the split that digits are drawn from"
    )
    parser.add_argument("--wrong", type=Path, help="a folder for pictures of what was read wrongly")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()

    model, data = load_model(arguments.run), cs.load_dataset("mnist")
    test = data.test if arguments.split == "test" else data.train
    random = np.random.default_rng(arguments.seed)
    outcomes: list[tuple[int, bool]] = []
    reasons: Counter[str] = Counter()
    examples, seconds, num_single_correct = [], 0.0, 0
    for number in range(arguments.strings):
        chosen = random.choice(len(test), LENGTH, replace=False)
        images, seed = list(test.images[chosen]), arguments.seed * 1_000_000 + number
        truth = "".join(test.class_names[label] for label in test.labels[chosen])
        picture, _ = photos.photograph_string(images, seed, arguments.touching)
        start = time.perf_counter()
        reading = read_strings(model, picture)
        seconds += time.perf_counter() - start
        num_single_correct += int((model.predict(test.images[chosen]) == test.labels[chosen]).all())
        outcomes.append((count_touching(images, seed, arguments.touching), reading.text == truth))
        if reading.text != truth:
            reasons[describe_mistake(truth, reading.text)] += 1
            examples.append(f"{truth} as {reading.text.replace(chr(10), ' / ')}")
            if arguments.wrong:
                arguments.wrong.mkdir(parents=True, exist_ok=True)
                Image.fromarray(reading.draw(picture)).save(arguments.wrong / f"{number}-{truth}.png")

    groups = {
        "read whole": [is_correct for _, is_correct in outcomes],
        "  none touching": [is_correct for touching, is_correct in outcomes if not touching],
        "  some touching": [is_correct for touching, is_correct in outcomes if touching],
        "all five right, one by one": [True] * num_single_correct + [False] * (arguments.strings - num_single_correct),
    }
    if arguments.json:
        figures = {f"numbers, {name.strip()}": measure_share(chosen) for name, chosen in groups.items() if chosen}
        print(json.dumps({"machine": machine.describe(), "seed": arguments.seed, "figures": figures}))
        return

    print(f"device                     {machine.describe()['processor']}, load {machine.load()[0]}")
    versions = ", ".join(f"{name} {version(name)}" for name in ("convscope", "numpy", "scipy", "pillow"))
    print(f"versions                   python {platform.python_version()}, {versions}")
    print(f"model                      {model.name}, weights {model.weights_sha256[:12]}")
    split, seed = arguments.split, arguments.seed
    print(f"strings                    n = {arguments.strings} of {LENGTH} {split} digits, seed {seed}")
    print(f"touching                   each with a chance of {arguments.touching:g}")
    for name, chosen in groups.items():
        share = measure_share(chosen) if chosen else None
        text = f"{percent_with_interval(share['accuracy'], share['interval'])} of {len(chosen)}" if share else "none"
        print(f"{name:<26} {text}")
    print(f"seconds a picture          {seconds / arguments.strings:.3f}")
    for reason, count in reasons.most_common():
        print(f"{reason:<26} {count}")
    print(f"wrong                      {', '.join(examples)}")


if __name__ == "__main__":
    main()
