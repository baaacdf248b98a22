"""Build our layers from PyTorch's modules, and from small ones of our own where PyTorch has none.

Maps are (N, C, H, W) here, as in PyTorch's layers. Importing this module imports PyTorch.
"""

from collections.abc import Iterator, Mapping
from math import log
from typing import Any

import numpy as np
import torch
from torch import nn

from convscope.architecture import LayerRow, Shape
from convscope.architecture.layers import Window
from convscope.engine import Weights
from convscope.interchange.activations import ACTIVATION_FORMS

Sides = tuple[int, int, int, int]
"""Pixels of padding (left, right, top, bottom): the order of PyTorch's padding modules."""


class Images(nn.Module):
    """Scale images of any type, (N, H, W, C) from 0 to 255, and move the channels first: (N, C, H, W)."""

    def __init__(self, scale: float, offset: float) -> None:
        super().__init__()
        # Buffers, so that `to(dtype)` and `to(device)` convert them with the weights.
        self.register_buffer("scale", torch.tensor(scale))
        self.register_buffer("offset", torch.tensor(offset))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return (images.to(self.scale.dtype) * self.scale + self.offset).permute(0, 3, 1, 2)

    def extra_repr(self) -> str:
        return f"scale={self.scale.item():.6g}, offset={self.offset.item():.6g}"


class FlattenMaps(nn.Module):
    """Flatten maps (N, C, H, W) to vectors (N, H · W · C) in our order, row, column, channel, unlike nn.Flatten."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return maps.permute(0, 2, 3, 1).flatten(1)


class AveragePool2dUnpadded(nn.Module):
    """Average pooling with unequal padding, which does not count the pixels of padding."""

    def __init__(self, window: Window, sides: Sides, input_shape: Shape) -> None:
        super().__init__()
        self.pool = nn.Sequential(nn.ZeroPad2d(sides), nn.AvgPool2d(window.size, window.strides))
        # Not persistent: it follows from the layer, so a state dict has the weights alone.
        self.register_buffer("share", self.pool(torch.ones(1, 1, *input_shape[:2])), persistent=False)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return self.pool(maps) / self.share  # the mean with zeros, divided by the share of each window on the map


class NormalizePixels(nn.LayerNorm):
    """Layer normalisation of the channels of each pixel of maps (N, C, H, W)."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return super().forward(maps.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class SoftVote(nn.Module):
    """Compute the logits of an ensemble from those of its members, see `convscope.architecture.SoftVoting`."""

    def __init__(self, members: int) -> None:
        super().__init__()
        self.members = members

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = x.unflatten(1, (self.members, -1))
        logarithms = torch.log_softmax(logits, 2)
        votes = torch.logsumexp(logarithms, 1) - log(self.members)  # the logarithms of the mean probabilities
        # `logits - logarithms` is log Σ exp(logits) of each member, the same for all classes.
        return votes + (logits - logarithms).mean((1, 2)).unsqueeze(1)

    def extra_repr(self) -> str:
        return str(self.members)


class Sum(nn.Module):
    """Add the output of module `source` to that of the previous module."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source

    def forward(self, x: torch.Tensor, earlier: torch.Tensor) -> torch.Tensor:
        return x + earlier

    def extra_repr(self) -> str:
        return self.source


class Product(Sum):
    """Multiply the output of module `source` by that of the previous module, of the same shape or (N, C)."""

    def forward(self, x: torch.Tensor, earlier: torch.Tensor) -> torch.Tensor:
        return earlier * (x[:, :, None, None] if x.dim() < earlier.dim() else x)


class Branch(Sum):
    """Continue from the output of module `source` instead of the previous module's."""

    def forward(self, x: torch.Tensor, earlier: torch.Tensor) -> torch.Tensor:
        return earlier


class ConcatenateChannels(Sum):
    """Concatenate the output of module `source` with the output of the previous module."""

    def forward(self, x: torch.Tensor, earlier: torch.Tensor) -> torch.Tensor:
        return torch.cat((earlier, x), 1)


JOINING: Mapping[str, type[Sum]] = {
    "Add": Sum,
    "Multiply": Product,
    "Branch": Branch,
    "Concatenate": ConcatenateChannels,
}
"""The modules of the layers that read an earlier output."""


class Residual(nn.Sequential):
    """An nn.Sequential that passes each `Sum` (and its subclasses) also the output of module `source`."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        sources = {module.source for module in self if isinstance(module, Sum)}
        outputs: dict[str, torch.Tensor] = {}
        x = images
        for name, module in self.named_children():
            x = module(x, outputs[module.source]) if isinstance(module, Sum) else module(x)
            if name in sources:
                outputs[name] = x
        return x


class Answers(nn.Module):
    """Compute the outputs of an exported program by name: logits (N, K) and their softmax."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        logits = self.network(images)
        return {"logits": logits, "probabilities": torch.softmax(logits, 1)}


def layer_modules(row: LayerRow, weights: Weights) -> Iterator[tuple[str, nn.Module]]:
    """Yield the modules that compute a layer with its `weights`, in their order, each with the end of its name.

    The end is "" for the layer itself, "padding" for a module before it, and others for modules after it. Those of
    `JOINING`, which need the name of their source, are left out; so is a softmax, since the modules end in the logits.
    """
    layer: Any = row.layer
    match layer.kind:
        case "Conv2D" | "DepthwiseConv2D":
            sides, padding = _plan_padding(layer.window, row.input_shape)
            if sides is not None:
                yield "padding", nn.ZeroPad2d(sides)
            yield "", _convolution(row, layer, padding, weights)
        case "MaxPooling2D":
            sides, padding = _plan_padding(layer.window, row.input_shape)
            if sides is not None:
                yield "padding", nn.ConstantPad2d(sides, -torch.inf)  # padding is never the maximum
            yield "", nn.MaxPool2d(layer.window.size, layer.window.strides, padding)
        case "AveragePooling2D":
            sides, padding = _plan_padding(layer.window, row.input_shape)
            if sides is None:
                yield "", nn.AvgPool2d(layer.window.size, layer.window.strides, padding, count_include_pad=False)
            else:
                yield "", AveragePool2dUnpadded(layer.window, sides, row.input_shape)
        case "GlobalMaxPooling2D" | "GlobalAveragePooling2D":
            yield "", nn.AdaptiveMaxPool2d(1) if layer.kind == "GlobalMaxPooling2D" else nn.AdaptiveAvgPool2d(1)
            yield "flatten", nn.Flatten()
        case "Flatten":
            yield "", FlattenMaps() if len(row.input_shape) == 3 else nn.Identity()
        case "Dropout":
            yield "", nn.Dropout(layer.rate)
        case "BatchNormalization":
            yield "", _batch_normalization(row, layer, weights)
        case "LayerNormalization":
            module = (NormalizePixels if len(row.input_shape) == 3 else nn.LayerNorm)(
                row.input_shape[-1], layer.epsilon
            )
            yield "", _fill(module, weights["gamma"], {"bias": weights["beta"]})
        case "GroupNormalization":
            module = nn.GroupNorm(layer.groups, row.input_shape[-1], layer.epsilon)
            yield "", _fill(module, weights["gamma"], {"bias": weights["beta"]})
        case "Dense":
            linear = nn.Linear(*weights["kernel"].shape, bias=layer.use_bias)
            yield "", _fill(linear, weights["kernel"].T, weights)
        case "ZeroPadding2D":
            (top, bottom), (left, right) = layer.padding
            yield "", nn.ZeroPad2d((left, right, top, bottom))
        case "PReLU":
            yield "", _fill(nn.PReLU(row.input_shape[-1]), weights["alpha"], {})
        case "SoftVoting":
            yield "", SoftVote(layer.members)
        case "Activation":
            yield "", _activation(layer.activation, layer.negative_slope) or nn.Identity()
            return
        case _:
            assert layer.kind in JOINING, layer
    if activation := _activation(getattr(layer, "activation", "linear")):
        yield layer.activation, activation


def _plan_padding(window: Window, input_shape: Shape) -> tuple[Sides | None, tuple[int, int]]:
    """Compute the padding of a module before the windows, None if it needs none, and the windows' own (rows, columns).

    PyTorch's windows pad opposite sides alike, so only padding of unequal sides needs a module.
    """
    (top, bottom), (left, right) = window.frame(input_shape)
    return (None, (top, left)) if (top, left) == (bottom, right) else ((left, right, top, bottom), (0, 0))


def _activation(name: str, negative_slope: float = 0.2) -> nn.Module | None:
    """Make the module of an activation; None for linear and softmax."""
    if name in ("linear", "softmax"):
        return None
    if name == "leaky_relu":
        return nn.LeakyReLU(negative_slope)
    module: nn.Module = getattr(nn, ACTIVATION_FORMS[name].torch)()
    return module


def _convolution(row: LayerRow, layer: Any, padding: tuple[int, int], weights: Weights) -> nn.Module:
    channels, filters = row.input_shape[2], row.output_shape[2]
    groups = layer.groups if layer.kind == "Conv2D" else channels
    window = (layer.kernel_size, layer.strides, padding, layer.dilation_rate)
    module = nn.Conv2d(channels, filters, *window, groups=groups, bias=layer.use_bias)
    kernel = weights["kernel"].transpose(3, 2, 0, 1)  # out, in, rows, columns
    if layer.kind == "DepthwiseConv2D":  # (rows, columns, C, M): filter c · M + m reads channel c alone
        kernel = weights["kernel"].transpose(2, 3, 0, 1).reshape(filters, 1, *layer.kernel_size)
    return _fill(module, kernel, weights)


def _batch_normalization(row: LayerRow, layer: Any, weights: Weights) -> nn.Module:
    kind = nn.BatchNorm2d if len(row.input_shape) == 3 else nn.BatchNorm1d
    # PyTorch's momentum is the weight of the new statistics, ours that of the old.
    module = kind(row.input_shape[-1], layer.epsilon, 1 - layer.momentum)
    with torch.no_grad():
        for name, target in (
            ("gamma", module.weight),
            ("beta", module.bias),
            ("moving_mean", module.running_mean),
            ("moving_variance", module.running_var),
        ):
            target.copy_(_tensor(weights[name]))
    return module


def _fill(module: Any, kernel: Any, weights: Weights) -> Any:
    """Fill a module with `kernel`, in PyTorch's order of axes, and with the bias of `weights`, if it has one."""
    with torch.no_grad():
        module.weight.copy_(_tensor(kernel))
        if "bias" in weights:
            module.bias.copy_(_tensor(weights["bias"]))
    return module


def _tensor(array: Any) -> torch.Tensor:
    return torch.from_numpy(np.array(array, np.float32, order="C"))
