"""The weights of many networks as data: a row for each network, mapped from the files of an experiment."""

from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture
from convscope.base.arguments import checked
from convscope.base.errors import RunError
from convscope.base.files import inside
from convscope.base.tables import clip
from convscope.storage import PackedRuns
from convscope.training.model import Model


@dataclass(frozen=True, eq=False)
class WeightsMatrix:
    """The trained networks of one architecture, in the order in which they were finished.

    Attributes:
        weights: (N, P) float32, a row for each network: its tensors in the order of `architecture.weight_shapes`, each
            flattened. It is mapped from the file, so memory holds only what is used, and cannot be written to.
        architecture: of all of them.
        seeds: (N,).
        recipes: N names.
        accuracies, losses: (N,), on the test images.
        answers: (N, M), the label that each network gives to each test image; mapped too, where the experiment has
            networks of one architecture alone.
        y_true: (M,), the labels of the test images.
    """

    weights: NDArray[np.float32] = field(repr=False)
    architecture: Architecture
    seeds: NDArray[np.int64]
    recipes: tuple[str, ...] = field(repr=False)
    accuracies: NDArray[np.float64]
    losses: NDArray[np.float64] = field(repr=False)
    answers: NDArray[np.unsignedinteger[Any]] = field(repr=False)
    y_true: NDArray[np.unsignedinteger[Any]] = field(repr=False)
    _packed: PackedRuns = field(repr=False)
    _rows: NDArray[np.int64] = field(repr=False)

    def __len__(self) -> int:
        return len(self.weights)

    def tensor(self, name: str) -> NDArray[np.float32]:
        """Return `(N, *shape)`, one tensor of each network, such as "conv2d/kernel"; a view, not a copy.

        Raises:
            KeyError: if the architecture has no such tensor.
        """
        start = 0
        for one, shape in self.architecture.weight_shapes.items():
            if one == name:
                return self.weights[:, start : start + prod(shape)].reshape(len(self), *shape)
            start += prod(shape)
        raise KeyError(f"{name!r}; the tensors are {', '.join(self.architecture.weight_shapes)}")

    def model(self, row: int) -> Model:
        """Return the network of a row; raises `RunError` if its file is damaged."""
        return self._packed.model(int(self._rows[row]))


@checked
def load_weights_matrix(experiment: Path | str, architecture: str | None = None) -> WeightsMatrix:
    """Return the weights of all finished networks of an experiment, one in each row.

    Args:
        experiment: its folder, which may be written to while it is read.
        architecture: the name of the architecture, where the experiment has several.

    Raises:
        RunError: if no network is there, a file is damaged, or the experiment has several architectures and none is
            named, or none of the name.
    """
    folder = Path(experiment)
    packed = PackedRuns(inside(folder, "runs"))
    if not len(packed):
        raise RunError(f"{folder}: contains no finished runs of an experiment; name the folder of one")
    files = dict.fromkeys(group.weights for group in packed.groups)
    if architecture is not None:
        files = dict.fromkeys(group.weights for group in packed.groups if group.architecture.name == architecture)
    if len(files) != 1:
        names = ", ".join(dict.fromkeys(clip(group.architecture.name, 40) for group in packed.groups))
        reason = (
            "has several architectures" if architecture is None else f"has {len(files)} called {architecture!r:.60}"
        )
        raise RunError(f"{folder}: {reason}; name one of {names}")
    [weights] = files
    numbers = [number for number, group in enumerate(packed.groups) if group.weights == weights]
    rows = np.flatnonzero(np.isin(packed.rows["group"], numbers))
    found = packed.rows[rows]
    if not np.array_equal(found["weights_row"], np.arange(len(rows))):
        raise RunError(f"{packed.path / 'runs.npy'}: damaged (its rows are not those of {weights}); use another copy")
    answers = packed.answers()
    return WeightsMatrix(
        weights=packed.weights(packed.groups[numbers[0]]),
        architecture=packed.groups[numbers[0]].architecture,
        seeds=found["seed"].astype(np.int64),
        recipes=tuple(packed.groups[number].recipe.name for number in found["group"]),
        accuracies=found["accuracy"].astype(np.float64),
        losses=found["loss"].astype(np.float64),
        answers=answers if len(rows) == len(packed) else answers[rows],
        y_true=packed.y_true,
        _packed=packed,
        _rows=rows,
    )
