"""The whole preparation of a picture for a network that reads handwriting."""

import json

import numpy as np
import pytest
from tests import generated_pictures

from convscope.base.averaging import average
from convscope.data.handwriting import STEPS, Handwriting, prepare

MNIST = Handwriting("light", target=20)


def grey(rows):
    return np.array(rows, np.uint8)


def on_ground(shape, boxes, ground=0, ink=255):
    """Return a picture with filled boxes (top, bottom, left, right) on a ground."""
    picture = np.full(shape, ground, np.uint8)
    for top, bottom, left, right in boxes:
        picture[top:bottom, left:right] = ink
    return picture


def steps_without(step):
    return [name for name in MNIST.steps if name != step]


def stages(prepared):
    """Return the picture after each step, by the name of the step."""
    return {stage.name: stage.pixels[..., 0] for stage in prepared.stages}


def test_area_averaging_is_exact():
    picture = grey([[0, 90, 240], [30, 60, 120]])[..., np.newaxis]
    assert average(picture, 1, 1)[..., 0].tolist() == [[90]]
    # (0 + 90/2) / 1.5, (90/2 + 240) / 1.5; (30 + 60/2) / 1.5, (60/2 + 120) / 1.5
    assert average(picture, 2, 2)[..., 0].tolist() == [[30, 190], [40, 100]]
    assert average(picture, 2, 6)[0, :, 0].tolist() == [0, 0, 90, 90, 240, 240]
    assert average(picture, 2, 4)[0, :, 0].tolist() == [0, 60, 140, 240]  # 1/4 of a pixel, 2/4, ...


def test_dark_ink_on_grey_paper_becomes_light_ink_on_black():
    picture = on_ground((12, 12), [(4, 8, 5, 7)], ground=200, ink=50)
    prepared = prepare(picture, 28, 28, 1, MNIST)
    seen = stages(prepared)
    assert seen["polarity"].tolist() == on_ground((12, 12), [(4, 8, 5, 7)], 55, 205).tolist()
    assert seen["light"].tolist() == on_ground((12, 12), [(4, 8, 5, 7)], 0, 191).tolist()  # 255 · 150 / 200
    assert prepared.hints == ("inverted",)
    without_light = stages(prepare(picture, 28, 28, 1, MNIST, ["polarity", "ink"]))
    assert without_light["ink"].tolist() == on_ground((12, 12), [(4, 8, 5, 7)], 0, 150).tolist()


def test_noise_of_the_paper_is_removed():
    picture = on_ground((40, 40), [(10, 30, 18, 22)], ground=200, ink=20).astype(int)
    picture += np.random.default_rng(0).integers(-5, 6, picture.shape)
    for steps in (None, ["polarity", "ink"]):
        cleaned = stages(prepare(picture.astype(np.uint8), 28, 28, 1, MNIST, steps))["ink"]
        assert cleaned[:8].max() == 0
        assert cleaned[10:30, 18:22].min() > 150


def test_crop_scale_and_centre():
    picture = on_ground((40, 40), [(3, 33, 5, 20)])  # 30 × 15
    prepared = prepare(picture, 28, 28, 1, MNIST)
    seen = stages(prepared)
    assert seen["crop"].shape == (30, 15)
    assert seen["scale"].shape == (20, 10)
    assert seen["scale"].min() == 255
    rows, columns = (np.flatnonzero(prepared.image[..., 0].any(axis=axis)) for axis in (1, 0))
    # 20 × 10 pixels whose middle lies between the rows 14 and 15: MNIST's is row 14 too, not 13.5.
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (5, 24, 10, 19)
    assert prepared.clipped == 0


def test_ink_below_the_threshold_does_not_widen_the_box():
    picture = on_ground((20, 20), [(5, 15, 5, 15)])
    picture[0, 0], picture[19, 19] = 51, 52  # 51 is a fifth of 255
    assert stages(prepare(picture, 28, 28, 1, MNIST, ["crop"]))["crop"].shape == (15, 15)


def test_thin_lines_are_as_strong_as_thick_ones():
    picture = on_ground((200, 200), [(20, 180, 100, 101), (179, 180, 100, 180)])
    seen = stages(prepare(picture, 28, 28, 1, MNIST))
    assert seen["scale"].max() < 255
    assert seen["contrast"].max() == 255
    assert stages(prepare(picture, 28, 28, 1, MNIST, steps_without("contrast")))["contrast"].max() < 255


def test_ink_that_centring_moves_out_is_counted():
    picture = on_ground((12, 12), [(1, 11, 1, 2), (1, 11, 6, 11)])  # mass far to the right of the box's middle
    prepared = prepare(picture, 10, 10, 1, Handwriting("light", 10))
    lost = 1 - prepared.image.sum() / (60 * 255)
    assert prepared.clipped == 15 / 60 == pytest.approx(lost)  # a column of 10, and of the last row 5
    assert prepare(picture, 10, 10, 1, Handwriting("light", 10), steps_without("centre")).clipped == 0


@pytest.mark.parametrize("shape", [(10, 20, 1), (400, 33, 3)])
def test_without_steps_a_picture_is_resized_as_the_pictures_of_a_data_set(shape):
    picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    prepared = prepare(picture, 12, 10, shape[2], MNIST, [])
    assert np.array_equal(prepared.image, average(picture, 12, 10))
    assert [stage.is_taken for stage in prepared.stages] == [True, *[False] * len(STEPS)]


@pytest.mark.parametrize("left_out", STEPS)
def test_every_step_changes_the_image(left_out):
    picture = on_ground((50, 40), [(4, 24, 6, 8), (22, 24, 6, 16), (44, 45, 30, 31)], ground=220, ink=100)
    picture[30] = 170  # a ruled line
    picture[:, 20:] //= 2  # a shadow
    whole = prepare(picture, 28, 28, 1, MNIST, STEPS)
    partly = prepare(picture, 28, 28, 1, MNIST, [step for step in STEPS if step != left_out])
    assert not np.array_equal(whole.image, partly.image)


@pytest.mark.parametrize("target", [28, 2**70])
def test_oversized_ink_is_shrunk_to_fit(target):
    picture = on_ground((60, 30), [(5, 55, 12, 18)])
    assert stages(prepare(picture, 20, 32, 1, Handwriting("light", target)))["scale"].shape[0] == 20


@pytest.mark.parametrize(
    ("picture", "hints"),
    [
        (on_ground((50, 50), [(10, 40, 20, 30)]), ()),
        (on_ground((50, 50), []), ("empty",)),
        (on_ground((50, 50), [(10, 40, 20, 30)], 0, 25), ("empty",)),
        (on_ground((50, 50), [(10, 40, 10, 20), (15, 35, 30, 40)]), ("several",)),
        (on_ground((50, 50), [(10, 40, 10, 20), (15, 29, 30, 40)]), ()),  # less than half as long
        (on_ground((50, 50), [(10, 40, 10, 20), (15, 35, 25, 40)]), ()),  # less than a fifth apart
        (on_ground((50, 50), [(22, 31, 22, 28)]), ("tiny",)),
        (on_ground((50, 50), [(10, 40, 2, 12)]), ("off-centre",)),
        (on_ground((50, 50), [(2, 9, 2, 9)], 255, 0), ("inverted", "tiny", "off-centre")),
    ],
)
def test_hints_say_what_may_be_wrong_whatever_the_steps(picture, hints):
    for steps in (STEPS, ()):
        assert prepare(picture, 28, 28, 1, MNIST, steps).hints == hints
    assert prepare(picture, 28, 28, 1, Handwriting("light", 20, centre=False)).hints == ()


def test_colours_become_grey_by_luma():
    picture = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], np.uint8)
    assert stages(prepare(picture, 1, 4, 1, MNIST, []))["picture"].tolist() == [[76, 150, 29, 255]]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_an_image_has_the_channels_of_the_network(channels):
    for picture in (on_ground((30, 30), [(5, 25, 12, 16)]), np.full((30, 30, 3), 80, np.uint8)):
        image = prepare(picture, 12, 14, channels, MNIST).image
        assert image.shape == (12, 14, channels)
        assert image.dtype == np.uint8
        if channels in (2, 4):
            assert image[..., -1].min() == 255


def test_a_large_picture_is_averaged_down_first():
    picture = np.random.default_rng(0).integers(0, 256, (300, 500), np.uint8)
    first = prepare(picture, 28, 28, 1, MNIST).stages[0].pixels
    assert np.array_equal(first, average(picture[..., np.newaxis], 168, 280))


@pytest.mark.parametrize(
    ("picture", "shape", "steps", "message"),
    [
        (np.zeros((5, 5)), (28, 28, 1), None, "picture is"),
        (np.zeros((5, 5, 4), np.uint8), (28, 28, 1), None, "picture is"),
        (np.zeros((0, 5), np.uint8), (28, 28, 1), None, "picture is"),
        (np.zeros((5, 5), np.uint8), (28, 0, 1), None, "the image is"),
        (np.zeros((5, 5), np.uint8), (28, 28, 5), None, "the image is"),
        (np.zeros((5, 5), np.uint8), (28, 28, 1), ["center"], "steps has 'center'"),
    ],
)
def test_unusable_pictures_are_refused(picture, shape, steps, message):
    with pytest.raises(ValueError, match=message):
        prepare(picture, *shape, MNIST, steps)


@pytest.mark.slow
def test_generated_pictures_give_the_same_bytes_as_ever_and_as_in_the_page():
    assert generated_pictures.digests() == json.loads(generated_pictures.FILE.read_text(encoding="utf-8"))
