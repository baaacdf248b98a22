"""Where finished runs lie: packed with others in a folder (see `convscope.storage.packed_runs`), or nowhere."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.errors import DatasetError, RunError
from convscope.base.files import inside
from convscope.data.datasets import Splits
from convscope.evidence.comparison import weights_bytes
from convscope.evidence.comparison.answers_file import read_answers
from convscope.experiment.result import RunResult
from convscope.experiment.run_json import group_record
from convscope.experiment.spec import RunSpec
from convscope.experiment.worker import WorkerResult
from convscope.storage import PackedRuns, RunFolder, list_runs, open_run
from convscope.storage.packed_runs import PackedGroup
from convscope.training import History


class RunStore:
    """The runs on `splits` that lie in the folder `runs`; None is a store that forgets.

    Earlier versions kept each run as a folder, which is still found.
    """

    def __init__(self, splits: Splits, runs: Path | None) -> None:
        """Read which runs are there.

        Raises:
            RunError: if they are damaged, or classified other test images.
        """
        self.splits, self.runs = splits, runs
        self.packed = None if runs is None else PackedRuns(runs)
        if self.packed and not np.array_equal(self.packed.y_true, splits.test.labels):
            raise RunError(f"{runs}: has runs that classified other test images; choose another folder")

    def find(self, spec: RunSpec, digest: str) -> RunResult | None:
        """Return the run that lies here under its digest, or None.

        Raises:
            RunError: if it is damaged.
        """
        if self.packed is None:
            return None
        if (row := self.packed.find(digest)) is not None:
            return self._packed_result(spec, row)
        if self.runs is None or not (self.runs / digest / "DONE").exists():
            return None
        return self._folder_result(spec, open_run(inside(self.runs, digest)))

    def keep(self, spec: RunSpec, digest: str, trained: WorkerResult) -> RunResult:
        """Keep what was trained, which is there whole or not at all.

        Raises:
            ConvscopeError: if it cannot be written, or the other runs here answered other test images.
        """
        labels = self.splits.test.labels
        accuracy, kept = float((trained.y_pred == labels).mean()), None
        if self.packed is not None:
            facts = {"seed": spec.seed, "digest": digest, "accuracy": accuracy, "loss": trained.loss}
            facts |= {"threads": trained.threads, "machine": dict(trained.machine)}
            group = self._group(spec, trained)
            row = self.packed.append(group, trained.model, trained.history, labels, trained.y_pred, facts)
            kept = self.packed.folder(row)
        sha256, history = trained.model.weights_sha256, trained.history
        return self._result(spec, digest, history, sha256, accuracy, trained.loss, trained.y_pred, kept)

    def folders(self) -> Iterator[RunFolder]:
        """Yield each run that is here, by its run.json; the folder of a packed run is made when it is opened."""
        if self.packed is None or self.runs is None:
            return
        for path in list_runs(self.runs):
            row = self.packed.find(path.name)
            if row is not None:
                yield self.packed.folder(row)
            elif (path / "DONE").exists():
                yield open_run(inside(self.runs, path.name))

    @cached_property
    def _data(self) -> dict[str, Any]:
        """What the data are, which takes a moment to find out."""
        return self.splits.to_dict()

    def _group(self, spec: RunSpec, trained: WorkerResult) -> PackedGroup:
        model = trained.model
        digest, record = spec.group_digest(self.splits), group_record(spec, self._data)
        return PackedGroup(
            digest, record, spec.architecture, spec.recipe, dict(model.provenance), model.handwriting, weights=""
        )

    def _packed_result(self, spec: RunSpec, row: int) -> RunResult:
        assert self.packed is not None
        packed = self.packed
        one = packed.rows[row]
        return self._result(
            spec,
            packed.digest(row),
            packed.history(row),
            packed.weights_sha256(row),
            float(one["accuracy"]),
            float(one["loss"]),
            packed.y_pred(row),
            packed.folder(row),
        )

    def _folder_result(self, spec: RunSpec, folder: RunFolder) -> RunResult:
        test, digest = self.splits.test, folder.path.name
        try:
            if folder.record["digest"] != digest:
                raise ValueError("run.json holds another digest")
            measured = folder.read("evaluation.json")
            accuracy, loss = float(measured["accuracy"]), float(measured["loss"])
            y_true, y_pred = read_answers(folder.place("predictions.npz"), len(test), test.num_classes)
            if not np.array_equal(y_true, test.labels) or accuracy != float((y_pred == y_true).mean()):
                raise ValueError("predictions.npz and evaluation.json do not match")
            sha256 = str(folder.record["weights_sha256"])
        except (DatasetError, KeyError, TypeError, ValueError) as error:
            raise RunError(f"{folder.path}: damaged ({error}); delete it to train the run again") from error
        answers = y_pred.astype(np.uint16)
        return self._result(spec, digest, folder.load_history(), sha256, accuracy, loss, answers, folder)

    def _result(
        self,
        spec: RunSpec,
        digest: str,
        history: History,
        weights_sha256: str,
        accuracy: float,
        loss: float,
        y_pred: NDArray[np.unsignedinteger[Any]],
        kept: RunFolder | None,
    ) -> RunResult:
        return RunResult(
            digest=digest,
            architecture=spec.architecture.name,
            recipe=spec.recipe.name,
            seed=spec.seed,
            accuracy=accuracy,
            loss=loss,
            seconds=sum(history.seconds),
            history=history,
            weights_sha256=weights_sha256,
            parameters=spec.architecture.parameters,
            macs=spec.architecture.macs,
            weights_bytes=weights_bytes(spec.architecture, spec.recipe.weight_bits),
            num_images=spec.num_images or len(self.splits.train),
            y_pred=y_pred,
            kept=kept,
            name=spec.name,
        )
