"""The result of a run."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.records import Recorded, from_attributes
from convscope.data.datasets import Splits
from convscope.evidence.comparison import weights_bytes
from convscope.experiment.records import RunRecord
from convscope.experiment.spec import RunSpec
from convscope.storage import RunFolder
from convscope.training import History


@dataclass(frozen=True, eq=False)
class RunResult(Recorded):
    """A finished run.

    Attributes:
        digest: the digest of everything that decides the result, see `RunSpec.digest`.
        architecture, recipe: their names.
        accuracy, loss: those on all test images.
        seconds: the time of the training alone.
        macs: multiply-adds of an image.
        weights_bytes: the size of the stored weights.
        num_images: the number of training images, including those held out for validation.
        y_pred: (N,) uint8 or uint16, the prediction for each test image.
        kept: the run as a folder; None if it was not stored.
        name: the name of the variant, if it has one.
        is_earlier: true if it was not trained now but read from the folder.
    """

    digest: str
    architecture: str
    recipe: str
    seed: int
    accuracy: float
    loss: float
    seconds: float
    history: History = field(repr=False)
    weights_sha256: str = field(repr=False)
    parameters: int
    macs: int
    weights_bytes: int
    num_images: int
    y_pred: NDArray[np.unsignedinteger[Any]] = field(repr=False)
    kept: RunFolder | None = field(default=None, repr=False)
    name: str = ""
    is_earlier: bool = field(default=False, repr=False)

    @classmethod
    def from_spec(cls, spec: RunSpec, splits: Splits, *, history: History, **measured: Any) -> "RunResult":
        """Combine measurements, by the names of attributes, with the settings of the spec."""
        network = spec.architecture
        return cls(
            architecture=network.name,
            recipe=spec.recipe.name,
            seed=spec.seed,
            seconds=sum(history.seconds),
            history=history,
            parameters=network.parameters,
            macs=network.macs,
            weights_bytes=weights_bytes(network, spec.recipe.weight_bits),
            num_images=spec.num_images or len(splits.train),
            name=spec.name,
            **measured,  # digest, accuracy, loss, weights_sha256, y_pred, and for a stored run `kept`
        )

    @property
    def folder(self) -> Path | None:
        """The folder of the run, which `open_run` and `load_model` take; None if it was not stored."""
        return None if self.kept is None else self.kept.path

    def to_record(self) -> RunRecord:
        return from_attributes(RunRecord, self)
