"""The networks of the corpus: common networks, built in PyTorch and in Keras.

A new network gets a row in `TORCH` or `KERAS`, and every test of the corpus runs on it.
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
        make: makes the untrained network.
        image_shape: (H, W, C).
        scaling: from bytes to the network's input; None if the network scales bytes itself.
        ends_in: the kind of its outputs: "logits", "log_softmax" or "softmax".
    """

    make: Callable[[], Any]
    image_shape: tuple[int, int, int]
    scaling: cs.Scaling | None
    ends_in: str = "logits"


def lenet5() -> nn.Module:
    """Make LeNet-5 with tanh and mean pooling (LeCun and others 1998), for images of 28 × 28 with padding."""
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
    """A small network that scales bytes itself, channel by channel."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.49, 0.48, 0.45]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.25, 0.24, 0.26]).view(1, 3, 1, 1))
        self.body = colour()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body((x / 255 - self.mean) / self.std)


def colour() -> nn.Module:
    """Make a network for colour images of 32 × 32, as for CIFAR-10."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, padding=1), nn.BatchNorm2d(16), nn.ReLU(inplace=True),
        nn.Conv2d(16, 24, 3, 2, padding=1), nn.BatchNorm2d(24), nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 10),
    )  # fmt: skip


class Residual(nn.Module):
    """Two residual blocks (He and others 2016), the second with a convolution of 1 x 1 in its shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.first, self.second = residual_path(8, 8, 1), residual_path(8, 12, 2)
        self.shortcut = nn.Sequential(nn.Conv2d(8, 12, 1, 2, bias=False), nn.BatchNorm2d(12))
        self.end = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = torch.relu(x + self.first(x))
        return self.end(torch.relu(self.second(x) + self.shortcut(x)))


def residual_path(channels: int, filters: int, stride: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(channels, filters, 3, stride, 1, bias=False), nn.BatchNorm2d(filters), nn.ReLU(),
        nn.Conv2d(filters, filters, 3, 1, 1, bias=False), nn.BatchNorm2d(filters),
    )  # fmt: skip


def mobile() -> nn.Module:
    """Make a network with a MobileNet's depthwise and grouped convolutions, ReLU6 and Hardswish, and a dilation."""
    return nn.Sequential(
        nn.Conv2d(3, 12, 3, 2, 1, bias=False), nn.BatchNorm2d(12), nn.ReLU6(),
        nn.Conv2d(12, 12, 3, 1, 1, groups=12, bias=False), nn.BatchNorm2d(12), nn.ReLU6(),
        nn.Conv2d(12, 24, 1, groups=3), nn.Hardswish(), nn.Conv2d(24, 24, 3, padding=2, dilation=2), nn.SiLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 10),
    )  # fmt: skip


class Inception(nn.Module):
    """Branches of several sizes side by side, whose maps are concatenated, and one convolution that is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 6, 3, 2, 1)
        self.one, self.three = nn.Conv2d(6, 4, 1), nn.Sequential(nn.Conv2d(6, 3, 1), nn.Conv2d(3, 5, 3, padding=1))
        self.pooled = nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(6, 3, 1))
        self.twice, self.slopes = nn.Conv2d(12, 12, 3, padding=1), nn.PReLU(12)
        self.end = nn.Linear(12, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem(x))
        x = torch.cat([self.one(x), self.three(x), self.pooled(x)], dim=1)
        x = self.slopes(self.twice(torch.relu(self.twice(x))))
        return self.end(x.mean(dim=(2, 3)))


TORCH = {
    "lenet5": Entry(lenet5, GREY, cs.Scaling()),
    "net": Entry(Net, GREY, cs.Scaling(mean=0.1307, std=0.3081), "log_softmax"),
    "normalized": Entry(Normalized, COLOUR, None),
    "colour": Entry(colour, COLOUR, cs.Scaling(mean=(0.49, 0.48, 0.45), std=(0.25, 0.24, 0.26))),
    "residual": Entry(Residual, GREY, cs.Scaling(mean=0.5, std=0.5)),
    "mobile": Entry(mobile, COLOUR, cs.Scaling(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))),
    "inception": Entry(Inception, GREY, cs.Scaling()),
}
layers = keras.layers


def keras_lenet5() -> Any:
    """Make the same LeNet-5 as a Sequential."""
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
    """Make a Functional model for colour images that scales bytes itself, with layers that act only in training."""
    image = keras.Input(COLOUR)
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(layers.RandomFlip("horizontal")(image))
    x = layers.BatchNormalization()(layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False)(x))
    x = layers.SpatialDropout2D(0.2)(layers.ReLU()(x))
    x = layers.GlobalAveragePooling2D()(layers.SeparableConv2D(24, 3, activation="relu")(x))
    return keras.Model(image, layers.Dense(10)(layers.Dropout(0.5)(x)))


def keras_branched() -> Any:
    """Make a residual block with a convolution in its shortcut, parallel branches, and a layer that is used twice."""
    image = keras.Input(GREY)
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu6")(image)
    y = layers.Conv2D(12, 3, padding="same", groups=4, activation="silu")(x)
    y = layers.BatchNormalization()(layers.Conv2D(12, 3, padding="same", dilation_rate=2)(y))
    x = layers.ReLU()(layers.Add()([y, layers.Conv2D(12, 1)(x)]))
    x = layers.Concatenate()(
        [layers.Conv2D(6, 1)(x), layers.PReLU(shared_axes=[1, 2])(x), layers.MaxPooling2D(3, 1, "same")(x)]
    )
    shared = layers.Conv2D(30, 3, padding="same", activation="elu")
    return keras.Model(image, layers.Dense(10)(layers.GlobalAveragePooling2D()(shared(shared(x)))))


KERAS = {
    "lenet5": Entry(keras_lenet5, GREY, cs.Scaling(), "softmax"),
    "colour": Entry(keras_colour, COLOUR, None),
    "branched": Entry(keras_branched, GREY, cs.Scaling()),
}
