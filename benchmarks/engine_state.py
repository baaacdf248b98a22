"""Identify the state of the native engine that a result belongs to, by the weights that it computes.

Every published network is trained for an epoch on a few images by its recipe, on each instruction set of this machine.
engine_bits.json holds a digest of the weights by instruction set. A change of the engine that keeps these weights bit
for bit, such as one of names or comments, leaves the published results up to date. So does an earlier state that the
file names with its reason: one that adds the same numbers in another order, and whose accuracies over seeds agree.
"""

import json
import os
import subprocess
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np
from frontier.points import OWN

import convscope as cs
from convscope.engine.processor import instruction_sets

PROJECT = Path(__file__).parent.parent
FILE = Path(__file__).with_name("engine_bits.json")
_SOURCES = ("native", "src/convscope/engine")
_IMAGES = 192


@cache
def digest() -> str:
    """Compute the digest of the engine: that of engine_bits.json where this machine computes the same weights."""
    known, bits = read_file()["weights"], measure_bits()
    is_known = all(known[name] == bits[name] for name in known.keys() & bits.keys())
    return _digest_of(known if is_known else bits)


def is_current(state: str) -> bool:
    """True if a result of the engine with this digest stands for the present engine too."""
    file = read_file()
    return state == digest() or (digest() == _digest_of(file["weights"]) and state in file["earlier"])


def read_file() -> dict[str, dict[str, str]]:
    """Read the digests of the weights by instruction set, and the reasons of earlier states that still stand."""
    content: dict[str, dict[str, str]] = json.loads(FILE.read_text(encoding="utf-8"))
    return content


def _digest_of(bits: dict[str, str]) -> str:
    return sha256(json.dumps(bits, sort_keys=True).encode()).hexdigest()


@cache
def measure_bits() -> dict[str, str]:
    """Train every published network briefly; return a digest of all weights by instruction set."""
    stream = np.random.default_rng(0)
    images = stream.integers(0, 256, (_IMAGES, 28, 28, 1), np.uint8)
    images[:, :6], images[:, :, 22:] = 0, 0  # as around a digit: the engine skips the work on zeros
    dataset = cs.Dataset(images, stream.integers(0, 10, _IMAGES), tuple("0123456789"))
    pairs = sorted({(point.architecture, point.recipe) for point in OWN})
    before, bits = os.environ.get("CONVSCOPE_ISA"), dict[str, str]()
    try:
        for name in instruction_sets():
            os.environ["CONVSCOPE_ISA"] = name
            models = [
                cs.train(getattr(cs.presets, network), dataset, replace(getattr(cs.recipes, recipe), epochs=1))[0]
                for network, recipe in pairs
            ]
            bits[name] = sha256("".join(model.weights_sha256 for model in models).encode()).hexdigest()
    finally:
        del os.environ["CONVSCOPE_ISA"]
        if before is not None:
            os.environ["CONVSCOPE_ISA"] = before
    return bits


def commit() -> str:
    """Return the last commit that changed the engine's sources.

    Raises:
        ValueError: if they have changes that are not committed.
    """
    if changed := _git("status", "--porcelain", "--", *_SOURCES):
        raise ValueError(f"the engine's sources have changes that are not committed; commit them first:\n{changed}")
    return _git("log", "-1", "--format=%H", "--", *_SOURCES)


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=PROJECT, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    changed = {"weights": measure_bits(), "earlier": read_file()["earlier"]}
    FILE.write_text(json.dumps(changed, indent=1, sort_keys=True) + "\n", encoding="utf-8")
