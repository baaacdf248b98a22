"""The network `cnn` in PyTorch, and the images in the form in which it trains fastest, see pytorch_loop.py."""

import mnist
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name that everyone gives it
from torch import nn


class Cnn(nn.Module):
    """The network; the dense layer reads its maps in the order row, column, channel, as they lie in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.conv2d, self.conv2d_1 = nn.Conv2d(1, 16, 3), nn.Conv2d(16, 32, 3)
        self.dense, self.dense_1 = nn.Linear(800, 128), nn.Linear(128, 10)
        for layer in self.children():
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = F.relu(F.max_pool2d(self.conv2d(images), 2))
        maps = F.relu(F.max_pool2d(self.conv2d_1(maps), 2))
        return self.dense_1(F.relu(self.dense(maps.permute(0, 2, 3, 1).reshape(len(maps), 800))))


def make_tensors(split: tuple[np.ndarray, np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    """Make tensors: images (N, 1, 26, 26) float32, channels-last in memory, and labels (N,) int64."""
    images, labels = split
    pixels = torch.from_numpy(mnist.pixels(mnist.read_part(images))).permute(0, 3, 1, 2)
    return pixels.contiguous(memory_format=torch.channels_last), torch.from_numpy(labels.astype(np.int64))
