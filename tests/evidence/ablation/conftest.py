"""Networks made by hand, whose every answer is known, and noise for those whose shape alone matters."""

import numpy as np
from tests.noise import random_dataset

import convscope as cs


def bright_or_dark(count=40, split="test"):
    """Images of one pixel value each: label 1 where it is bright."""
    labels = np.arange(count) % 2
    images = np.where(labels, 200, 20).astype(np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 1), np.uint8)
    return cs.Dataset(images, labels, ("dark", "bright"), "lamps", split)


def lamps(count=40):
    return cs.Splits(bright_or_dark(count, "train"), bright_or_dark(count, "test"))


def one_filter_decides():
    """Three filters that answer with the brightness; only filter 1 is read: bright where it is above a half."""
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
