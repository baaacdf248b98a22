"""Load the weights of many networks as a matrix, mapped from the files of an experiment.

A thousand networks of the preset `small`, which has 5,258 weights, are a matrix (1000, 5258).
"""

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
from convscope.storage import StoredRun, StoredRuns
from convscope.training import History
from convscope.training.model import Model


@dataclass(frozen=True, eq=False)
class WeightsMatrix:
    """The trained networks of one architecture, in the order in which they finished.

    Attributes:
        weights: (N, P) float32, a row for each network: its tensors in the order of `architecture.weight_shapes`, each
            flattened. It is mapped from the file, read-only, so memory holds only the pages in use; if a run is
            damaged, it is a copy without its row.
        seeds: (N,).
        recipes: N names.
        accuracies, losses: (N,), on the test images.
        predictions: (N, M), the predicted label of each test image.
        histories: the measurements after each epoch, of N networks.
        y_true: (M,), the labels of the test images.
        left_out: a line for each damaged run, which has no row.
    """

    weights: NDArray[np.float32] = field(repr=False)
    architecture: Architecture
    seeds: NDArray[np.int64]
    recipes: tuple[str, ...] = field(repr=False)
    accuracies: NDArray[np.float64]
    losses: NDArray[np.float64] = field(repr=False)
    predictions: NDArray[np.unsignedinteger[Any]] = field(repr=False)
    histories: tuple[History, ...] = field(repr=False)
    y_true: NDArray[np.unsignedinteger[Any]] = field(repr=False)
    left_out: tuple[str, ...] = field(repr=False)
    _stored: StoredRuns = field(repr=False)
    _runs: tuple[StoredRun, ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.weights)

    def tensor(self, name: str) -> NDArray[np.float32]:
        """View one tensor of each network, such as "conv2d/kernel": `(N, *shape)`.

        Raises:
            KeyError: if the architecture has no such tensor.
        """
        # A row has the tensors one after the other:  | conv2d/kernel | conv2d/bias | dense/kernel | ...
        start = 0
        for weight_name, shape in self.architecture.weight_shapes.items():
            if weight_name == name:
                # A slice of columns, reshaped: no number is copied.
                return self.weights[:, start : start + prod(shape)].reshape(len(self), *shape)
            start += prod(shape)
        raise KeyError(f"{name!r}; the tensors are {', '.join(self.architecture.weight_shapes)}")

    def model(self, row: int) -> Model:
        """Load the network of a row; raises `RunError` if its file is damaged."""
        return self._stored.model(self._runs[row])


@checked
def load_weights_matrix(experiment: Path | str, architecture: str | None = None) -> WeightsMatrix:
    """Load the weights of all finished networks of an experiment, one in each row.

    Args:
        experiment: its folder; runs may be added meanwhile.
        architecture: the name of the architecture, if the experiment has several.

    Raises:
        RunError: if there is no finished network, a file is damaged, or `architecture` does not name exactly one of
            several architectures.
    """
    folder, left_out = Path(experiment), list[str]()
    stored = StoredRuns(inside(folder, "runs"))
    runs = list(stored.runs(left_out.append))
    if not runs:
        damage = f" ({left_out[0]})" if left_out else ""
        raise RunError(f"{folder}: contains no finished runs of an experiment{damage}; name the folder of one")
    names = dict.fromkeys(run.group.architecture.name for run in runs)
    # Each architecture has a file of its own. Two that differ may have the same name, so files are counted.
    files = dict.fromkeys(run.group.weights_file for run in runs if architecture in (None, run.group.architecture.name))
    if len(files) != 1:
        reason = (
            "has several architectures" if architecture is None else f"has {len(files)} called {architecture!r:.60}"
        )
        raise RunError(f"{folder}: {reason}; name one of {', '.join(clip(name, 40) for name in names)}")
    [file] = files
    runs = [run for run in runs if run.group.weights_file == file]
    group, rows = runs[0].group, np.array([run.weights_row for run in runs])
    # Up to the last row with a run: rows after it may be those of a killed process, or of a run just being added.
    weights = stored.weights(file, group.width, int(rows.max()) + 1)
    if len(np.unique(rows)) != len(rows):
        raise RunError(f"{stored.path / file}: damaged (two runs share a row); use another copy")
    return WeightsMatrix(
        # In the order of the file, the mapped rows are used as they are; indexing would copy them into memory.
        weights=weights if np.array_equal(rows, np.arange(len(weights))) else weights[rows],
        architecture=group.architecture,
        seeds=np.array([run.seed for run in runs], np.int64),
        recipes=tuple(run.group.recipe.name for run in runs),
        accuracies=np.array([run.accuracy for run in runs]),
        losses=np.array([run.loss for run in runs]),
        predictions=np.stack([run.y_pred for run in runs]),
        histories=tuple(run.history for run in runs),
        y_true=stored.y_true,
        left_out=tuple(left_out),
        _stored=stored,
        _runs=tuple(runs),
    )
