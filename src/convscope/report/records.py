"""The payload of a page as records: the values that a report shows and computes with, as one JSON document.

Pictures are PNG in base64, class and file names are unchanged data, and arrays are packed.
"""

from typing import Literal

from msgspec import UNSET, UnsetType, field

from convscope.architecture.table import LayerRecord
from convscope.base.packing import Packed
from convscope.base.records import Count, JsonObject, Positive, Record, Seconds, Sha256
from convscope.data.datasets.records import SplitsRecord
from convscope.data.handwriting import Handwriting
from convscope.evidence.comparison.records import ComparisonRecord
from convscope.evidence.evaluation import EvaluationRecord
from convscope.evidence.explanation.explanation import ExplanationRecord
from convscope.evidence.explanation.kernels_and_maps import KernelBankRecord
from convscope.storage.records import RunFile
from convscope.training.memory import Memory
from convscope.training.records import Checkpoint, HistoryRecord


class PageRecord(RunFile, kw_only=True):
    """run.json with its paths shortened, and the seconds of each step."""

    timings: dict[str, Seconds | Memory]


class Example(Record, kw_only=True):
    """The first training image."""

    split: str
    index: Count
    label: Count
    picture: str


class ClassSamples(Record, kw_only=True):
    """A few training images of one class."""

    label: Count
    indices: tuple[Count, ...]
    pictures: tuple[str, ...]


class PageData(SplitsRecord, kw_only=True):
    """The data of a run, with images."""

    example: Example
    samples: tuple[ClassSamples, ...]


class PageModel(Record, kw_only=True):
    """A model without its weights; the attributes are those of its `Architecture`."""

    architecture: JsonObject
    layers: tuple[LayerRecord, ...]
    parameters: Count
    non_trainable_parameters: Count
    macs: Count
    weights_sha256: Sha256


class PackedBank(KernelBankRecord, kw_only=True):
    """The kernels of a convolution; if there are very many, the first ones."""

    values: Packed


class FeatureMaps(Record, kw_only=True):
    """A layer's output for the explained image; if there are very many maps, the first ones."""

    layer: str
    num_maps: Positive
    minimum: float
    maximum: float
    values: Packed


class PageMeasurements(Record, kw_only=True):
    """The measurements of a run that follow from the evaluation of its model.

    Attributes:
        choice: what early stopping chose, in words; "" where nothing was chosen.
        mistake_pictures: the pictures of the first mistakes.
        explained_picture: the image whose feature maps are shown.
    """

    format: Literal[1]
    recipe: JsonObject
    data: PageData
    model: PageModel
    history: HistoryRecord
    choice: str
    evaluation: EvaluationRecord
    mistake_pictures: tuple[str, ...]
    explanation: ExplanationRecord
    explained_picture: str
    kernels: tuple[PackedBank, ...]
    feature_maps: tuple[FeatureMaps, ...]


class PageFacts(PageMeasurements, kw_only=True):
    """The content of a page's tables, charts and pictures, without evidence.

    Attributes:
        baseline_history, comparison: those of the run that it is compared with.
    """

    record: PageRecord
    baseline_history: HistoryRecord | None
    comparison: ComparisonRecord | None


class Snapshot(Checkpoint, kw_only=True):
    """A checkpoint with its weights by full name, rounded."""

    weights: dict[str, Packed]


class Rounding(Record, kw_only=True):
    """How weights were rounded, and how many predictions that changes."""

    bits: Literal[6, 8]
    num_changed: Count
    num_images: Count


class LiveModel(Record, kw_only=True):
    """A model to compute with.

    Attributes:
        weights: by full name, such as `conv2d/kernel`, in Keras layout.
        means: by layer, the mean output of each filter over the test images (1,000 for an ensemble), and over all
            positions of maps.
        snapshots: the untrained network first; fewer than there are checkpoints if there is no room for more.
        rounding: how the weights were rounded, if they are too large for a page.
    """

    name: str
    architecture: JsonObject
    weights: dict[str, Packed]
    means: dict[str, Packed]
    snapshots: tuple[Snapshot, ...]
    rounding: Rounding | None


class LiveImages(Record, kw_only=True):
    """Test images.

    Attributes:
        indices: the indices of the images in the split.
        pixels: (N, H, W, C) uint8.
        num_sample: how many of them are the first of the split; mistakes follow.
        num_mistakes: the number of the first model's mistakes in the whole split.
    """

    split: str
    indices: Packed
    labels: Packed
    pixels: Packed
    num_sample: Positive
    num_mistakes: Count


class Parity(Record, kw_only=True):
    """Logits (n, K) of the first images by the first model, as Python computes them."""

    logits: Packed


class TrainingImages(Record, kw_only=True):
    """Training images (n, H, W, C) and their labels.

    Attributes:
        of: how many training images there are.
    """

    labels: Packed
    pixels: Packed
    of: Positive


class LiveMap(Record, kw_only=True):
    """A map of test images.

    Attributes:
        layer: the layer whose output decides an image's position in the map.
        indices: the indices of the images in the split.
        points: (n, 2).
        directions: (D, 2): a point is the image's D numbers times these, minus the offset.
    """

    layer: str
    num_neighbours: Positive
    indices: Packed
    labels: Packed
    points: Packed
    directions: Packed
    offset: tuple[float, ...]


class Live(Record, kw_only=True):
    """The data with which a page computes.

    Attributes:
        models: the run's model, then the one that it is compared with.
        map: there if it was measured.
    """

    models: tuple[LiveModel, ...]
    images: LiveImages
    parity: Parity
    training: TrainingImages
    handwriting: Handwriting
    map: LiveMap | UnsetType = UNSET


class Payload(PageFacts, kw_only=True):
    """The content of a report.

    Attributes:
        live: the data with which its script computes.
        evidence: further measurements by topic, as in the topic's file.
    """

    live: Live
    evidence: dict[str, JsonObject]


class Unmeasured(Record, kw_only=True):
    """The test images on which nothing was measured."""

    split: str
    num_images: Positive
    class_names: tuple[str, ...]


class Playground(Record, kw_only=True):
    """The content of the page without a run: a payload with nothing trained or measured."""

    format: Literal[1]
    untrained: bool = True
    record: dict[str, str] = field(default_factory=dict)
    recipe: JsonObject
    data: SplitsRecord
    model: PageModel
    history: HistoryRecord
    baseline_history: None = None
    evaluation: Unmeasured
    comparison: None = None
    live: Live
