"""Train a small convolutional network in seconds on a CPU, measure it honestly, and see through every part of it."""

from convscope.architecture import Architecture, Conv2D, Dense, Flatten, Input, MaxPooling2D, presets
from convscope.datasets import Dataset, Splits
from convscope.errors import ConvscopeError
from convscope.model import Model
from convscope.recipes import Adam, Recipe

__all__ = [
    "Adam",
    "Architecture",
    "Conv2D",
    "ConvscopeError",
    "Dataset",
    "Dense",
    "Flatten",
    "Input",
    "MaxPooling2D",
    "Model",
    "Recipe",
    "Splits",
    "presets",
]
