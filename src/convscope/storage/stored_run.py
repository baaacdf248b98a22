"""What is stored of a finished run, and of the group of runs that differ from it in their seed alone."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture
from convscope.base.errors import ConvscopeError, RunError
from convscope.base.plain import parse_json
from convscope.base.versions import own_version
from convscope.data.handwriting import Handwriting
from convscope.recipes import Recipe
from convscope.storage.model_file import FORMAT, check_format
from convscope.storage.run_folder import RunFolder, folder_of_record
from convscope.training import History, with_choice

HISTORY_COLUMNS = ("loss", "accuracy", "val_loss", "val_accuracy", "seconds")
WEIGHTS_FILE = r"weights/[\w-][\w.-]{0,80}\.npy"


@dataclass(frozen=True, eq=False)
class StoredGroup:
    """What runs share that differ in their seed alone.

    Attributes:
        digest: of all that decides their results but the seed.
        record: what run.json says of each of them, without the seed and what follows from it.
        provenance: of their models, with the seed and the epoch of the first.
        weights_file: the file with their weights; "" before they are stored.
    """

    digest: str
    record: Mapping[str, Any]
    architecture: Architecture
    recipe: Recipe
    provenance: Mapping[str, Any]
    handwriting: Handwriting | None
    weights_file: str = ""

    @cached_property
    def width(self) -> int:
        """How many weights a network has."""
        return sum(int(np.prod(shape)) for shape in self.architecture.weight_shapes.values())

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(self.record["dataset"]["test"]["class_names"])

    @cached_property
    def text(self) -> str:
        """The group as JSON, as the database holds it."""
        shared = {name: value for name, value in self.record.items() if name not in ("architecture", "recipe")}
        return json.dumps(
            {
                "format": FORMAT,
                "version": own_version(),
                "architecture": self.architecture.to_dict(),
                "recipe": self.recipe.to_dict(),
                "record": shared,
                "provenance": dict(self.provenance),
                "handwriting": None if self.handwriting is None else self.handwriting.to_dict(),
            },
            allow_nan=False,
        )

    @cached_property
    def text_sha256(self) -> str:
        return sha256_of(self.text)

    @classmethod
    def parse(cls, digest: str, text: str, text_sha256: str, weights_file: str, path: Path) -> "StoredGroup":
        """Return what `text` holds; raises `RunError` if it is damaged or of a newer format."""
        try:
            if sha256_of(text) != text_sha256:
                raise ValueError("the digest of a group is another")
            value = parse_json(text.encode())
            record = {**value["record"], "architecture": value["architecture"], "recipe": value["recipe"]}
            whole = {
                **record,
                "format": value["format"],
                "seed": 0,
                "threads": 1,
                "versions": {},
                "cpu": {},
                "command": "",
            }
            check_format(path, value["format"], value.get("version"))
            shared = folder_of_record(path, whole)  # which checks what they have in common
            names = record["dataset"]["test"]["class_names"]
            if len(names) != shared.architecture.num_classes or not isinstance(value["provenance"], dict):
                raise ValueError("the classes are not those of the architecture, or provenance is not an object")
            if not re.fullmatch(WEIGHTS_FILE, weights_file):
                raise ValueError(f"{weights_file!r:.60} is no file of weights")
            written = value["handwriting"]
            handwriting = None if written is None else Handwriting.from_dict(written)
            group = cls(
                digest, record, shared.architecture, shared.recipe, value["provenance"], handwriting, weights_file
            )
        except RunError:
            raise
        except (ConvscopeError, AttributeError, KeyError, TypeError, ValueError) as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise RunError(f"{path}: damaged ({reason:.200}); use another copy of the runs") from error
        object.__setattr__(group, "text", text)
        return group


@dataclass(frozen=True, eq=False)
class StoredRun:
    """A finished run as the database holds it.

    Attributes:
        path: the folder that it has, or gets when it is opened.
        weights_row: its row in the file with the weights of its group.
        accuracy, loss: on the test images.
        seconds: of training.
        ended: when it was stored, in seconds since 1970.
        machine: versions and processor of what trained it.
        command: the command lines that trained the runs here, one a line.
        y_pred: (M,) uint8 or uint16, its prediction for each test image.
    """

    path: Path
    digest: str
    group: StoredGroup
    seed: int
    weights_row: int
    accuracy: float
    loss: float
    seconds: float
    ended: float
    machine: Mapping[str, Any]
    command: str
    threads: int
    weights_sha256: str
    y_pred: NDArray[np.unsignedinteger[Any]] = field(repr=False)
    history_blob: bytes = field(repr=False)

    @cached_property
    def history(self) -> History:
        """What was measured in each epoch; raises `RunError` if it is damaged."""
        table = np.frombuffer(self.history_blob, "<f8").reshape(-1, len(HISTORY_COLUMNS))
        columns: dict[str, Any] = {name: tuple(table[:, i].tolist()) for i, name in enumerate(HISTORY_COLUMNS)}
        if np.isnan(table[:, 2:4]).all():  # nothing was measured
            columns |= {"val_loss": (), "val_accuracy": ()}
        recipe = self.group.recipe
        try:
            split = "validation" if recipe.validation_fraction > 0 else "test"
            return with_choice(History(**columns), recipe, split)
        except ValueError as error:
            raise RunError(
                f"{self.path}: its history is damaged ({error}); delete it, or use another copy of the runs"
            ) from error

    @cached_property
    def folder(self) -> RunFolder:
        """The run as a run folder that need not be there: its record, architecture and recipe."""
        record = {
            "format": FORMAT,
            **self.group.record,
            "seed": self.seed,
            "threads": self.threads,
            **self.machine,
            "command": self.command,
            "digest": self.digest,
            "weights_sha256": self.weights_sha256,
        }
        return RunFolder(self.path, record, self.group.architecture, self.group.recipe)


def sha256_of(content: str | bytes) -> str:
    """Return the SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()
