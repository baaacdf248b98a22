import numpy as np
import pytest
from msgspec.structs import replace

import convscope as cs
from convscope.base.metrics import paired_interval
from convscope.base.records import decode, encode
from convscope.evidence.ablation import InputAblation, ablate_inputs
from convscope.evidence.ablation.inputs import coarsened

from .conftest import noises, untrained


def reads_one_pixel(row, column, size=(8, 6)):
    """A network that answers 1 where one pixel is bright, and nothing else matters."""
    kernel = np.zeros((size[0], size[1], 1, 2), np.float32)
    kernel[row, column, 0, 1] = 1
    layers = (cs.Conv2D(2, size, name="look"), cs.Flatten())
    weights = {"look/kernel": kernel, "look/bias": np.array([0.5, 0], np.float32)}
    return cs.Model(cs.Architecture(cs.Input(*size), layers), weights, ("dark", "bright"))


def dots(row, column, count=60, size=(8, 6), background=0):
    """Images with one bright pixel at a place where the label is 1."""
    labels = np.arange(count) % 2
    images = np.full((count, *size, 1), background, np.uint8)
    images[:, row, column, 0] = np.where(labels, 255, background)
    parts = (cs.Dataset(images, labels, ("dark", "bright"), "dots", split) for split in ("train", "test"))
    return cs.Splits(*parts)


def test_only_what_covers_the_read_pixel_costs():
    ablation = ablate_inputs(reads_one_pixel(2, 4), dots(2, 4))
    missed = {(one.kind, one.place) for one in ablation.ablations if one.accuracy_change < 0}
    assert {place for kind, place in missed if kind == "border"} == {(2,)}  # column 4 is the second from the right
    covering = {
        one.place
        for one in ablation.ablations
        if one.kind == "window" and one.place[0] <= 2 < one.place[0] + 2 and one.place[1] <= 4 < one.place[1] + 2
    }
    assert {place for kind, place in missed if kind == "window"} == covering != set()
    for one in ablation.ablations:
        assert one.accuracy_change in (0, -0.5)
        assert one.is_significant == (one.accuracy_change < 0)
        low, high = paired_interval(np.array([0]), np.array([30 if one.accuracy_change else 0]), 60)
        assert one.interval == (low[0], high[0])
    assert ablation.marking.num_tests == len(ablation.ablations)


def covers(kind, place, row, column):
    """Whether a lesion of an image of 12 by 11 pixels blanks one of them."""
    if kind == "border":
        return min(row, column, 11 - row, 10 - column) < place[0]
    if kind == "resolution":
        return False
    return 0 <= row - place[0] < place[2] and 0 <= column - place[1] < place[3]


def test_every_lesion_is_the_evaluation_of_images_changed_by_loops():
    data, model = noises(50), untrained(cs.presets.cnn((12, 11, 1), 7))
    ablation = ablate_inputs(model, data)
    whole = cs.evaluate(model, data.test)
    assert ablation.accuracy == whole.accuracy
    values = np.bincount(data.train.images.ravel(), minlength=256)
    assert ablation.background == (values.argmax(),)
    for one in ablation.ablations[::7]:
        images = data.test.images.copy()
        for row, column in np.ndindex(12, 11):
            if covers(one.kind, one.place, row, column):
                images[:, row, column] = ablation.background
        if one.kind == "resolution":
            images = coarsened(images, one.place[0])
        changed = cs.evaluate(model, cs.Dataset(images, data.test.labels, data.test.class_names))
        assert one.accuracy_change == pytest.approx(changed.accuracy - whole.accuracy, abs=1e-12)


def test_borders_of_large_images_leave_something():
    shape = (70, 40, 3)
    model = untrained(cs.Architecture(cs.Input(*shape), (cs.MaxPooling2D(10), cs.Flatten(), cs.Dense(2))))
    ablation = ablate_inputs(model, noises(12, 2, shape))
    borders = [one.place[0] for one in ablation.ablations if one.kind == "border"]
    assert (borders[0], borders[-1], len(borders)) == (1, 19, 19)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 5, 1), (2, 2, 3), (3, 3, 1)])
def test_the_smallest_images_have_something_to_take_away(shape):
    model = untrained(cs.Architecture(cs.Input(*shape), (cs.Flatten(), cs.Dense(2))))
    ablation = ablate_inputs(model, noises(12, 2, shape))
    assert "window" in {one.kind for one in ablation.ablations}
    assert ("border" in {one.kind for one in ablation.ablations}) == (min(shape[:2]) > 2)


@pytest.mark.slow
def test_what_costs_too_much_leaves_images_out(monkeypatch):
    values = 12 * 11 * 7  # so few that blocks of images are taken
    monkeypatch.setattr("convscope.evidence.ablation.inputs._BLOCK_VALUES", values)
    data, model = noises(600), untrained(cs.presets.cnn((12, 11, 1), 7))
    few = ablate_inputs(model, data, most_macs=1)
    assert (few.num_images, few.num_images_left_out) == (200, 400)
    some = data.test.take(np.linspace(0, 599, 200).round().astype(int))
    assert few.accuracy == cs.evaluate(model, some).accuracy
    assert few == replace(ablate_inputs(model, cs.Splits(data.train, some)), num_images_left_out=400)


def test_it_is_plain_json_and_text_names_the_worst():
    ablation = ablate_inputs(reads_one_pixel(2, 4), dots(2, 4))
    assert decode(encode(ablation), InputAblation, "ablation.json") == ablation
    row = str(ablation).splitlines()[4].split()
    assert row[:6] == ["border", "2", "1", "-0.5000", "2", "wide"]
    assert ">-0.5000</td>" in ablation._repr_html_()


def test_other_classes_are_rejected():
    with pytest.raises(ValueError, match="noise has 7 classes"):
        ablate_inputs(reads_one_pixel(2, 4), noises(20, 7, (8, 6, 1)))
