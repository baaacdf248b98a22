"""ablation.json as a record: ablations of single filters, retrained designs, or both.

The file has the fields of both measurements side by side. Each measurement is there as a whole or not at all:

    dataset, split, ..., filters, ..., marking_by_class    of `Ablation`, unset if no filters were ablated
    architectures, architecture_runs                       of `ArchitectureAblation`, unset if none were retrained
"""

from msgspec import UNSET, UnsetType, field
from msgspec.structs import replace

from convscope.base.packing import Packed
from convscope.base.records import Count, Fraction, JsonObject, Positive, Record, from_attributes
from convscope.evidence.ablation import Ablation, FilterAblation, Marking
from convscope.evidence.records import Split, TopicRecord
from convscope.experiment.architectures import ArchitectureAblation, ArchitectureRuns, Variants


class AblationRecord(TopicRecord, kw_only=True):
    """The measured ablations of a run.

    Attributes:
        dataset_name ... marking_by_class: those of `Ablation`.
        inputs: the cost of blanking parts of the images, in files of earlier versions; it is not shown.
        architectures, architecture_runs: those of `ArchitectureAblation`.
    """

    dataset_name: str | UnsetType = field(name="dataset", default=UNSET)
    split: Split | UnsetType = UNSET
    class_names: tuple[str, ...] | UnsetType = UNSET
    num_images: Positive | UnsetType = UNSET
    num_images_left_out: Count | UnsetType = UNSET
    accuracy: Fraction | UnsetType = UNSET
    num_filters_left_out: Count | UnsetType = UNSET
    layer_kinds: dict[str, str] | UnsetType = UNSET
    filters: tuple[FilterAblation, ...] | UnsetType = UNSET
    interval_by_class: Packed | UnsetType = UNSET
    is_significant_by_class: Packed | UnsetType = UNSET
    false_discovery_rate: Fraction | UnsetType = UNSET
    marking: Marking | UnsetType = UNSET
    marking_by_class: Marking | UnsetType = UNSET
    inputs: JsonObject | UnsetType = UNSET  # read, so that earlier files stay valid; the next `merge` drops it
    architectures: Variants | UnsetType = UNSET
    architecture_runs: ArchitectureRuns | UnsetType = UNSET

    def __post_init__(self) -> None:
        for kind in (Ablation, ArchitectureAblation):
            names = set(kind.__struct_fields__) - {"weights_sha256"}  # the run folder adds it
            missing = sorted(name for name in names if getattr(self, name) is UNSET)
            if missing and len(missing) < len(names):
                raise ValueError(f"{missing[0]} is missing")
        _ = self.single  # its constructor checks that the values fit together

    @property
    def single(self) -> Ablation | None:
        """The ablations of single filters, if they were measured."""
        # Any field of `Ablation` would do: `__post_init__` makes sure that all are there or none.
        return None if self.filters is UNSET else from_attributes(Ablation, self)

    @property
    def retrained(self) -> ArchitectureAblation | None:
        """The changed designs, if they were retrained."""
        return None if self.architectures is UNSET else from_attributes(ArchitectureAblation, self)

    def __str__(self) -> str:
        return "\n\n".join(str(part) for part in (self.single, self.retrained) if part is not None)

    def merge(self, part: Record) -> "AblationRecord":
        """Add a measurement, or replace an earlier one of its kind."""
        names = [name for name in part.__struct_fields__ if name != "weights_sha256"]
        return replace(self, inputs=UNSET, **{name: getattr(part, name) for name in names})
