"""Read and write the folder of a run, in which every file is whole or missing.

run.json          format version, data set and digest, architecture, recipe, seed, engine, versions, CPU, command
history.jsonl     a line for each epoch, such as {"epoch": 1, "loss": 0.21, "accuracy": 0.94, ..., "seconds": 2.8}
from.safetensors  the model that training started from, if it did not start from random weights
checkpoints/      the weights after some steps and epochs, and the state from which training resumes
model.safetensors the trained model; model.trained_on.safetensors has the digests of its training images
evaluation.json   the test images in numbers; predictions.npz has the prediction for each
TOPIC.json        a file for each topic of evidence; also explanation.json, comparison.json, timings.json
baseline/         the run that it is compared with
seeds/            the runs from other seeds; seeds.json has their results
exports/          the model in formats of other programs, listed in exports.json
figures/          pictures of the evidence; report.html has all of it
clean.html        the page to check suspect labels; suspects.csv lists them
DONE              written last: a folder without it is resumed
"""

import io
import json
import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from msgspec import ValidationError, convert, structs

from convscope.architecture import Architecture
from convscope.base.errors import ConvscopeError, DatasetError, RunError
from convscope.base.files import PARTIAL, inside, read_bytes, write_bytes, write_json, write_text
from convscope.base.plain import parse_json
from convscope.base.records import Record, read, write
from convscope.engine import Weights
from convscope.evidence.comparison.predictions_file import read_predictions
from convscope.evidence.evaluating import evaluate_labels
from convscope.evidence.evaluation import Evaluation, EvaluationRecord
from convscope.recipes import Recipe
from convscope.storage.model_file import load_model, next_step, open_tensors, read_description, write_model
from convscope.storage.records import RunFile
from convscope.storage.state_file import load_state, save_state
from convscope.storage.writing import LOCK_FILE
from convscope.training import Checkpoint, History, TrainingState, with_choice
from convscope.training.model import Model

_Topic = TypeVar("_Topic", bound=Record)


@dataclass(frozen=True)
class Snapshots(Mapping[Checkpoint, Weights]):
    """Weights in files."""

    architecture: Architecture
    paths: Mapping[Checkpoint, Path]

    def __getitem__(self, checkpoint: Checkpoint) -> Weights:
        path = self.paths[checkpoint]
        model = load_model(path)
        if model.architecture != self.architecture:
            raise RunError(f"{path}: not a network of this run; delete it or start the run again")
        return model.weights

    def __iter__(self) -> Iterator[Checkpoint]:
        return iter(self.paths)

    def __len__(self) -> int:
        return len(self.paths)


@dataclass(frozen=True)
class RunFolder:
    """The folder of a run at `path`; `record` is its run.json."""

    path: Path
    record: RunFile
    architecture: Architecture
    recipe: Recipe

    @property
    def is_finished(self) -> bool:
        return self.has("DONE")

    @property
    def next_step(self) -> str:
        """The command or action that finishes the run, as the end of a sentence."""
        return next_step(self.path, self.record)

    @property
    def seed(self) -> int:
        return self.record.seed

    @property
    def start_path(self) -> Path:
        """The path of the model that training starts from, if it does not start from random weights."""
        return self.locate("from.safetensors")

    def locate(self, name: str) -> Path:
        """Build the path of the file or folder `name`; raises `RunError` if a link leads there."""
        return inside(self.path, name)

    def has(self, name: str) -> bool:
        """True if the run has a file or folder `name`."""
        return (self.path / name).exists()

    def save_checkpoint(self, checkpoint: Checkpoint, weights: Weights, class_names: tuple[str, ...]) -> None:
        """Write weights as a model for the replay, unless they are of an epoch that it leaves out."""
        epoch, rest = divmod(checkpoint.epoch, 1)
        name = f"step-{checkpoint.step:06}" if rest else f"epoch-{epoch:04.0f}"
        if rest or _is_replayed(int(epoch)):
            model = Model(self.architecture, weights, class_names, checkpoint.to_dict())
            write_model(model, self.locate(f"checkpoints/{name}.safetensors"))

    def save_epoch(self, state: TrainingState) -> None:
        """Write the history and the training state."""
        # The state comes last: a resume starts from it, and then needs the other files of all epochs before.
        self.write_history(state.history)
        save_state(state, self._state_path)

    def load_state(self) -> TrainingState | None:
        """Read the state to resume from; None if training has not begun. Raises `RunError` if it is damaged."""
        if not self._state_path.exists():
            return None
        state = load_state(self._state_path, self.architecture)
        state = replace(state, history=self._with_choice(state.history))
        if state.history.best_epoch is not None and not state.best_weights:
            raise RunError(f"{self._state_path}: has no best weights; start the run again")
        return state

    def load_snapshots(self) -> Mapping[Checkpoint, Weights]:
        """List the checkpoints; their weights are read when they are needed. Raises `RunError` if one is damaged."""
        paths = dict[Checkpoint, Path]()
        for file in sorted(self.locate("checkpoints").glob("*-*.safetensors")):
            path = self.locate(f"checkpoints/{file.name}")
            if not file.stem.partition("-")[2].isdecimal():  # "0012" of epoch-0012.safetensors
                continue
            with open_tensors(path) as tensors:
                provenance = read_description(path, tensors).get("provenance")
            try:
                paths[convert(provenance, Checkpoint)] = path
            except ValidationError as error:
                raise RunError(f"{path}: damaged ({error}); delete it or start the run again") from error
        return Snapshots(self.architecture, paths)

    def write_history(self, history: History) -> None:
        lines = [json.dumps(row, allow_nan=False) + "\n" for row in history.rows()]
        write_text(self.locate("history.jsonl"), "".join(lines))

    def load_history(self) -> History:
        """Read `history.jsonl`; raises `RunError` if it is missing or damaged."""
        path = self.locate("history.jsonl")
        try:
            rows = parse_json(b"[" + b",".join(read_bytes(path).splitlines()) + b"]")  # JSON lines as one array
            return self._with_choice(History.from_rows(rows))
        except FileNotFoundError as error:
            raise RunError(f"{path}: missing; continue the run with `resume`, or start it again") from error
        except OSError as error:
            raise RunError(f"{path}: cannot be read ({error.strerror}); use another copy of the run") from error
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"{path}: damaged ({error}); continue the run with `resume`, or start it again") from error

    def write_model(self, model: Model, history: History) -> None:
        """Write the trained model, and its digest and epoch to `run.json`."""
        # The digest comes last, into the other file. A process that is killed in between leaves new weights with the
        # old digest, or none, and `load_model`, which compares the two, refuses them.
        write_model(model, self.locate("model.safetensors"))
        result = {"epochs_trained": len(history), "best_epoch": history.best_epoch}
        self.write_record(structs.replace(self.record, weights_sha256=model.weights_sha256, **result))

    def load_model(self) -> Model:
        """Load the trained model.

        Raises:
            RunError: if it is missing or damaged, or `run.json` holds another digest or other classes.
        """
        model = load_model(self.path)
        wrong_part = ""
        # Read again, because `self.record` may be from before the training, which has added the digest.
        if model.weights_sha256 != self.read_record().weights_sha256:
            wrong_part = "weights"
        elif model.class_names != self.record.dataset.test.class_names:
            wrong_part = "classes"
        if wrong_part:
            path = self.path / "model.safetensors"
            raise RunError(f"{path}: not the {wrong_part} of this run; use another copy of it")
        return model

    def write_evaluation(self, evaluation: Evaluation) -> None:
        """Write the numbers as JSON and the predictions as arrays."""
        write(self.locate("evaluation.json"), evaluation.to_record())
        buffer = io.BytesIO()
        np.savez(buffer, y_true=evaluation.y_true, y_pred=evaluation.y_pred, y_prob=evaluation.y_prob)
        write_bytes(self.locate("predictions.npz"), buffer.getvalue())

    def load_evaluation(self) -> Evaluation:
        """Read the files of `write_evaluation`; raises `RunError` if one is missing or damaged."""
        record = read(self.locate("evaluation.json"), EvaluationRecord)
        try:
            predictions = read_predictions(self.locate("predictions.npz"), record.num_images, len(record.class_names))
        except DatasetError as error:
            raise RunError(str(error)) from error
        return evaluate_labels(*predictions, record.loss, record.class_names, record.dataset, record.split)

    def write_calibration(self, model: Model) -> None:
        """Write the trained model again, with its new `calibration`."""
        write_model(model, self.locate("model.safetensors"))

    def write_evidence(self, topic: str, record: Record, model: Model) -> None:
        """Write the evidence on a topic to `topic`.json, with the digest of the weights of `model`."""
        write(self.locate(f"{topic}.json"), structs.replace(record, weights_sha256=model.weights_sha256))

    def read_evidence(self, topic: str, kind: type[_Topic], model: Model) -> _Topic | None:
        """Read the evidence on a topic; None if there is none for the weights of `model`."""
        if not self.has(f"{topic}.json"):
            return None
        record = read(self.locate(f"{topic}.json"), kind)
        return record if getattr(record, "weights_sha256", None) == model.weights_sha256 else None

    def write(self, name: str, value: Any) -> None:
        """Write `value` as JSON to the file `name`."""
        write_json(self.locate(name), value)

    def read_record(self) -> RunFile:
        """Read run.json; raises `RunError` if it is missing or damaged."""
        return read(self.locate("run.json"), RunFile)

    def write_record(self, record: RunFile) -> None:
        """Write run.json again."""
        write(self.locate("run.json"), record)

    def finish(self) -> None:
        """Mark the run as complete, and delete files that a killed process left half written."""
        # DONE comes last: a folder without it is resumed.
        for leftover in self.path.rglob(f".*{PARTIAL}"):
            leftover.unlink(missing_ok=True)
        write_text(self.locate("DONE"), "")

    def _with_choice(self, history: History) -> History:
        """Add what the rows of a history do not hold: the split of its `val_` columns, and the chosen epoch."""
        return with_choice(history, self.recipe, "validation" if self.recipe.validation_fraction > 0 else "test")

    @property
    def _state_path(self) -> Path:
        return self.locate("checkpoints/state.safetensors")


def _is_replayed(epoch: int) -> bool:
    """Decide whether the weights of an epoch are kept: 0 to 10, 12, 14, 16, 20, ..., 32, 40, ..., 64, 80, ..."""
    # Early epochs change the most, and hundreds of files would fill a disk.
    return epoch <= 10 or epoch % 2 ** ((epoch - 1).bit_length() - 3) == 0


def create_run(path: Path, record: RunFile) -> RunFolder:
    """Create a run folder with `record` as its run.json.

    Raises:
        RunError: if the folder exists and is not empty, or cannot be created.
    """
    is_trained = not record.imported and not record.members  # only a training can be resumed
    check_new(path, is_trained=is_trained)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{path}: cannot be created ({error.strerror}); choose another `out`") from error
    write(path / "run.json", record)
    return _make_folder(path, record)


def check_new(path: Path, *, is_trained: bool = True) -> None:
    """Raise `RunError` if something is in the folder for a new run, or it cannot be read."""
    try:
        entries = [] if not os.path.lexists(path) else list(path.iterdir())
    except OSError as error:
        raise RunError(f"{path}: cannot be created ({error.strerror}); choose another `out`") from error
    if any(entry.name != LOCK_FILE and not entry.name.endswith(PARTIAL) for entry in entries):
        advice = "choose another `out`"
        if is_trained and (path / "run.json").exists():
            advice += f", or continue it with `resume` {shlex.quote(str(path))}"
        raise RunError(f"{path}: already exists and is not empty; {advice}")


def open_run(path: Path) -> RunFolder:
    """Open the run folder at `path`; raises `RunError` if there is none, or its `run.json` is damaged or newer."""
    if path.is_file():
        raise RunError(f"{path}: is a file; name the folder of a run")
    if not path.is_dir():
        kind = "file" if path.suffix == ".safetensors" else "folder"  # commands that take a run take some files too
        raise RunError(f"{path}: no such {kind}; check the path, or name the folder of a run")
    # `exists` is false for a link to nowhere, which `inside` refuses below.
    if not (path / "run.json").is_symlink() and not (path / "run.json").exists():
        raise RunError(f"{path / 'run.json'}: missing, so the folder is not a run; name the folder of a run")
    return _make_folder(path, read(inside(path, "run.json"), RunFile))


def _make_folder(path: Path, record: RunFile) -> RunFolder:
    """Make a `RunFolder` of a record; raises `RunError` if its architecture or recipe is damaged."""
    try:
        return RunFolder(path, record, Architecture.from_dict(record.architecture), Recipe.from_dict(record.recipe))
    except ConvscopeError as error:
        raise RunError(f"{path / 'run.json'}: {error}; use another copy of the run or start it again") from error
