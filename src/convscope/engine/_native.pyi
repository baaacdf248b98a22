"""The compiled module, built from native/; arrays are contiguous, and native.py has checked all arguments."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.engine.network import Progress

def instruction_sets(bfloat16: bool) -> list[str]: ...
def measure_peak(threads: int, instruction_set: str, seconds: float) -> float: ...
def augment(
    images: NDArray[np.uint8], augmentation: Augmentation, first: int, instruction_set: str, output: NDArray[np.uint8]
) -> None: ...

class Optimizer:
    kind: str

    def __setattr__(self, name: str, value: Any) -> None: ...  # the arguments of this kind

class Augmentation:
    shift: int
    rotation: float
    scale: float
    stretch: float
    shear: float
    crop: float
    elastic: float
    elastic_sigma: float
    cutout: int
    contrast: float
    brightness: float
    noise: float
    key: int

class Layer:
    kind: str
    input: list[int]
    output: list[int]
    window: list[int]
    strides: list[int]
    padding: list[int]
    dropped: int
    bfloat16: bool
    earlier: int

    def __setattr__(
        self, name: str, value: Any
    ) -> None: ...  # further attributes: the arguments of a layer of this kind

class Loss:
    label_smoothing: float
    class_weights: list[float]

class Settings:
    optimizer: Optimizer
    loss: Loss
    augmentation: Augmentation
    dropout_key: int
    clip_norm: float
    averaging: float
    weight_bits: int

def training_bytes(
    image: list[int], layers: list[Layer], threads: int, instruction_set: str, batch_size: int, settings: Settings
) -> int: ...

class Core:
    def __init__(
        self, image: list[int], scale: float, offset: float, layers: list[Layer], threads: int, instruction_set: str
    ) -> None: ...
    @property
    def threads(self) -> int: ...
    @property
    def instruction_set(self) -> str: ...
    @property
    def averaged(self) -> bool: ...
    steps: int
    def rounded(self, layer: int) -> bool: ...
    def write(self, layer: int, field: str, kernel: NDArray[np.float32], bias: NDArray[np.float32]) -> None: ...
    def read(self, layer: int, field: str, kernel: NDArray[np.float32], bias: NDArray[np.float32]) -> None: ...
    def write_moving(
        self, layer: int, unaveraged: bool, means: NDArray[np.float32], variances: NDArray[np.float32]
    ) -> None: ...
    def read_moving(
        self, layer: int, unaveraged: bool, means: NDArray[np.float32], variances: NDArray[np.float32]
    ) -> None: ...
    def train(
        self,
        images: NDArray[np.uint8],
        labels: NDArray[np.int64],
        weights: NDArray[np.float32] | None,
        order: NDArray[np.int64],
        batch_size: int,
        learning_rates: NDArray[np.float32],
        settings: Settings,
        progress: Progress | None,
        so_far: tuple[int, float, int],
    ) -> tuple[int, float, int]: ...
    def gradients(
        self,
        images: NDArray[np.uint8],
        labels: NDArray[np.int64],
        layers: list[int],
        kernels: list[Any],
        biases: list[Any],
    ) -> float: ...
    def logits(self, images: NDArray[np.uint8], logits: NDArray[np.float32]) -> None: ...
    def activations(self, images: NDArray[np.uint8], layers: list[int], outputs: list[NDArray[np.float32]]) -> None: ...
    def layer_gradients(
        self,
        images: NDArray[np.uint8],
        dlogits: NDArray[np.float32],
        layers: list[int],
        outputs: list[NDArray[np.float32]],
    ) -> None: ...
    def ablation_logits(
        self,
        images: NDArray[np.uint8],
        ends: NDArray[np.int64],
        layers: NDArray[np.int64],
        filters: NDArray[np.int64],
        values: NDArray[np.float32],
        logits: NDArray[np.float32],
    ) -> None: ...
