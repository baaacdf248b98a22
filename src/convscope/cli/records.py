"""The output of commands with `--json`, for results without a record of their own."""

from msgspec import UNSET, UnsetType

from convscope.base.records import Count, Record
from convscope.evidence.comparison.records import ComparisonRecord, GroupComparisonRecord
from convscope.evidence.evaluation import EvaluationRecord
from convscope.experiment.records import SeedsRecord
from convscope.export.parity import Parity
from convscope.runs.evidence import EvidenceRecords
from convscope.storage.records import ImportRecord
from convscope.training.memory import Timings


class TrainOutput(Record, kw_only=True):
    """A run that was trained and evaluated."""

    run: str
    evaluation: EvaluationRecord
    warnings: tuple[str, ...]
    timings: Timings


class RunOutput(TrainOutput, kw_only=True):
    """A run with its evaluation and comparisons."""

    comparison: ComparisonRecord | None
    seeds: SeedsRecord | None


class EvaluateOutput(EvaluationRecord, kw_only=True):
    """An evaluation.

    Attributes:
        num_trained_on: how many of the images the network was trained on; None if this is unknown. Left out for the
            run's own data.
    """

    num_trained_on: Count | UnsetType | None = UNSET


class MemberOfEnsemble(Record, kw_only=True):
    """A run that is part of an ensemble."""

    run: str
    seed: Count


class EnsembleOutput(Record, kw_only=True):
    """Runs joined into one network."""

    run: str
    members: tuple[MemberOfEnsemble, ...]
    evaluation: EvaluationRecord
    against_members: GroupComparisonRecord
    left_out: tuple[str, ...]
    timings: Timings


class ImportOutput(Record, kw_only=True):
    """A run of an imported network."""

    run: str
    imported: ImportRecord
    evaluation: EvaluationRecord
    timings: Timings


class ImportedModelOutput(Record, kw_only=True):
    """An imported model by its path."""

    model: str
    imported: ImportRecord


class ReportOutput(Record, kw_only=True):
    """The report of a run, by its path, and the new measurements, by topic."""

    run: str
    evidence: EvidenceRecords
    report: str
    timings: Timings


class ExportOutput(Record, kw_only=True):
    """Exported files, the model card, and for each format that was left out the reason."""

    exports: tuple[Parity, ...]
    card: str | None
    missing: dict[str, str]


class ServedModel(Record, kw_only=True):
    """A model that the service answers with."""

    name: str
    version: str


class ServeOutput(Record, kw_only=True):
    """A service that listens at an address."""

    address: str
    models: tuple[ServedModel, ...]
