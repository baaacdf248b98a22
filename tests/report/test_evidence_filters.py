"""The section of the page that shows what excites each filter."""

from typing import Any

import numpy as np
import pytest
from tests.noise import init_model

from convscope.architecture import Architecture, Conv2D, Dense, Flatten, GlobalAveragePooling2D, Input, presets
from convscope.data.datasets import Dataset
from convscope.engine import initial_weights
from convscope.evidence.explanation.filter_cards import FilterCards
from convscope.evidence.explanation.filters import filter_cards
from convscope.report.evidence import Gallery, Table, render_section
from convscope.report.evidence.filters import filters_section
from convscope.training.model import Model

from .conftest import HOSTILE_NAMES, make_split


def make_cards(architecture: Architecture, dataset: Dataset, **options: Any) -> FilterCards:
    return filter_cards(init_model(architecture, dataset.class_names), dataset, **options)


def make_noise(shape: tuple[int, int, int], num_classes: int, number: int = 40) -> Dataset:
    return make_split("test", shape, tuple(f"class {label}" for label in range(num_classes)), number)


def galleries(value: FilterCards) -> list[Gallery]:
    return [part for part in filters_section(value).parts if isinstance(part, Gallery)]


def make_spot_model() -> tuple[Architecture, dict[str, Any], Dataset]:
    """Make four filters of one pixel: of brightness, always zero, of twice the brightness, and active on one image.

    With p from 0 to 1 they are relu(p), relu(-1), relu(2 p) and relu(p - 0.9). Only image 120 has a p above 0.9.
    """
    images = np.random.default_rng(0).integers(0, 200, (200, 6, 6, 1)).astype(np.uint8)
    images[120, 2, 3] = 255
    architecture = Architecture(
        Input(6, 6), (Conv2D(4, 1, activation="relu"), Conv2D(2, 2), GlobalAveragePooling2D(), Dense(2))
    )
    weights = dict(initial_weights(architecture, 0))
    weights["conv2d/kernel"] = np.array([1, 0, 2, 1], np.float32).reshape(1, 1, 1, 4)
    weights["conv2d/bias"] = np.array([0, -1, 0, -0.9], np.float32)
    dataset = Dataset(images, (np.arange(200) % 2).astype(np.int64), ("even", "odd"), "made", "test")
    return architecture, weights, dataset


def make_spot_cards() -> FilterCards:
    architecture, weights, dataset = make_spot_model()
    return filter_cards(Model(architecture, weights, ("even", "odd")), dataset)


def test_every_layer_has_a_row_and_a_gallery_and_every_filter_a_card() -> None:
    value = make_cards(presets.cnn((12, 12, 3), 4), make_noise((12, 12, 3), 4))
    table, *rest = filters_section(value).parts
    assert isinstance(table, Table)
    assert [row[:2] for row in table.rows] == [["Convolution 1", "16"], ["Convolution 2", "32"]]
    shown = [part for part in rest if isinstance(part, Gallery)]
    assert [len(gallery.cards) for gallery in shown] == [len(layer.pictures.filters) for layer in value.layers]
    assert len(shown[0].cards) == 16


def test_a_card_shows_the_pixels_that_excite_its_filter_and_opens_their_image() -> None:
    card = galleries(make_spot_cards())[0].cards[3]
    assert (card.split, card.index) == ("test", 120)
    assert card.lines[0] == "Filter 3"
    assert "nearly dead: active on 0.50\N{NO-BREAK SPACE}%" in card.lines
    # The first two of nine pictures, each a pixel of the image enlarged to 30: frame 0 | 1 to 30 | frame 31 |
    # gap 32 to 34 | frame 35 | 36 to 65 | frame 66.
    assert (card.picture[1:31, 1:31] == 255).all()
    assert not card.picture[1:31, 36:66].any()  # no other image excites it


def test_dead_filters_are_marked_and_counted() -> None:
    value = make_spot_cards()
    table, *_ = filters_section(value).parts
    assert isinstance(table, Table)
    assert table.title == "1 of 6 filters is dead"
    assert table.rows[0] == ["Convolution 1", "4", "1", "1"]  # filters; dead: filter 1; nearly dead: filter 3
    dead = galleries(value)[0].cards[1]
    assert dead.lines[1] == "dead: always 0"
    assert (dead.split, dead.index) == (None, None)


def test_titles_follow_from_the_numbers() -> None:
    assert [gallery.title for gallery in galleries(make_spot_cards())] == [
        "Convolution 1: 3 of 4 filters are active",
        "Convolution 2: all 2 filters are active",
    ]


def test_units_are_named_units_and_have_the_whole_image_as_receptive_field() -> None:
    value = make_cards(presets.ann((8, 8, 3), 100), make_noise((8, 8, 3), 100))
    section = filters_section(value)
    assert section.name == "What activates each unit"
    gallery = galleries(value)[0]
    assert gallery.cards[0].lines[0] == "Unit 0"
    assert "Each unit depends on the whole image." in gallery.look
    assert gallery.title.endswith("are shown")


def test_crops_are_transparent_beyond_the_image_and_dimmed_outside_the_receptive_field() -> None:
    layers = (Conv2D(1, 3, padding="same", name="near"), Conv2D(2, 7, padding="same", name="far"))
    architecture = Architecture(Input(8, 8), (*layers, GlobalAveragePooling2D(), Dense(2)))
    weights = {name: np.zeros(shape, np.float32) for name, shape in architecture.weight_shapes.items()}
    # Of 7 x 7 weights [3, 3] is in the middle; so each position of "far" repeats the output of "near" before it.
    weights["near/kernel"][1, 1], weights["far/kernel"][2, 2] = 1, 1
    images = np.zeros((4, 8, 8, 1), np.uint8)
    images[0, 0, 0] = 255
    dataset = Dataset(images, np.array([0, 1, 0, 1]), ("a", "b"), "made", "test")
    value = filter_cards(Model(architecture, weights, ("a", "b")), dataset)
    near, far = (gallery.cards[0].picture for gallery in galleries(value))
    # Position (0, 0) of "near" reads rows and columns -1 to 1, enlarged to ten pixels each, within a frame of one.
    assert (near[1:11, 1:31, 3] == 0).all()
    assert (near[1:31, 1:11, 3] == 0).all()
    assert (near[11:31, 11:31, 3] == 255).all()
    # Position (1, 1) of "far" reads 9 x 9 pixels: rows and columns up to 5 of the 8, enlarged to three pixels each.
    assert (far[1:19, 1:19, 3] == 255).all()
    assert (far[19:25, 1:25, 3] == 80).all()
    assert (far[1:25, 19:25, 3] == 80).all()


@pytest.mark.parametrize("count", [1, 3, 12])
def test_many_layers_share_one_gallery(count: int) -> None:
    layers = tuple(Conv2D(2, 1, activation="tanh") for _ in range(count))
    architecture = Architecture(Input(6, 6), (*layers, GlobalAveragePooling2D(), Dense(2)))
    value = make_cards(architecture, make_noise((6, 6, 1), 2, 12))
    shown = galleries(value)
    assert len(shown) == (count if count <= 8 else 1)
    if count == 12:
        assert shown[0].cards[2].lines[0] == "Convolution 2, filter 0"
    assert len({card.picture.shape for card in shown[0].cards}) == 1


def test_names_are_data_whatever_their_characters() -> None:
    value = make_cards(presets.cnn((10, 10, 1), 7), make_split("test", (10, 10, 1), HOSTILE_NAMES, 30))
    html = str(render_section(filters_section(value)))
    assert "<script" not in html
    assert "<img src=x" not in html
    assert "\x1b" not in html


def test_a_thousand_filters_are_all_counted_and_some_shown() -> None:
    architecture = Architecture(Input(8, 8), (Conv2D(1000, 3, activation="relu"), GlobalAveragePooling2D(), Dense(3)))
    value = make_cards(architecture, make_noise((8, 8, 1), 3, 20))
    table, *_ = filters_section(value).parts
    assert isinstance(table, Table)
    assert table.rows[0][1] == "1,000"
    assert len(galleries(value)[0].cards) == 96


def test_a_network_without_filters_says_so() -> None:
    value = make_cards(Architecture(Input(6, 6), (Flatten(), Dense(2))), make_noise((6, 6, 1), 2, 8))
    (table,) = filters_section(value).parts
    assert table.title == "This network has neither convolutions nor hidden layers"
    assert "neither convolutions" in str(render_section(filters_section(value)))
