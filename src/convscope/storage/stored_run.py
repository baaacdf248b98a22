"""A stored run, and its group: the runs that differ from it only in their seed.

Ten seeds of a network with a recipe are ten `StoredRun`s of one `StoredGroup`.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from convscope.architecture import Architecture
from convscope.base.errors import RunError
from convscope.base.records import decode
from convscope.base.versions import FORMAT, own_version
from convscope.data.handwriting import Handwriting
from convscope.recipes import Recipe
from convscope.storage.records import GroupFile, Machine, RunFile, SharedRecord
from convscope.storage.run_folder import RunFolder
from convscope.training import HISTORY_COLUMNS, History, with_choice

# Such as weights/lenet5-3f2a09d1.npy. A name comes from a database that may be hostile: no `..`, no other folder.
WEIGHTS_FILE = r"weights/[\w-][\w.-]{0,80}\.npy"


@dataclass(frozen=True, eq=False)
class StoredGroup:
    """The settings of runs that differ only in their seed.

    Attributes:
        digest: the digest of everything that decides their results, except the seed.
        record: the part of run.json that they share.
        provenance: that of the first run's model; seed and epoch are replaced for others.
        weights_file: the file with their weights; "" before they are stored.
    """

    digest: str
    record: SharedRecord
    architecture: Architecture
    recipe: Recipe
    provenance: Mapping[str, Any]
    handwriting: Handwriting | None
    weights_file: str = ""

    @cached_property
    def width(self) -> int:
        """The number of weights of a network."""
        return sum(int(np.prod(shape)) for shape in self.architecture.weight_shapes.values())

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.record.dataset.test.class_names

    @cached_property
    def text(self) -> str:
        """The group as JSON in the database."""
        file = GroupFile(
            format=FORMAT,
            version=own_version(),
            architecture=self.architecture.to_dict(),
            recipe=self.recipe.to_dict(),
            record=self.record,
            provenance=dict(self.provenance),
            handwriting=self.handwriting,
        )
        return json.dumps(file.to_dict(), allow_nan=False)

    @cached_property
    def text_sha256(self) -> str:
        return compute_sha256(self.text)

    @classmethod
    def parse(cls, digest: str, text: str, text_sha256: str, weights_file: str, path: Path) -> "StoredGroup":
        """Parse a row of the database at `path`; raises `RunError` if it is damaged or of a newer format."""
        file = decode(text.encode(), GroupFile, path)
        try:
            if compute_sha256(text) != text_sha256:
                raise ValueError("the digest of a group does not match")
            architecture, recipe = Architecture.from_dict(file.architecture), Recipe.from_dict(file.recipe)
            if len(file.record.dataset.test.class_names) != architecture.num_classes:
                raise ValueError("the classes are not those of the architecture")
            if not re.fullmatch(WEIGHTS_FILE, weights_file):
                raise ValueError(f"{weights_file!r:.60} is no file of weights")
        except ValueError as error:
            raise RunError(f"{path}: damaged ({error!s:.200}); use another copy of the runs") from error
        group = cls(digest, file.record, architecture, recipe, file.provenance, file.handwriting, weights_file)
        # Kept as it is, in the cache of the property `text`: the digests of the runs cover it, and this version might
        # write the same group as other JSON. `__setattr__` itself refuses, as the class is frozen.
        object.__setattr__(group, "text", text)
        return group


@dataclass(frozen=True, eq=False)
class StoredRun:
    """A finished run in the database.

    Attributes:
        path: its folder, which is created when it is opened.
        weights_row: its row in the file with the weights of its group.
        accuracy, loss: those on the test images.
        seconds: the time of its training.
        ended: when it was stored, in seconds since 1970.
        machine: the versions and the processor that trained it.
        command: the command lines that trained the runs here, one in each line.
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
    machine: Machine
    command: str
    threads: int
    weights_sha256: str
    y_pred: NDArray[np.unsignedinteger[Any]] = field(repr=False)
    history_blob: bytes = field(repr=False)

    @cached_property
    def history(self) -> History:
        """The history of the training; raises `RunError` if it is damaged."""
        # A row for each epoch: loss, accuracy, val_loss, val_accuracy, seconds.
        table = np.frombuffer(self.history_blob, "<f8").reshape(-1, len(HISTORY_COLUMNS))
        columns: dict[str, Any] = {name: tuple(table[:, i].tolist()) for i, name in enumerate(HISTORY_COLUMNS)}
        # NaN in columns 2 and 3: nothing was measured on validation or test images after the epochs.
        if np.isnan(table[:, 2:4]).all():
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
        """The run as a run folder, which need not exist."""
        group = self.group
        record = RunFile(
            **structs.asdict(group.record),
            **structs.asdict(self.machine),
            format=FORMAT,
            version=own_version(),
            architecture=group.architecture.to_dict(),
            recipe=group.recipe.to_dict(),
            seed=self.seed,
            threads=self.threads,
            command=self.command,
            digest=self.digest,
            weights_sha256=self.weights_sha256,
        )
        return RunFolder(self.path, record, group.architecture, group.recipe)


def compute_sha256(content: str | bytes) -> str:
    """Compute the SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()
