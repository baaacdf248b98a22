"""run.json as a record, and its parts.

`RunFile` is the whole file. In the database of an experiment it is in three parts: a `GroupFile` with the
`SharedRecord` for all runs of a group, a `Machine` for all runs of a machine, and a row of numbers for each run.
"""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType, field

from convscope.base.records import (
    Count,
    Digest,
    FileRecord,
    Fraction,
    JsonObject,
    NonNegative,
    Positive,
    Record,
    Seconds,
    Sha256,
)
from convscope.data.datasets.records import SplitsRecord
from convscope.data.handwriting import Handwriting
from convscope.engine import EngineName
from convscope.training.records import SearchRecord

MAX_SEED = 2**63 - 1
"""The largest seed of a run, and the largest integer of SQLite."""

Seed = Annotated[int, Meta(ge=0, le=MAX_SEED)]


class RunData(SplitsRecord, kw_only=True):
    """The data of a run, and the name or path that loads them; "" for arrays in memory."""

    argument: str


class Processor(Record, kw_only=True):
    """The processor that computed a run.

    Attributes:
        instruction_set: that of the engine `native`; results are only the same bits with the same one.
    """

    name: str
    cores: Positive
    machine: str
    instruction_set: str | UnsetType = UNSET


class Machine(Record, kw_only=True):
    """The versions of convscope, Python and libraries, and the processor, that computed a run."""

    versions: dict[str, str]
    cpu: Processor


class StartRecord(Record, kw_only=True):
    """The network that a run starts from.

    Attributes:
        argument: its path.
        num_seen_images: how many of the training images it was trained on; None if unknown.
        kept_classes: the classes whose output weights are this network's.
        new_classes: the classes whose output weights start at random.
        new_output: True if the weights of all outputs start at random.
    """

    argument: str
    weights_sha256: Sha256
    num_seen_images: Count | None
    kept_classes: tuple[str, ...]
    new_classes: tuple[str, ...]
    new_output: bool


class ScalingRecord(Record, kw_only=True):
    """The formula that turns a byte into the number that a network reads: `(byte * scale - mean) / std`.

    Attributes:
        mean, std: one number, or one for each channel.
        inverted: True if 255 - byte takes the place of the byte.
        bgr: True if the network reads the channels in the order blue, green, red.
    """

    # With 1/255, 0.1307 and 0.3081, as PyTorch's example for MNIST has them, 0 becomes -0.424 and 255 becomes 2.821.
    scale: float
    mean: float | tuple[float, ...]
    std: float | tuple[float, ...]
    inverted: bool
    bgr: bool


class TriedScaling(Record, kw_only=True):
    """A scaling that was tried, and how the network then classified training images.

    Attributes:
        verdict: "best", "unclear", or the reason why it is ruled out.
    """

    name: str
    scaling: ScalingRecord
    num_images: Count
    accuracy: Fraction
    loss: NonNegative
    verdict: str
    formula: str


class ImportRecord(Record, kw_only=True):
    """The file that a network was imported from.

    Attributes:
        program: the program that wrote it.
        notes: sentences on conversions.
        weights_file, weights_file_sha256: name and digest of a second file with the weights.
        image_shape, output: the arguments with which the file was read.
        scaling: the scaling of a byte that was added, if any.
        scalings: the scalings that were tried, if none was stated.
    """

    file: str
    sha256: Sha256
    weights_file: str | UnsetType = UNSET
    weights_file_sha256: Sha256 | UnsetType = UNSET
    image_shape: tuple[Positive, Positive, Positive] | UnsetType = UNSET
    output: str | UnsetType = UNSET
    program: str
    notes: tuple[str, ...]
    scaling: ScalingRecord | UnsetType = UNSET
    scalings: tuple[TriedScaling, ...] | UnsetType = UNSET


class MemberRecord(Record, kw_only=True):
    """A member of an ensemble: its run and its training.

    Attributes:
        seconds: the time of its training; None if unknown.
    """

    run: str
    weights_sha256: Sha256
    architecture: JsonObject
    recipe: JsonObject
    seed: Seed
    seconds: Seconds | None
    is_from_random_weights: bool


class JobOptions(Record):
    """The arguments of `convscope run` or `cs.run` that do not concern the training itself.

    Attributes:
        seeds: how many runs of each network; None for as many as there is time for.
        index: the test image whose feature maps are shown.
    """

    baseline: bool = True
    seeds: Positive | None = None
    index: Count = 0

    def __post_init__(self) -> None:
        for name, value, minimum in (("seeds", self.seeds, 1), ("index", self.index, 0)):
            if value is not None and value < minimum:
                raise ValueError(f"{name} is {value}; it must be at least {minimum}")


class SharedRecord(Record, kw_only=True):
    """The part of run.json that runs of a group share; the attributes are those of `RunFile`."""

    dataset: RunData
    engine: EngineName
    num_images: Positive
    weights_seed: Seed | UnsetType = UNSET
    start: StartRecord | UnsetType = field(name="from", default=UNSET)


class GroupFile(FileRecord, kw_only=True):
    """A group of runs in the database of an experiment; the attributes are those of `StoredGroup`."""

    architecture: JsonObject
    recipe: JsonObject
    record: SharedRecord
    provenance: JsonObject
    handwriting: Handwriting | None


class RunFile(Record, kw_only=True):
    """run.json: the settings of a run, and the digest and epoch of its weights.

    Attributes:
        version: the version of convscope; earlier versions only state it in `versions`.
        command: the command line that makes the run again.
        start: the network that training starts from; unset for random weights.
        job: the options of `convscope run`; unset for a run that is only trained.
        search: the trials by which the recipe `auto` chose network and recipe.
        imported: the source of a network of another program.
        members: the members of an ensemble.
        num_images: in an experiment, how many training images were drawn.
        weights_seed: in an experiment, the seed of the initial weights, if it differs from the run's.
        digest: in an experiment, the digest of everything that decides the result.
        weights_sha256, epochs_trained, best_epoch: those of the trained model.
    """

    format: Literal[1]  # `check_format` explains a higher number
    version: str | UnsetType = UNSET
    dataset: RunData
    architecture: JsonObject
    recipe: JsonObject
    seed: Seed
    engine: EngineName
    threads: Annotated[int, Meta(ge=1, le=65_536)]  # also checked by `stored_runs`
    versions: dict[str, str]
    cpu: Processor
    start: StartRecord | UnsetType = field(name="from", default=UNSET)
    search: SearchRecord | UnsetType = UNSET
    imported: ImportRecord | UnsetType = UNSET
    members: Annotated[tuple[MemberRecord, ...], Meta(min_length=2)] | UnsetType = UNSET
    command: str
    job: JobOptions | UnsetType = UNSET
    num_images: Positive | UnsetType = UNSET
    weights_seed: Seed | UnsetType = UNSET
    digest: Digest | UnsetType = UNSET
    weights_sha256: Sha256 | UnsetType = UNSET
    epochs_trained: Count | UnsetType = UNSET
    best_epoch: Positive | UnsetType | None = UNSET

    @property
    def num_training_images(self) -> int:
        """The number of training images, including those held out for validation."""
        return self.num_images or self.dataset.train.num_images
