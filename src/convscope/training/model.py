"""A trained network with all it needs to read an image.

`Model` takes images as they are in the file and is the only place that normalises them, so no consumer can do it
differently.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture
from convscope.base.arguments import Name, check_fields
from convscope.base.arrays import freeze_array
from convscope.base.metrics import softmax
from convscope.base.tables import clip, html_table, text_table
from convscope.data.datasets import Dataset, DatasetLike, as_dataset
from convscope.data.handwriting import Handwriting
from convscope.engine import Network, Weights, open_network
from convscope.engine.network import check_weights, float_array
from convscope.training.views import Views, average_views, check_views

_TEMPERATURES = (1e-6, 1e6)  # lowest and highest; fitted ones are 0.05 to 20; logits divided by these stay finite


@dataclass(frozen=True, eq=False)
class Model:
    """An architecture, its weights, and the names of its classes.

    Attributes:
        weights: read-only float32 arrays by name, in Keras layout; `dataclasses.replace(model, weights=...)` makes a
            model with other weights. Other float types (float16, bfloat16 or its bits as uint16, float64) are rounded
            once, here; see `convscope.engine.network.float_array`.
        class_names: K names, one for each logit.
        provenance: data set, recipe, seed and engine of the training, as plain JSON.
        calibration: fitted values as plain JSON, if there are any: `temperature`, by which the logits are divided
            before the softmax (see `calibrated_probabilities`), and `rejection`, the rule that refuses images of none
            of the classes (see `convscope.evidence.rejection`).
        handwriting: how a photo is converted to an image like the training images; None if that is unknown.

    Raises:
        ValueError: if the weights or the class names do not fit the architecture, the temperature is out of its range,
            or prepared handwriting would be larger than an image.
    """

    architecture: Architecture
    weights: Weights = field(repr=False)
    class_names: tuple[Name, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    calibration: Mapping[str, Any] = field(default_factory=dict)
    handwriting: Handwriting | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        check_weights(self.architecture, self.weights)
        object.__setattr__(self, "weights", _freeze(self.weights))
        if len(self.class_names) != self.architecture.num_classes:
            raise ValueError(
                f"{len(self.class_names)} class names, but the network has {self.architecture.num_classes} outputs"
            )
        temperature = self.calibration.get("temperature", 1.0)
        lowest, highest = _TEMPERATURES
        # A model file may have any number here, and a temperature of 0 would divide by zero.
        if not isinstance(temperature, int | float) or not lowest <= temperature <= highest:
            raise ValueError(f"temperature is {temperature!r:.60}; it must be from {lowest:g} to {highest:g}")
        side = max(self.architecture.input.shape[:2])
        if self.handwriting is not None and self.handwriting.target > side:
            raise ValueError(
                f"handwriting: target is {self.handwriting.target!r:.60}; images have {side} pixels at most"
            )

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the network, which another process or a copy makes for itself."""
        state = {name: value for name, value in self.__dict__.items() if name != "network"}
        return state | {"weights": dict(self.weights)}  # a MappingProxyType cannot be pickled

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state | {"weights": _freeze(state["weights"])})

    @property
    def name(self) -> str:
        return self.architecture.name

    @cached_property
    def network(self) -> Network:
        """The model in the native engine, made when first needed."""
        return open_network(self.architecture, self.weights)

    @cached_property
    def weights_sha256(self) -> str:
        """The SHA-256 over the tensors' float32 bytes (little-endian) in the order of their names."""
        digest = hashlib.sha256()
        for name in sorted(self.weights):
            # Values without names or shapes; sorted, because files hold the tensors in different orders.
            digest.update(np.ascontiguousarray(self.weights[name], "<f4").data)
        return digest.hexdigest()

    def logits(self, images: NDArray[np.uint8], views: Views = 1) -> NDArray[np.float32]:
        """Compute the logits (N, K) of images (N, H, W, C) uint8; `probabilities` are their softmax.

        Args:
            views: with 5 or 9, each image's probabilities are the mean over the image and its shifts by a pixel, and
                the logits are their logarithms; see `convscope.training.views`. 1 is the image alone.

        Raises:
            ValueError: if the images are not uint8 or not of the size the model reads, or `views` is not 1, 5 or 9.
        """
        return average_views(self.network, images, check_views(views))

    def probabilities(self, images: NDArray[np.uint8], views: Views = 1) -> NDArray[np.float64]:
        """Compute probabilities (N, K), the softmax of the logits; arguments and errors are those of `logits`."""
        return softmax(self.logits(images, views))

    def calibrated_probabilities(self, images: NDArray[np.uint8], views: Views = 1) -> NDArray[np.float64]:
        """Compute probabilities (N, K), the softmax of the logits divided by the model's fitted temperature.

        The predicted class is that of `probabilities`; so are the values if the model has no temperature. A temperature
        is fitted for one view; several are a little less confident. Arguments and errors are those of `logits`.
        """
        # The logits are those of the mean over the views, so the division comes after the averaging.
        return softmax(self.logits(images, views).astype(np.float64) / self.calibration.get("temperature", 1.0))

    def predict(self, images: NDArray[np.uint8], views: Views = 1) -> NDArray[np.int64]:
        """Predict the labels (N,), those of the largest logit, the first of equal ones; arguments as for `logits`."""
        return np.asarray(self.logits(images, views).argmax(axis=1), dtype=np.int64)

    def activations(
        self, images: NDArray[np.uint8], layers: Sequence[str] | None = None
    ) -> dict[str, NDArray[np.float32]]:
        """Compute the output `(N, *output shape)` of each of `layers` (all by default).

        Raises:
            ValueError: as `logits` does.
            KeyError: for a layer that the architecture does not have.
        """
        names = [layer.name for layer in self.architecture.layers] if layers is None else list(layers)
        for name in names:
            self.architecture.row(name)
        return self.network.activations(images, names)

    def check_classes(self, dataset: Dataset) -> None:
        """Raise `ValueError` unless `dataset` has the model's classes, name by name."""
        expected, names = self.class_names, dataset.class_names
        if len(names) != len(expected):
            raise ValueError(f"{dataset.name} has {len(names)} classes, but this model has {len(expected)}")
        for label, (expected_name, name) in enumerate(zip(expected, names, strict=True)):
            if name != expected_name:
                raise ValueError(f"label {label} is {name!r} in {dataset.name}, but {expected_name!r} in this model")

    def __str__(self) -> str:
        return text_table(("Model", self.name), self._facts(), left=2)

    def _repr_html_(self) -> str:
        return html_table(("Model", self.name), self._facts(), left=2)

    def _facts(self) -> list[tuple[str, str]]:
        """List the model's properties and provenance as rows of a table."""
        return [
            ("reads", " × ".join(map(str, self.architecture.input.shape))),
            ("answers", clip(f"{len(self.class_names)} classes: {', '.join(self.class_names)}", 64)),
            ("parameters", _format_parameters(self.architecture)),
            ("MACs per image", f"{self.architecture.macs:,}"),
            *((name.replace("_", " "), clip(_plain(value), 64)) for name, value in self.provenance.items()),
            *([("temperature", f"{self.calibration['temperature']:.4g}")] if "temperature" in self.calibration else []),
            ("SHA-256 of the weights", self.weights_sha256),
        ]


def _freeze(weights: Weights) -> Weights:
    """Convert weights to read-only float32 arrays; arrays that a caller can still write to are copied."""
    frozen = {}
    for name, weight in weights.items():
        array = float_array(weight)
        if np.may_share_memory(array, weight):  # if the conversion to float32 made a copy, it needs no second one
            array = freeze_array(array)
        array.flags.writeable = False
        frozen[name] = array
    return MappingProxyType(frozen)


def dataset_for(model: Model, value: DatasetLike, name: str = "dataset") -> Dataset:
    """Convert a pair (X, y) to a data set with the classes of `model`; a data set is returned unchanged.

    Raises:
        TypeError, ValueError: as `as_dataset` does; `name` is what the argument is called.
    """
    return as_dataset(value, name, model.class_names, model.architecture.input.shape)


def _format_parameters(architecture: Architecture) -> str:
    fixed = architecture.non_trainable_parameters
    return f"{architecture.parameters:,}" + (f", and {fixed:,} non-trainable" if fixed else "")


def _plain(value: Any) -> str:
    """Format an entry of the provenance; an object such as a recipe by its name, if it has one."""
    if isinstance(value, Mapping):
        value = value.get("name", dict(value))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
