"""Score predictions for pictures whose folders are named after classes of the network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from convscope.data.datasets.raw_splits import file_name
from convscope.data.datasets.readers.labels import clean_name
from convscope.evidence.evaluating import evaluate_labels
from convscope.evidence.evaluation import Evaluation
from convscope.prediction import Prediction

_MAX_DEPTH = 3  # folders in which the classes may lie: FOLDER/CLASS, FOLDER/test/CLASS, FOLDER/data/test/CLASS
_LEAST_PROBABILITY = 1e-300  # keeps the loss finite


class TrueClass(NamedTuple):
    """The class that a picture shows, by its folder."""

    label: int
    class_name: str


@dataclass(frozen=True, eq=False)
class Score:
    """Collects predictions for pictures whose classes are known.

    Attributes:
        files: the pictures whose predictions were added, by name.
    """

    class_names: tuple[str, ...]
    true_classes: Mapping[Path, TrueClass]
    files: list[str] = field(default_factory=list)
    _labels: list[int] = field(default_factory=list)
    _probabilities: list[NDArray[np.float32]] = field(default_factory=list)

    def add(self, path: Path, prediction: Prediction) -> TrueClass | None:
        """Add a prediction, and return the true class of the picture if it is known."""
        if (true_class := self.true_classes.get(path)) is not None:
            self.files.append(prediction.file)
            self._labels.append(true_class.label)
            self._probabilities.append(prediction.probabilities.astype(np.float32))
        return true_class

    def evaluate(self, arguments: Sequence[Path]) -> Evaluation | None:
        """Evaluate the predictions so far, for the files and folders of the user; None if no class is known."""
        if not self._labels:
            return None
        name = file_name(arguments[0]) if len(arguments) == 1 else "these folders"
        y_true, y_prob = np.array(self._labels, np.int64), np.stack(self._probabilities)
        true = y_prob[np.arange(len(y_true)), y_true].astype(np.float64)
        loss = float(-np.log(np.maximum(true, _LEAST_PROBABILITY)).mean())
        return evaluate_labels(y_true, y_prob.argmax(axis=1), y_prob, loss, self.class_names, name, "all")


def read_true_classes(
    arguments: Sequence[Path], paths: Sequence[Path], class_names: Sequence[str]
) -> dict[Path, TrueClass]:
    """Read the class of each picture from its folder, for arguments whose pictures are all in folders of classes.

    Args:
        arguments: files and folders as the user named them.
        paths: the pictures in them.
    """
    class_of = {name: TrueClass(label, name) for label, name in enumerate(class_names)}
    known = dict[Path, TrueClass]()
    for argument in arguments:
        start = len(argument.parts)
        # (the folders below the argument, path) of each picture in it; a picture that is the argument has none.
        inside = [(path.parts[start:-1], path) for path in paths if path.parts[:start] == argument.parts]
        for depth in range(_MAX_DEPTH):
            names = [(clean_name(folders[depth]) if len(folders) > depth else "", path) for folders, path in inside]
            if names and all(name in class_of for name, _ in names):
                known |= {path: class_of[name] for name, path in names}
                break
    return known
