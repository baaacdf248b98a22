"""The records of filters and their activations: a card for each filter, its layer, and all layers of a network."""

from typing import Annotated

from msgspec import Meta

from convscope.architecture import ReceptiveField
from convscope.base.records import Count, Fraction, Record
from convscope.base.tables import Tabular
from convscope.evidence.explanation.filter_pictures import FilterPictures, Spot, picture_box
from convscope.evidence.records import ClassesRecord, Coordinate, Label, Size, check_labels, check_lengths

NUM_EXCITING = 9  # images of each filter at most
QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
RARE = 0.01
"""A filter counts as nearly dead if it is active on a smaller share of the images."""


Quantiles = Annotated[tuple[float, ...], Meta(min_length=len(QUANTILES), max_length=len(QUANTILES))]
Indices = Annotated[tuple[Count, ...], Meta(max_length=NUM_EXCITING)]


class Exciting(Record, kw_only=True):
    """The images that activate a filter most, with the positions, as columns.

    Attributes:
        index: the index of each image in the data set, the highest activation first.
        row, column: position of the highest output in the feature map, the first of equals; 0 for a unit.
        value: the output there, in six digits.
    """

    index: Indices
    row: tuple[Coordinate, ...]
    column: tuple[Coordinate, ...]
    value: tuple[float, ...]

    def __post_init__(self) -> None:
        check_lengths(index=self.index, row=self.row, column=self.column, value=self.value)

    @property
    def positions(self) -> list[tuple[int, int]]:
        """Each (row, column)."""
        return list(zip(self.row, self.column, strict=True))

    @property
    def spots(self) -> list[Spot]:
        """Each image's index with its position."""
        return list(zip(self.index, self.positions, strict=True))


class FilterCard(Record, kw_only=True):
    """The activations of one filter over many images, in numbers of six digits.

    Attributes:
        filter: a channel of the layer's map, or a number of its vector, from 0.
        quantiles: those of the highest outputs on the images, at `QUANTILES`: minimum, quartiles, maximum.
        active_image_fraction: the fraction of images on which the output is above zero anywhere on the map.
        is_dead: whether the output is the same everywhere on every image, as of a relu that is never active.
        is_rare: whether it is nearly dead: active, but on fewer than one image in a hundred.
        selectivity: 0 to 1, see `class_selectivity`; `selective_label` is the class with the highest mean activation.
        exciting: up to `NUM_EXCITING` images; none for a dead filter. In a layer without negative outputs, as
            after a relu, images with output zero are left out.
    """

    layer: str
    filter: Count
    quantiles: Quantiles
    active_image_fraction: Fraction
    is_dead: bool
    is_rare: bool
    selectivity: Fraction
    selective_label: Label
    exciting: Exciting


class FilterLayerCards(Record, kw_only=True):
    """The filters of one layer.

    Attributes:
        read_at: the layer after which the outputs are read; see `FilterLayer`.
        pictures: the pictures of evenly sampled filters.
    """

    layer: str
    kind: str
    read_at: str
    activation: str
    map_size: tuple[Size, Size]
    receptive_field: ReceptiveField
    filters: Annotated[tuple[FilterCard, ...], Meta(min_length=1)]
    pictures: FilterPictures

    def __post_init__(self) -> None:
        field = self.receptive_field
        # Numbers beyond this, which an edited file may have, would overflow in the arithmetic on positions.
        if min(field.size) < 1 or max(map(abs, (*field.jump, *field.start))) > 1 << 31:
            raise ValueError(f"receptive_field is out of range: {field!r:.100}")
        # A filter with pictures needs one for each of its exciting images; `real` is (filters, images, h, w, C).
        for number in self.pictures.filters:
            if number >= len(self.filters) or len(self.filters[number].exciting.index) > self.pictures.real.shape[1]:
                raise ValueError(f"pictures of filter {number} do not fit the filters")


class FilterCards(Tabular, ClassesRecord, kw_only=True):
    """The activations of a network's filters over many images.

    Attributes:
        layers: convolutions, or hidden dense layers if there is no convolution; from input to output.
    """

    _header = ("Layer", "Filters", "Dead", "Nearly dead")

    image_shape: tuple[Size, Size, Size]
    layers: tuple[FilterLayerCards, ...]

    def __post_init__(self) -> None:
        check_labels(
            self.class_names, [card.selective_label for layer in self.layers for card in layer.filters], "layers"
        )
        for layer in self.layers:
            *_, rows, columns = picture_box(layer.receptive_field, (0, 0), self.image_shape[:2])
            # Rounded up: 7 pixels at a factor of 2 are reduced to 4.
            size = (-(-rows // layer.pictures.factor), -(-columns // layer.pictures.factor))
            if layer.pictures.real.shape[2:4] != size:
                raise ValueError(f"pictures of {layer.layer!r:.60} are not of its receptive field")

    def _headline(self) -> str:
        where = f"{self.num_images:,} {self.split} images of {self.dataset_name}"
        return f"Filters on {where}:"

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                layer.layer,
                f"{len(layer.filters)}",
                f"{sum(card.is_dead for card in layer.filters)}",
                f"{sum(card.is_rare for card in layer.filters)}",
            )
            for layer in self.layers
        ]
