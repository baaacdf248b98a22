"""The finished runs of an experiment, packed: any number of networks in a few files that grow at their end.

groups.jsonl       a line for each group of runs that differ in their seed alone: what run.json says of each of them
machines.jsonl     a line for each machine that trained: versions and processor
labels.npy         the labels of the test images
weights/NAME.npy   a row for each run of an architecture: its weights, one tensor after the other
history.npy        a row for each epoch of each run
answers.npy        a row for each run: what it answers to each test image
runs.npy           a row for each run: its group, seed, digests and results; written last

A run counts once the header of runs.npy counts its row. What a killed process wrote after those rows is written over.
`open_run` makes a run folder of a packed run where somebody needs one.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from convscope.architecture import Architecture
from convscope.base.errors import ConvscopeError, RunError
from convscope.base.versions import own_version
from convscope.data.handwriting import Handwriting
from convscope.recipes import Recipe
from convscope.storage.growing_files import GrowingLines, count_rows, map_rows, write_rows
from convscope.storage.model_file import FORMAT
from convscope.storage.run_folder import MOST_SEED, RunFolder, folder_of_record
from convscope.training import History, with_choice
from convscope.training.model import Model

SEED = "SEED"
"""What stands for the seed in the command of a group."""

ROW = np.dtype(
    [
        ("group", "<u4"),
        ("seed", "<u8"),
        ("accuracy", "<f8"),
        ("loss", "<f8"),
        ("seconds", "<f8"),
        ("epochs", "<u4"),
        ("threads", "<u4"),
        ("machine", "<u4"),
        ("first_epoch", "<u8"),
        ("weights_row", "<u8"),
        ("digest", "S16"),
        ("weights_sha256", "S64"),
    ]
)
"""A row of runs.npy: `group` and `machine` count lines, `first_epoch` and `weights_row` rows of the other files."""

_MOST_ROWS = 1 << 40
_NAME = r"[\w-][\w.-]{0,80}"  # of a file with weights, without its suffix
_COLUMNS = ("loss", "accuracy", "val_loss", "val_accuracy", "seconds")  # of history.npy


@dataclass(frozen=True, eq=False)
class PackedGroup:
    """What the runs of a group share.

    Attributes:
        digest: of all that decides their results but the seed.
        record: what run.json says of each of them, without the seed and what follows from it; `command` has `SEED` in
            its place.
        provenance: of their models, with the seed and the epoch of the first.
        weights: the name of the file with their weights.
    """

    digest: str
    record: Mapping[str, Any]
    architecture: Architecture
    recipe: Recipe
    provenance: Mapping[str, Any]
    handwriting: Handwriting | None
    weights: str

    @property
    def weights_file(self) -> str:
        return f"weights/{self.weights}.npy"

    @cached_property
    def num_weights(self) -> int:
        return sum(int(np.prod(shape)) for shape in self.architecture.weight_shapes.values())

    def to_dict(self) -> dict[str, Any]:
        shared = {name: value for name, value in self.record.items() if name not in ("architecture", "recipe")}
        return {
            "format": FORMAT,
            "version": own_version(),
            "digest": self.digest,
            "architecture": self.architecture.to_dict(),
            "recipe": self.recipe.to_dict(),
            "record": shared,
            "provenance": dict(self.provenance),
            "handwriting": None if self.handwriting is None else self.handwriting.to_dict(),
            "weights": self.weights,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any], path: Path) -> "PackedGroup":
        """Return what `to_dict` wrote into the file at `path`.

        Raises:
            RunError: if it is damaged or of a newer format.
        """
        try:
            record = {**value["record"], "architecture": value["architecture"], "recipe": value["recipe"]}
            whole = {**record, "format": value["format"], "seed": 0, "threads": 1, "versions": {}, "cpu": {}}
            one = folder_of_record(path, whole)  # which checks what they have in common
            names, digest, weights = record["dataset"]["test"]["class_names"], value["digest"], value["weights"]
            if not isinstance(digest, str) or not isinstance(weights, str) or not re.fullmatch(_NAME, weights):
                raise TypeError("a name is not text")
            if len(names) != one.architecture.num_classes or not isinstance(value["provenance"], dict):
                raise ValueError("the classes are not those of the architecture, or provenance is not an object")
            written = value["handwriting"]
            handwriting = None if written is None else Handwriting.from_dict(written)
            return cls(digest, record, one.architecture, one.recipe, value["provenance"], handwriting, weights)
        except RunError:
            raise
        except (ConvscopeError, AttributeError, KeyError, TypeError, ValueError) as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise RunError(f"{path}: damaged ({reason:.200}); use another copy of the runs") from error


class PackedRuns:
    """The packed runs in the folder `path`, to be read, and added to by one process at a time (see `writing`)."""

    def __init__(self, path: Path) -> None:
        """Read what is there, which may be nothing yet.

        Raises:
            RunError: if a file is missing, damaged or of a newer format.
        """
        self.path = path
        self._group_lines, self._machines = GrowingLines(path, "groups.jsonl"), GrowingLines(path, "machines.jsonl")
        file = path / "groups.jsonl"
        self.groups = [PackedGroup.from_dict(value, file) for value in self._group_lines.values]
        self._count = count_rows(path, "runs.npy", ROW)
        self._rows = np.array(map_rows(path, "runs.npy", ROW, self._count)) if self._count else np.zeros(0, ROW)
        self._check_rows()
        self._numbers = {digest.decode("ascii", "replace"): row for row, digest in enumerate(self._rows["digest"])}
        self._num_epochs = int((self._rows["first_epoch"] + self._rows["epochs"]).max(initial=0))
        self._mapped = dict[str, NDArray[Any]]()
        self._num_weights = Counter[str]()
        for number, count in zip(*np.unique(self._rows["group"], return_counts=True), strict=True):
            self._num_weights[self.groups[number].weights] += int(count)

    def _check_rows(self) -> None:
        rows, machines = self._rows, self._machines.values
        is_good = [
            rows["group"] < len(self.groups),
            rows["machine"] < len(machines),
            rows["seed"] <= MOST_SEED,
            (rows["accuracy"] >= 0) & (rows["accuracy"] <= 1),
            np.isfinite(rows["loss"]) & np.isfinite(rows["seconds"]) & (rows["seconds"] >= 0),
            (rows["threads"] >= 1) & (rows["threads"] <= 65_536),
            (rows["first_epoch"] <= _MOST_ROWS) & (rows["epochs"] <= _MOST_ROWS) & (rows["weights_row"] <= _MOST_ROWS),
        ]
        if not all(one.all() for one in is_good):
            raise RunError(f"{self.path / 'runs.npy'}: damaged (a number out of range); use another copy of the runs")
        if not all(isinstance(one.get(name), dict) for one in machines for name in ("versions", "cpu")):
            raise RunError(f"{self.path / 'machines.jsonl'}: damaged; use another copy of the runs")

    def __len__(self) -> int:
        return self._count

    @property
    def rows(self) -> NDArray[np.void]:
        """(N,) of dtype `ROW`, a row for each run in the order in which they were finished."""
        return self._rows[: self._count]

    def find(self, digest: str) -> int | None:
        """Return the number of the row of a run, or None if it is not here."""
        return self._numbers.get(digest)

    def digest(self, row: int) -> str:
        return self._text(row, "digest")

    def weights_sha256(self, row: int) -> str:
        return self._text(row, "weights_sha256")

    @cached_property
    def y_true(self) -> NDArray[np.unsignedinteger[Any]]:
        """(M,), the labels of the test images.

        Raises:
            RunError: if the file is damaged.
        """
        kind = _label_kind(self.groups[0].architecture.num_classes)
        labels = map_rows(self.path, "labels.npy", kind, count_rows(self.path, "labels.npy", kind))
        self._check_labels("labels.npy", labels)
        return labels

    def answers(self) -> NDArray[np.unsignedinteger[Any]]:
        """Return (N, M), what each run answers to each test image; mapped, so that memory is not taken.

        Raises:
            RunError: if the file is damaged.
        """
        kind = _label_kind(self.groups[0].architecture.num_classes)
        return self._map("answers.npy", kind, len(self), self.y_true.shape)

    def y_pred(self, row: int) -> NDArray[np.unsignedinteger[Any]]:
        """Return (M,), what one run answers.

        Raises:
            RunError: if the files are damaged, or the answers are not as good as `accuracy` says.
        """
        answers: NDArray[np.unsignedinteger[Any]] = self.answers()[row]
        self._check_labels("answers.npy", answers)
        if float((answers == self.y_true).mean()) != float(self.rows[row]["accuracy"]):
            raise RunError(
                f"{self.path}: damaged (run {self.digest(row)}: answers.npy and runs.npy do not match); use another "
                "copy of the runs"
            )
        return answers

    def history(self, row: int) -> History:
        """Return the history of one run; raises `RunError` if it is damaged."""
        one = self.rows[row]
        first, epochs = int(one["first_epoch"]), int(one["epochs"])
        table = self._map("history.npy", "<f8", self._num_epochs, (len(_COLUMNS),))[first : first + epochs]
        columns: dict[str, Any] = {name: tuple(table[:, i].tolist()) for i, name in enumerate(_COLUMNS)}
        if np.isnan(table[:, 2:4]).all():  # nothing was measured
            columns |= {"val_loss": (), "val_accuracy": ()}
        recipe = self._group(row).recipe
        try:
            split = "validation" if recipe.validation_fraction > 0 else "test"
            return with_choice(History(**columns), recipe, split)
        except ValueError as error:
            raise RunError(f"{self.path / 'history.npy'}: damaged ({error}); use another copy of the runs") from error

    def weights(self, group: PackedGroup) -> NDArray[np.float32]:
        """Return (n, P), the weights of all runs of an architecture, mapped; `weights_row` says which row is whose.

        Raises:
            RunError: if the file is damaged.
        """
        count = self._num_weights[group.weights]
        return self._map(group.weights_file, "<f4", count, (group.num_weights,))

    def model(self, row: int) -> Model:
        """Return the trained network of one run.

        Raises:
            RunError: if it is damaged.
        """
        group, start, arrays = self._group(row), 0, dict[str, NDArray[np.float32]]()
        stored, number = self.weights(group), int(self.rows[row]["weights_row"])
        if number >= len(stored):
            raise RunError(f"{self.path / 'runs.npy'}: damaged (a number out of range); use another copy of the runs")
        flat = np.array(stored[number], np.float32)
        for name, shape in group.architecture.weight_shapes.items():
            size = int(np.prod(shape))
            arrays[name] = flat[start : start + size].reshape(shape)
            start += size
        provenance = dict(group.provenance)
        if provenance:
            history = self.history(row)
            provenance |= {"seed": int(self.rows[row]["seed"]), "epoch": history.best_epoch or len(history)}
        names = tuple(group.record["dataset"]["test"]["class_names"])
        try:
            model = Model(group.architecture, arrays, names, provenance, handwriting=group.handwriting)
        except ValueError as error:
            raise RunError(
                f"{self.path / group.weights_file}: damaged ({error}); use another copy of the runs"
            ) from error
        if model.weights_sha256 != self.weights_sha256(row):
            raise RunError(
                f"{self.path / group.weights_file}: not the weights of run {self.digest(row)}; use another copy of it"
            )
        return model

    def folder(self, row: int) -> RunFolder:
        """Return the run as a run folder that need not be there: its record, architecture and recipe.

        Raises:
            RunError: if they are damaged.
        """
        one, group, digest = self.rows[row], self._group(row), self.digest(row)
        seed = int(one["seed"])
        record = {
            "format": FORMAT,
            **group.record,
            "seed": seed,
            "threads": int(one["threads"]),
            **self._machines.values[int(one["machine"])],
            "command": group.record["command"].replace(f"{SEED}-{SEED}", f"{seed}-{seed}"),
            "digest": digest,
            "weights_sha256": self.weights_sha256(row),
        }
        return RunFolder(self.path / digest, record, group.architecture, group.recipe)

    def append(
        self,
        group: PackedGroup,
        model: Model,
        history: History,
        y_true: NDArray[np.integer[Any]],
        y_pred: NDArray[np.integer[Any]],
        facts: Mapping[str, Any],
    ) -> int:
        """Add a finished run, and return the number of its row.

        Args:
            group: with "" as the name of the file with its weights, which is chosen here.
            facts: `seed`, `digest`, `accuracy`, `loss`, `threads`, and `machine`: its versions and processor.

        Raises:
            RunError: if the runs here answered other test images.
            ConvscopeError: if the disk is full or the folder cannot be written to.
        """
        row, kind = np.zeros(1, ROW), _label_kind(group.architecture.num_classes)
        if not len(self):
            write_rows(self.path, "labels.npy", 0, y_true.astype(kind))
        elif not np.array_equal(self.y_true, y_true):
            raise RunError(f"{self.path}: has runs that classified other test images; choose another folder")
        number = self._number_of(group)
        group = self.groups[number]
        flat = np.concatenate([model.weights[name].ravel() for name in group.architecture.weight_shapes])
        row["group"], row["machine"] = number, self._machines.number_of(facts["machine"])
        for name in ("seed", "digest", "accuracy", "loss", "threads"):
            row[name] = facts[name]
        row["weights_sha256"], row["seconds"], row["epochs"] = model.weights_sha256, sum(history.seconds), len(history)
        row["first_epoch"], row["weights_row"] = self._num_epochs, self._num_weights[group.weights]
        write_rows(self.path, group.weights_file, self._num_weights[group.weights], flat[None].astype("<f4"))
        write_rows(self.path, "history.npy", self._num_epochs, _table(history))
        write_rows(self.path, "answers.npy", len(self), y_pred[None].astype(kind))
        write_rows(self.path, "runs.npy", len(self), row)
        if self._count == len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros(max(64, self._count), ROW)])
        self._rows[self._count] = row[0]
        self._numbers[facts["digest"]] = self._count
        self._count += 1
        self._num_epochs += len(history)
        self._num_weights[group.weights] += 1
        return self._count - 1

    def _number_of(self, group: PackedGroup) -> int:
        """Return the number of a group, which is added if it is new."""
        for number, one in enumerate(self.groups):
            if one.digest == group.digest:
                return number
        taken = {one.weights: one.architecture for one in self.groups}
        stem, weights, number = re.sub(r"[^\w.-]+", "-", group.architecture.name)[:60] or "network", "", 1
        while not weights or taken.get(weights, group.architecture) != group.architecture:
            weights, number = stem if number == 1 else f"{stem}-{number}", number + 1
        new = replace(group, weights=weights)
        self._group_lines.append(new.to_dict())
        self.groups.append(new)
        return len(self.groups) - 1

    def _group(self, row: int) -> PackedGroup:
        return self.groups[int(self.rows[row]["group"])]

    def _map(self, name: str, dtype: DTypeLike, num_rows: int, row_shape: tuple[int, ...]) -> NDArray[Any]:
        """Return the rows of a file, see `map_rows`; it is mapped again where it has grown."""
        if name not in self._mapped or len(self._mapped[name]) != num_rows:
            self._mapped[name] = map_rows(self.path, name, dtype, num_rows, row_shape)
        return self._mapped[name]

    def _check_labels(self, name: str, labels: NDArray[np.unsignedinteger[Any]]) -> None:
        classes = self.groups[0].architecture.num_classes
        if labels.max(initial=0) >= classes:
            raise RunError(
                f"{self.path / name}: damaged (a label of {labels.max()}, but {classes} classes); use another copy of "
                "the runs"
            )

    def _text(self, row: int, name: str) -> str:
        return bytes(self.rows[row][name]).decode("ascii", "replace")


def _label_kind(num_classes: int) -> np.dtype[Any]:
    return np.dtype("u1" if num_classes <= 256 else "<u2")


def _table(history: History) -> NDArray[np.float64]:
    """Return (epochs, 5): the columns of a history, NaN where nothing was measured."""
    nothing = (float("nan"),) * len(history)
    return np.array([getattr(history, name) or nothing for name in _COLUMNS], np.float64).T
