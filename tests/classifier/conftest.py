"""Small image data that the tests share."""

# ruff: noqa: N806  (X is scikit-learn's name)

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


@pytest.fixture(scope="session")
def digits():
    """(X_train, X_test, y_train, y_test) of scikit-learn's 8 × 8 digits, numbers from 0 to 16."""
    X, y = load_digits(return_X_y=True)
    return train_test_split(X, y, stratify=y, random_state=0)


@pytest.fixture(scope="session")
def colours():
    """120 colour images (N, 9, 7, 3) uint8 whose brightest channel is the label."""
    random = np.random.default_rng(0)
    labels = np.arange(120) % 3
    images = random.integers(0, 128, (120, 9, 7, 3), np.uint8)
    images[np.arange(120), :, :, labels] += 100
    return images, np.array(["red", "green", "blue"])[labels]
