"""The networks of the corpus: what people bring, built in PyTorch and in Keras.

Each is a function that makes it. A new one gets a row in `TORCH` or `KERAS`, and every test of the corpus takes it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import torch
from torch import nn

import convscope as cs

GREY, COLOUR = (28, 28, 1), (32, 32, 3)


@dataclass(frozen=True)
class Entry:
    """A network of the corpus.

    Attributes:
        make: returns it, untrained.
        image_shape: (H, W, C).
        scaling: what makes its input of bytes; None where it does that itself.
        ends_in: what its outputs are: "logits", "log_softmax" or "softmax".
    """

    make: Callable[[], Any]
    image_shape: tuple[int, int, int]
    scaling: cs.Scaling | None
    ends_in: str = "logits"


def lenet5() -> nn.Module:
    """LeNet-5 with tanh and mean pooling (LeCun and others 1998), of images of 28 x 28 with a margin."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
    )  # fmt: skip


class Net(nn.Module):
    """The network of pytorch/examples/mnist, layer for layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, 1)
        self.conv2 = nn.Conv2d(32, 64, 3, 1)
        self.dropout1 = nn.Dropout(0.25)
        self.dropout2 = nn.Dropout(0.5)
        self.fc1 = nn.Linear(9216, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.relu(self.conv1(x))
        x = nn.functional.max_pool2d(nn.functional.relu(self.conv2(x)), 2)
        x = torch.flatten(self.dropout1(x), 1)
        x = self.dropout2(nn.functional.relu(self.fc1(x)))
        return nn.functional.log_softmax(self.fc2(x), dim=1)


class Normalized(nn.Module):
    """A small network that makes its input of bytes itself, channel by channel."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.49, 0.48, 0.45]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.25, 0.24, 0.26]).view(1, 3, 1, 1))
        self.body = colour()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body((x / 255 - self.mean) / self.std)


def colour() -> nn.Module:
    """A network of colour images of 32 x 32, as for CIFAR-10."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, padding=1), nn.BatchNorm2d(16), nn.ReLU(inplace=True),
        nn.Conv2d(16, 24, 3, 2, padding=1), nn.BatchNorm2d(24), nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 10),
    )  # fmt: skip


TORCH = {
    "lenet5": Entry(lenet5, GREY, cs.Scaling()),
    "net": Entry(Net, GREY, cs.Scaling(mean=0.1307, std=0.3081), "log_softmax"),
    "normalized": Entry(Normalized, COLOUR, None),
    "colour": Entry(colour, COLOUR, cs.Scaling(mean=(0.49, 0.48, 0.45), std=(0.25, 0.24, 0.26))),
}
layers = keras.layers


def keras_lenet5() -> Any:
    """The same LeNet-5 as a Sequential."""
    return keras.Sequential(
        [
            keras.Input(GREY),
            layers.Conv2D(6, 5, padding="same", activation="tanh"), layers.AveragePooling2D(2),
            layers.Conv2D(16, 5, activation="tanh"), layers.AveragePooling2D(2), layers.Flatten(),
            layers.Dense(120, activation="tanh"), layers.Dense(84, activation="tanh"),
            layers.Dense(10, activation="softmax"),
        ]
    )  # fmt: skip


def keras_colour() -> Any:
    """A Functional model of colour images that scales bytes itself, with layers for training alone."""
    image = keras.Input(COLOUR)
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(layers.RandomFlip("horizontal")(image))
    x = layers.BatchNormalization()(layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False)(x))
    x = layers.SpatialDropout2D(0.2)(layers.ReLU()(x))
    x = layers.GlobalAveragePooling2D()(layers.SeparableConv2D(24, 3, activation="relu")(x))
    return keras.Model(image, layers.Dense(10)(layers.Dropout(0.5)(x)))


KERAS = {
    "lenet5": Entry(keras_lenet5, GREY, cs.Scaling(), "softmax"),
    "colour": Entry(keras_colour, COLOUR, None),
}
