"""Results that others published, beside which the frontier stands, and how the network of each was chosen.

Each was looked up at its source on 2026-11-29, some in the names of its files or in its code. Figures that only third
parties report are not listed.
"""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Published:
    """A published result; None stands for what its source does not say.

    Attributes:
        name: the network in a few words.
        accuracy: 0 to 1, on the test images unless `chosen` says otherwise.
        chosen: how that network, its epoch or its weights were chosen.
        source: the page or repository that states the result.
        parameters: the number of parameters as stated, or counted from the code; that of all networks of an ensemble.
        weights_bytes: the bytes of the stored weights.
        seconds: the time of training.
        machine: the machine that took these seconds.
    """

    name: str
    accuracy: float
    chosen: str
    source: str
    parameters: int | None = None
    weights_bytes: int | None = None
    seconds: float | None = None
    machine: str = ""


_GOLF = "github.com/ruslangrimov/mnist-minimal-model"
_GOLF_CHOSEN = "one run, best epoch; the accuracy is that on the held-out training images which chose it"
_BITNET = "github.com/cpldcpu/BitNetMCU, docs/documentation_cnn.md"
_BITNET_CHOSEN = "one run; widths and bits were compared on the test images"
_FASHION = "github.com/zalandoresearch/fashion-mnist, benchmark"
_FASHION_CHOSEN = "submitted by its author and not verified there; how it was chosen is not stated"

PUBLISHED = {
    "mnist": (
        Published(
            "separable convolutions",
            0.9903,
            "best of many runs and epochs by the test images",
            "github.com/JoshWarn/Parameter-Efficient-MNIST",
            parameters=697,
        ),
        Published("convolutions, instance normalisation", 0.9913, _GOLF_CHOSEN, _GOLF, parameters=1936),
        Published("convolutions", 0.9917, _GOLF_CHOSEN, _GOLF, parameters=2180),
        Published(
            "convolutions, 1 × 1 and dropout",
            0.9907,
            "one run; best epoch on held-out training images",
            _GOLF,
            parameters=4862,
        ),
        Published("BitNetMCU, 16 wide", 0.9906, _BITNET_CHOSEN, _BITNET, weights_bytes=5360),
        Published("BitNetMCU, 32 wide", 0.9928, _BITNET_CHOSEN, _BITNET, weights_bytes=7328),
        Published(
            "BitNetMCU, 64 wide",
            0.9955,
            "one run; widths, bits and epochs were compared on the test images",
            _BITNET,
            parameters=33_088,
            weights_bytes=11_264,
        ),
        Published(
            "one epoch on a GPU",
            0.9904,
            "mean of 30 seeds, last step; no held-out images are mentioned for the search of its constants",
            "github.com/tuomaso/train_mnist_fast",
            seconds=0.762,
            machine="GeForce GTX 1660 Ti",
        ),
        Published(
            "residual network",
            0.99738,
            "mean of 10 runs, last step",
            "github.com/ttdoucet/mnist",
            parameters=4_732_682,
        ),
        Published(
            "ten residual networks",
            0.9982,
            "one ensemble of these 10 runs, last step",
            "github.com/ttdoucet/mnist",
            parameters=47_326_820,
        ),
    ),
    "fashion-mnist": (
        Published("two convolutions", 0.922, _FASHION_CHOSEN, f"{_FASHION} (Abel G.)", parameters=113_000),
        Published(
            "two convolutions, three dense layers",
            0.932,
            _FASHION_CHOSEN,
            f"{_FASHION} (@Xfan1025)",
            parameters=1_800_000,
        ),
        Published("DenseNet-BC", 0.954, _FASHION_CHOSEN, f"{_FASHION} (@ajbrock)", parameters=768_000),
        Published("WRN-40-4", 0.967, _FASHION_CHOSEN, f"{_FASHION} (@ajbrock)", parameters=8_900_000),
        Published("VGG16", 0.935, _FASHION_CHOSEN, f"{_FASHION} (@QuantumLiu)", parameters=26_000_000),
    ),
}
"""Published results by the data set's name. Where a source gives the parameters as "768K", this is the number that it
rounds to."""


def read_published(dataset: str) -> list[dict[str, Any]]:
    """List what others published on a data set."""
    return [asdict(result) for result in PUBLISHED.get(dataset, ())]
