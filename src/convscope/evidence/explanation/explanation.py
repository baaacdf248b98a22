"""Explain a prediction by the output of every layer for the image."""

import operator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture
from convscope.base.arguments import checked
from convscope.base.metrics import softmax
from convscope.base.records import Count, Fraction, Record, Recorded, from_attributes
from convscope.base.tables import Tabular
from convscope.data.datasets import DatasetLike
from convscope.evidence.explanation.kernels_and_maps import (
    KernelBank,
    KernelBankRecord,
    LayerSummary,
    kernel_banks,
    summarize_activations,
)
from convscope.training.model import Model, dataset_for


class ExplanationRecord(Record, kw_only=True):
    """An explanation in numbers; the attributes are those of `Explanation`."""

    dataset: str
    split: str
    index: Count
    class_names: tuple[str, ...]
    label: Count
    predicted: Count
    probabilities: tuple[Fraction, ...]
    layers: tuple[LayerSummary, ...]
    kernels: tuple[KernelBankRecord, ...]


@dataclass(frozen=True, eq=False)
class Explanation(Tabular, Recorded):
    """The output of every layer for an image, and the network's kernels.

    It shows what was computed, not why the prediction is right or wrong: a bright map is not a cause.

    Attributes:
        dataset_name: the name of the image's data set; the image is at `index` of its `split`.
        image: (H, W, C) uint8.
        label: the true label.
        predicted: the label with the largest logit.
        probabilities: (K,) float64.
        activations: the output of every layer by its name, (H, W, maps) or (units,) float32, from input to output.
        kernels: a bank for each convolution, from input to output.
    """

    _header = ("Layer (kind)", "Output shape", "Minimum", "Mean", "Maximum", "Active", "Dead maps")

    architecture: Architecture = field(repr=False)
    class_names: tuple[str, ...]
    dataset_name: str
    split: str
    index: int
    image: NDArray[np.uint8] = field(repr=False)
    label: int
    predicted: int
    probabilities: NDArray[np.float64] = field(repr=False)
    activations: dict[str, NDArray[np.float32]] = field(repr=False)
    kernels: tuple[KernelBank, ...] = field(repr=False)

    @cached_property
    def layers(self) -> tuple[LayerSummary, ...]:
        """Each layer's output in numbers, from input to output."""
        return summarize_activations(self.architecture, self.activations)

    @property
    def feature_maps(self) -> dict[str, NDArray[np.float32]]:
        """The activations (H, W, maps) of each layer whose output is not a vector, by its name, in order."""
        return {layer: maps for layer, maps in self.activations.items() if maps.ndim == 3}

    def to_record(self) -> ExplanationRecord:
        """Build the record of the prediction, each layer's summary and the banks' shapes, without pixels and cells."""
        return from_attributes(ExplanationRecord, self, dataset=self.dataset_name)

    def _headline(self) -> str:
        prediction = f"{self.class_names[self.predicted]!r} with probability {self.probabilities[self.predicted]:.4f}"
        verdict = (
            "right" if self.predicted == self.label else f"wrong, the true class is {self.class_names[self.label]!r}"
        )
        where = f"Image {self.index} of the {self.split} split of {self.dataset_name}"
        return f"{where}: predicted {prediction} ({verdict})"

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                f"{layer.layer} ({layer.kind})",
                " x ".join(map(str, layer.shape)),
                *(f"{value:.4g}" for value in (layer.minimum, layer.mean, layer.maximum)),
                f"{layer.active_fraction:.3f}",
                f"{layer.num_dead_maps} of {layer.shape[-1]}",
            )
            for layer in self.layers
        ]


@checked
def explain(model: Model, dataset: DatasetLike, index: int = 0) -> Explanation:
    """Explain the prediction of `model` for the image at `index` of `dataset`, layer by layer.

    Raises:
        IndexError: if there is no such image; negative indices do not count from the end.
        TypeError: if `index` is not a whole number.
        ValueError: if the images are not of the size the model reads, or the classes are not the model's.
    """
    dataset = dataset_for(model, dataset)
    # Numbers of NumPy count too, floats do not.
    index = operator.index(index)
    if not 0 <= index < len(dataset):
        raise IndexError(
            f"index is {index}; {dataset.name} has images 0 to {len(dataset) - 1} in its {dataset.split} split"
        )
    model.check_classes(dataset)
    images = dataset.images[index : index + 1]
    logits = model.logits(images)
    activations = model.activations(images)
    return Explanation(
        architecture=model.architecture,
        class_names=model.class_names,
        dataset_name=dataset.name,
        split=dataset.split,
        index=index,
        image=images[0],
        label=int(dataset.labels[index]),
        predicted=int(logits[0].argmax()),
        probabilities=softmax(logits)[0],
        activations={layer.name: activations[layer.name][0] for layer in model.architecture.layers},
        kernels=kernel_banks(model),
    )
