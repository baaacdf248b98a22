"""A network made by hand with its images, whose ablations are known, and random images where only shapes matter."""

import numpy as np
from tests.noise import random_dataset

import convscope as cs


def bright_or_dark(count=40, split="test"):
    """Make uniformly grey images in turn: dark ones (20, label 0) and bright ones (200, label 1)."""
    labels = np.arange(count) % 2
    images = np.where(labels, 200, 20).astype(np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 1), np.uint8)
    return cs.Dataset(images, labels, ("dark", "bright"), "lamps", split)


def one_filter_decides():
    """Make a model of three filters that output the brightness, 0 to 1: "bright" if filter 1 is above 0.3."""
    layers = (cs.Conv2D(3, 1), cs.GlobalAveragePooling2D(), cs.Dense(2))
    weights = {
        "conv2d/kernel": np.ones((1, 1, 1, 3), np.float32),
        "conv2d/bias": np.zeros(3, np.float32),
        "dense/kernel": np.array([[0, 0], [0, 1], [0, 0]], np.float32),
        "dense/bias": np.array([0.3, 0], np.float32),
    }
    return cs.Model(cs.Architecture(cs.Input(4, 4), layers), weights, ("dark", "bright"))


def noise(count=120, num_classes=7, shape=(12, 11, 1), split="test"):
    return random_dataset(count, shape, num_classes, len(split), split)
