"""Where finished runs lie: each in a run folder under its digest, or, without a folder, nowhere."""

import secrets
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.errors import DatasetError, DivergedError, RunError
from convscope.base.files import PARTIAL, inside
from convscope.data.datasets import Splits
from convscope.evidence.comparison import weights_bytes
from convscope.evidence.comparison.answers_file import read_answers
from convscope.evidence.evaluating import evaluate_predictions
from convscope.evidence.evaluation import Evaluation
from convscope.experiment.result import RunResult
from convscope.experiment.run_json import experiment_record
from convscope.experiment.spec import RunSpec
from convscope.experiment.worker import WorkerResult
from convscope.storage import create_run, open_run
from convscope.training import History


@dataclass(frozen=True, eq=False)
class RunStore:
    """The runs on `splits` that lie in the folder `runs`; None is a store that forgets."""

    splits: Splits
    runs: Path | None

    def find(self, spec: RunSpec, digest: str) -> RunResult | None:
        """Return the run that lies here under its digest, or None.

        Raises:
            RunError: if it is damaged.
        """
        if self.runs is None or not (self.runs / digest / "DONE").exists():
            return None
        test = self.splits.test
        folder = open_run(inside(self.runs, digest))
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
        return self._result(spec, digest, folder.load_history(), sha256, accuracy, loss, y_pred)

    def keep(self, spec: RunSpec, digest: str, trained: WorkerResult) -> RunResult:
        """Measure what was trained, and keep it as a run folder, which is there whole or not at all.

        Raises:
            DivergedError: if the logits are not finite.
            ConvscopeError: if it cannot be written.
        """
        try:
            evaluation = evaluate_predictions(trained.logits, self.splits.test)
        except DivergedError as error:
            raise DivergedError(f"{spec.title}: {error}") from error
        if self.runs is not None:
            self._write(self.runs / digest, spec, trained, evaluation)
        sha256, y_pred = trained.model.weights_sha256, evaluation.y_pred
        return self._result(spec, digest, trained.history, sha256, evaluation.accuracy, evaluation.loss, y_pred)

    def remove_leftovers(self, digests: set[str]) -> None:
        """Take away what a killed process left of runs that are finished by now."""
        for leftover in [] if self.runs is None else self.runs.glob(f".*{PARTIAL}"):
            if leftover.name.split(".")[1] in digests:
                shutil.rmtree(leftover, ignore_errors=True)

    @cached_property
    def _data(self) -> dict[str, Any]:
        """What the data are, which takes a moment to find out."""
        return self.splits.to_dict()

    def _write(self, path: Path, spec: RunSpec, trained: WorkerResult, evaluation: Evaluation) -> None:
        """Write a run folder beside its place and rename it, so that two processes on one experiment do not meet."""
        record = experiment_record(spec, self._data, path.name, trained.machine, trained.threads)
        partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL}")
        try:
            folder = create_run(partial, record)
            folder.write_history(trained.history)
            folder.write_model(trained.model, trained.history)
            folder.write_evaluation(evaluation)
            folder.finish()
            if path.exists() and not (path / "DONE").exists():  # a copy that was broken off
                shutil.rmtree(path)
            partial.replace(path)
        except OSError as error:
            if not (path / "DONE").exists():  # else another process was faster, with the same result
                raise RunError(f"{path}: cannot be created ({error.strerror}); choose another folder") from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _result(
        self,
        spec: RunSpec,
        digest: str,
        history: History,
        weights_sha256: str,
        accuracy: float,
        loss: float,
        y_pred: NDArray[np.integer[Any]],
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
            y_pred=y_pred.astype(np.uint16),
            folder=None if self.runs is None else self.runs / digest,
            name=spec.name,
        )
