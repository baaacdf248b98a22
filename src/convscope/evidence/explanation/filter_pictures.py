"""The pixels that activate filters, cut out of their images, for as many filters as fit into a page.

A position of a feature map sees a part of the image, its receptive field. If a filter of 3 × 3 in the first layer is
most active at row 5 and column 7 of image 20, its picture is rows 5 to 7 and columns 7 to 9 of that image.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import ReceptiveField
from convscope.base.packing import Packed
from convscope.base.records import Count, Record, to_tuple
from convscope.data.datasets import evenly
from convscope.evidence.explanation.filter_measures import FilterLayer
from convscope.evidence.records import Size, check_packed

_MAX_BYTES = 120_000  # the pictures of all layers on a page
_MAX_FILTERS = 96  # filters with pictures, in all layers: as many as a person looks through
_LARGEST_SIDE = 28  # pixels of a picture; larger pictures are reduced by a whole factor

Spot = tuple[int, tuple[int, int]]
"""An image's index and a position (row, column) of a feature map."""


class FilterPictures(Record, kw_only=True):
    """The pixels that activate some filters of a layer, as pictures of one size.

    A picture is the receptive field of the position with the highest activation, with zeros outside the image. Along an
    axis where the receptive field is as large as the image, it is the whole image.

    Attributes:
        filters: the filters of the layer that have pictures.
        factor: pixels of the image along each side that are averaged to a pixel of the picture.
        real: (n, spots, h, w, C) uint8, the highest activation first; zeros if a filter has fewer.
    """

    filters: tuple[Count, ...]
    factor: Size
    real: Packed

    def __post_init__(self) -> None:
        check_packed("real", self.real, "uint8", len(self.filters), *self.real.shape[1:2], None, None, None)


def picture_box(
    field: ReceptiveField, position: tuple[int, int], image_size: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Compute (top, left, height, width) of the picture of a position; top and left may lie before the first pixel.

    >>> picture_box(ReceptiveField(size=(3, 40), jump=(2, 2), start=(-1, -20)), (0, 5), (28, 28))
    (-1, 0, 3, 28)
    """
    # Position p of the map sees the pixels from start + p · jump on, `size` of them.
    top, height = _limit_side(field.start[0] + position[0] * field.jump[0], field.size[0], image_size[0])
    left, width = _limit_side(field.start[1] + position[1] * field.jump[1], field.size[1], image_size[1])
    return top, left, height, width


def _limit_side(start: int, size: int, pixels: int) -> tuple[int, int]:
    """Choose (start, size) of a picture along one axis: the whole image if the receptive field is as large."""
    return (start, size) if size < pixels else (0, pixels)


def picture_layers(
    layers: Sequence[FilterLayer], images: NDArray[np.uint8], spots: Sequence[Sequence[Sequence[Spot]]]
) -> list[FilterPictures]:
    """Cut out for each layer the pictures of as many of its filters, sampled evenly, as fit.

    The page's bytes and filters are shared out from the layer with the smallest pictures to that with the largest. Each
    takes at most an equal part of what is left: of three layers the first may use 40 of 120 kB. If it uses 10, the
    second may use 55 of the other 110.

    Args:
        images: (N, H, W, C) uint8.
        spots: for each layer and filter, the images and positions with the highest activations.
    """
    bytes_left, filters_left = _MAX_BYTES, _MAX_FILTERS
    pictures_of = dict[int, FilterPictures]()
    by_size = sorted(range(len(layers)), key=lambda index: int(np.prod(layers[index].row.receptive_field.size)))
    for done, index in enumerate(by_size):
        layers_left = len(layers) - done
        # First as many filters as the count allows; that shows how many bytes one takes.
        filters = evenly(layers[index].num_filters, max(filters_left // layers_left, 1))
        pictures = _cut_out(layers[index], filters, images, spots[index])
        filter_bytes = pictures.real.num_json_bytes / max(len(pictures.filters), 1)
        layer_bytes = bytes_left // layers_left
        if filter_bytes * len(filters) > layer_bytes:
            # The first layer shows a filter even if that is too large, so that a page always has a picture.
            least = 0 if pictures_of else 1
            filters = evenly(layers[index].num_filters, max(int(layer_bytes / filter_bytes), least))
            pictures = _cut_out(layers[index], filters, images, spots[index])
        pictures_of[index] = pictures
        bytes_left = max(bytes_left - int(filter_bytes * len(filters)), 0)
        filters_left -= len(filters)
    return [pictures_of[index] for index in range(len(layers))]


def _cut_out(
    layer: FilterLayer, filters: NDArray[np.int64], images: NDArray[np.uint8], spots: Sequence[Sequence[Spot]]
) -> FilterPictures:
    """Cut out the pictures of some filters of a layer; `spots` are those of all its filters, the best first."""
    max_spots = max((len(spot) for spot in spots), default=0)
    height, width = images.shape[1:3]
    *_, rows, columns = picture_box(layer.row.receptive_field, (0, 0), (height, width))
    factor = -(-max(rows, columns) // _LARGEST_SIDE)  # rounded up, as the sides below
    shape = (-(-rows // factor), -(-columns // factor), images.shape[3])
    real = np.zeros((len(filters), max_spots, *shape), np.uint8)
    for number, filter_index in enumerate(filters):
        for rank, (index, position) in enumerate(spots[filter_index]):
            real[number, rank] = _picture(images[index], layer.row.receptive_field, position, factor)
    return FilterPictures(filters=to_tuple(filters), factor=factor, real=Packed.from_array(real))


def _picture(
    image: NDArray[np.uint8], field: ReceptiveField, position: tuple[int, int], factor: int
) -> NDArray[np.uint8]:
    """Cut out the picture of a position, averaged over `factor` by `factor` pixels, with zeros outside the image."""
    top, left, height, width = picture_box(field, position, (image.shape[0], image.shape[1]))
    rows, columns = (np.arange(start, start + size) for start, size in ((top, height), (left, width)))
    # The receptive field of a position at the border reaches beyond the image: there the picture stays zero.
    inside_rows = (rows >= 0) & (rows < image.shape[0])
    inside_columns = (columns >= 0) & (columns < image.shape[1])
    picture = np.zeros((height, width, image.shape[2]), np.uint8)
    picture[np.ix_(inside_rows, inside_columns)] = image[np.ix_(rows[inside_rows], columns[inside_columns])]
    if factor == 1:
        return picture
    # Padded to multiples of the factor by repeating the last row and column. Then the means of cells of `factor` x
    # `factor` pixels are those over the axes 1 and 3 of (rows, factor, columns, factor, C).
    padding = ((0, -height % factor), (0, -width % factor), (0, 0))
    padded = np.pad(picture, padding, mode="edge").astype(np.float64)
    cells = padded.reshape(padded.shape[0] // factor, factor, padded.shape[1] // factor, factor, -1)
    return np.asarray(np.rint(cells.mean(axis=(1, 3))), np.uint8)
