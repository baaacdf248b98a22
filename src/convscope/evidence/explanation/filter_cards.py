"""What filters answer to, as values: a card a filter, its layer around it, and all of a network's together.

They hold what `convscope.evidence.explanation.filters` found and compute nothing but sums of it.
"""

from dataclasses import dataclass, field
from html import escape
from typing import Any

from convscope.architecture import ReceptiveField
from convscope.base.tables import html_table, printable, text_table
from convscope.evidence.explanation.filter_measures import DuplicateFilters
from convscope.evidence.explanation.filter_pictures import FilterPictures

NUM_EXCITING = 9
QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
RARE = 0.01
"""Below which share of the images with an answer a filter counts as nearly dead."""

_HEADER = ("Layer", "Filters", "Dead", "Nearly dead", "Duplicates", "Mean selectivity", "With shuffled labels")


@dataclass(frozen=True)
class Exciting:
    """An image that activates a filter, and where.

    Attributes:
        index: of the image in the data set.
        place: (row, column) of the feature map where the output is highest, the first of equals; (0, 0) of a unit.
        value: the output there.
    """

    index: int
    label: int
    place: tuple[int, int]
    value: float


@dataclass(frozen=True)
class FilterCard:
    """What one filter answers to.

    Attributes:
        filter: a channel of the layer's map, or a number of its vector, from 0.
        quantiles: of the highest output on each image, at `QUANTILES`: minimum, quartiles, maximum.
        answering_fraction: the fraction of images on which the output is above zero anywhere on the map.
        is_dead: whether the output is the same everywhere on every image, as of a relu that never answers.
        selectivity: 0 to 1, see `class_selectivity`; with `selective_label`, the class that it answers most to.
        most_alike: which other filter of the layer answers most alike, with their correlation over all images and
            places; None for a dead filter, and where there is no other that is not.
        exciting: up to `NUM_EXCITING` images, the most exciting first; none for a dead filter, and none that leaves a
            filter without negative outputs at zero.
        synthetic_value: the highest output on an image made for it, where one was made.
    """

    layer: str
    filter: int
    quantiles: tuple[float, ...]
    answering_fraction: float
    is_dead: bool
    selectivity: float
    selective_label: int
    most_alike: int | None
    correlation: float | None
    exciting: tuple[Exciting, ...] = field(repr=False)
    synthetic_value: float | None = None

    @property
    def is_rare(self) -> bool:
        """Whether it is nearly dead: it answers, but on fewer than one image in a hundred."""
        return not self.is_dead and self.answering_fraction < RARE

    def to_dict(self) -> dict[str, Any]:
        """Return all of it, its exciting images column by column, as plain JSON of six digits."""
        return {
            "layer": self.layer,
            "filter": self.filter,
            "quantiles": [_short(value) for value in self.quantiles],
            "answering_fraction": self.answering_fraction,
            "is_dead": self.is_dead,
            "is_rare": self.is_rare,
            "selectivity": _short(self.selectivity),
            "selective_label": self.selective_label,
            "most_alike": self.most_alike,
            "correlation": None if self.correlation is None else _short(self.correlation),
            "exciting": {
                "index": [one.index for one in self.exciting],
                "row": [one.place[0] for one in self.exciting],
                "column": [one.place[1] for one in self.exciting],
                "value": [_short(one.value) for one in self.exciting],
            },
            "synthetic_value": None if self.synthetic_value is None else _short(self.synthetic_value),
        }


@dataclass(frozen=True, eq=False)
class FilterLayerCards:
    """The filters of one layer.

    Attributes:
        read_at: the layer behind which the outputs are read; see `FilterLayer`.
        shuffled_selectivity: the mean selectivity of the filters that are not dead with the labels shuffled once: how
            much of it is chance.
        synthesis: how the synthetic images were made; None where there are none.
        pictures: of evenly sampled filters.
    """

    layer: str
    kind: str
    read_at: str
    activation: str
    map_size: tuple[int, int]
    receptive_field: ReceptiveField
    shuffled_selectivity: float
    duplicates: tuple[DuplicateFilters, ...]
    synthesis: dict[str, Any] | None
    filters: tuple[FilterCard, ...] = field(repr=False)
    pictures: FilterPictures = field(repr=False)

    @property
    def mean_selectivity(self) -> float:
        """Of the filters that are not dead; 0 if all are."""
        living = [card.selectivity for card in self.filters if not card.is_dead]
        return sum(living) / len(living) if living else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain JSON."""
        seen = self.receptive_field
        return {
            "layer": self.layer,
            "kind": self.kind,
            "read_at": self.read_at,
            "activation": self.activation,
            "map_size": list(self.map_size),
            "receptive_field": {"size": list(seen.size), "jump": list(seen.jump), "start": list(seen.start)},
            "mean_selectivity": _short(self.mean_selectivity),
            "shuffled_selectivity": _short(self.shuffled_selectivity),
            "duplicates": [[one.first, one.second, _short(one.correlation)] for one in self.duplicates],
            "synthesis": self.synthesis,
            "filters": [card.to_dict() for card in self.filters],
            "pictures": self.pictures.to_dict(),
        }


@dataclass(frozen=True, eq=False)
class FilterCards:
    """What the filters of a network answer to.

    Attributes:
        num_images: on how many images all was measured, sampled evenly from the data set.
        num_images_left_out: how many more the data set has.
        layers: of convolutions, or of hidden dense layers where there is no convolution; from input to output.
    """

    dataset_name: str
    split: str
    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]
    num_images: int
    num_images_left_out: int
    layers: tuple[FilterLayerCards, ...] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain JSON."""
        return {
            "dataset": self.dataset_name,
            "split": self.split,
            "class_names": list(self.class_names),
            "image_shape": list(self.image_shape),
            "num_images": self.num_images,
            "num_images_left_out": self.num_images_left_out,
            "layers": [layer.to_dict() for layer in self.layers],
        }

    def __str__(self) -> str:
        return f"{self._headline()}\n\n{text_table(_HEADER, self._rows())}"

    def _repr_html_(self) -> str:
        return f"<p>{escape(self._headline())}</p>{html_table(_HEADER, self._rows())}"

    def _headline(self) -> str:
        where = f"{self.num_images:,} {self.split} images of {self.dataset_name}"
        return printable(f"Filters on {where}:")

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                layer.layer,
                f"{len(layer.filters)}",
                f"{sum(card.is_dead for card in layer.filters)}",
                f"{sum(card.is_rare for card in layer.filters)}",
                f"{len(layer.duplicates)}",
                f"{layer.mean_selectivity:.3f}",
                f"{layer.shuffled_selectivity:.3f}",
            )
            for layer in self.layers
        ]


def _short(value: float) -> float:
    """Return `value` with six digits, which no float32 sum is surer of."""
    return float(f"{value:.6g}")
