"""Identify the state of the native engine that a result belongs to, by the weights that it computes.

Every published network is trained for an epoch on a few images by its recipe, on each instruction set of this machine.
engine_bits.json holds a digest of the weights by instruction set. A change of the engine that keeps these weights bit
for bit, such as one of names or comments, leaves the published results up to date.
"""

import json
import os
import subprocess
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np
from frontier.points import POINTS

import convscope as cs
from convscope.engine.processor import instruction_sets

PROJECT = Path(__file__).parent.parent
FILE = Path(__file__).with_name("engine_bits.json")
_SOURCES = ("native", "src/convscope/engine")
_IMAGES = 192


@cache
def digest() -> str:
    """Compute the digest of the engine: that of engine_bits.json where this machine computes the same weights."""
    known = json.loads(FILE.read_text(encoding="utf-8"))
    bits = measure_bits()
    is_known = all(known[name] == bits[name] for name in known.keys() & bits.keys())
    return sha256(json.dumps(known if is_known else bits, sort_keys=True).encode()).hexdigest()


@cache
def measure_bits() -> dict[str, str]:
    """Train every published network briefly; return a digest of all weights by instruction set."""
    stream = np.random.default_rng(0)
    images = stream.integers(0, 256, (_IMAGES, 28, 28, 1), np.uint8)
    images[:, :6], images[:, :, 22:] = 0, 0  # as around a digit: the engine skips the work on zeros
    dataset = cs.Dataset(images, stream.integers(0, 10, _IMAGES), tuple("0123456789"))
    pairs = sorted({(point.architecture, point.recipe) for point in POINTS})
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
    FILE.write_text(json.dumps(measure_bits(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
