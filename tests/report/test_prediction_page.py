"""The page of `convscope predict --explain`."""

import re
from base64 import b64decode
from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from convscope.architecture import presets
from convscope.data.handwriting import Handwriting
from convscope.engine import initial_weights
from convscope.evidence.rejection import RejectionRule
from convscope.prediction import map_predictions, predict
from convscope.report import prediction_page
from convscope.report.prediction_page import PredictionPage, render_prediction_page
from convscope.report.prediction_views import PHOTO_SIDE, photo_picture
from convscope.training.model import Model

HOSTILE = '</script><img src=x onerror="alert(1)">'


def make_model(names=tuple("0123456789"), shape=(28, 28, 1), **more):
    network = presets.ann(shape, len(names))
    more = {"handwriting": Handwriting("light", 20), **more}
    return Model(network, initial_weights(network, 0), names, **more)


def draw_stroke(height=90, width=120):
    picture = np.full((height, width, 3), (250, 245, 230), np.uint8)
    picture[height // 4 : height // 2, width // 4 : width // 3] = (20, 20, 90)
    return picture


def make_page(model, pictures, names=None):
    page = PredictionPage("runs/one", model.class_names)
    predictions = predict(model, pictures, names=names)
    maps = map_predictions(model, predictions)
    for prediction, picture, attribution in zip(predictions, pictures, maps, strict=True):
        page.add(prediction, picture, attribution)
    return page


def decode(uri):
    return np.asarray(Image.open(BytesIO(b64decode(uri.split(",")[1]))))


def make_calibration(threshold):
    """Make a rule that rejects images whose largest logit is below the threshold, and a temperature."""
    return {
        "rejection": RejectionRule({"max_logit": threshold}, {"max_logit": 0.0}, 0.99, 100, 99, 0, {}).to_dict(),
        "temperature": 2.0,
    }


def test_each_picture_is_shown_with_its_steps_its_prediction_and_its_attribution():
    model = make_model()
    page = make_page(model, [draw_stroke(), draw_stroke(60, 60)], ["a.png", "b.png"])
    html = render_prediction_page(page, "convscope predict x")
    for number, name in ((1, "a.png"), (2, "b.png")):
        section = re.search(rf'<section id="picture-{number}">.*?</section>', html, re.DOTALL)[0]
        assert f'<h2 class="file">{name}</h2>' in section
        titles = re.findall(r"<li.*?<p>(.*?)</p>", section)
        steps = titles[1:-1]
        assert [titles[0], titles[-1]] == ["picture", "attribution"]
        assert steps == [step for step in model.handwriting.steps if step in steps]  # in their order
        assert section.count('style="width:') == 5  # bars: the five likeliest of ten classes
    assert "5 more classes" in html
    assert "convscope predict x" in html


def test_the_last_step_shows_the_image_that_the_network_reads():
    model = make_model()
    (prediction,) = predict(model, [draw_stroke()])
    view = make_page(model, [draw_stroke()]).pictures[0]
    np.testing.assert_array_equal(decode(view["steps"][-1]["uri"]), prediction.prepared.image[..., 0])
    assert view["image"] is None
    pictures = [step["uri"] for step in view["steps"]]
    assert all(before != after for before, after in pairwise(pictures))  # a step that changes nothing is left out
    assert len(pictures) < len(prediction.steps)


def test_a_picture_that_needs_no_preparation_is_shown_without_steps(mnist):
    image = mnist.test.images[0]
    view = make_page(make_model(), [image]).pictures[0]
    assert view["steps"] == []
    np.testing.assert_array_equal(decode(view["image"]["uri"]), image[..., 0])
    assert view["done"] == "as it is"


def test_names_are_data_and_never_markup():
    names = (HOSTILE, f"{HOSTILE}2", "\x1b[31m")
    page = make_page(make_model(names), [draw_stroke()] * 2, [HOSTILE, "b"])
    html = render_prediction_page(page, f"convscope {HOSTILE}")
    assert "<script" not in html
    assert "<img src=x" not in html
    assert "&lt;/script&gt;&lt;img src=x" in html
    assert "\x1b" not in html
    assert not re.search(r"(?:src|href)=\"(?!data:|#)", html)


def test_a_refused_picture_is_marked_before_its_nearest_class():
    refusing, accepting = (make_model(calibration=make_calibration(threshold)) for threshold in (1e9, -1e9))
    html = render_prediction_page(make_page(refusing, [draw_stroke()]))
    assert re.search(r'class="score refused">none of these <small>nearest \d, ', html)
    assert "Refused as none of the classes" in html
    html = render_prediction_page(make_page(accepting, [draw_stroke()] * 3))
    assert "No picture is refused" in html
    assert "not calibrated" not in html
    blank = np.full((90, 120, 3), 255, np.uint8)
    html = render_prediction_page(make_page(accepting, [draw_stroke(), blank]))
    assert "1 of 2 is refused as none of the classes" in html
    assert "hardly any ink was found" in html


def test_missing_parts_of_the_model_are_named():
    html = render_prediction_page(make_page(make_model(handwriting=None), [draw_stroke()]))
    assert "not calibrated" in html
    assert "<code>convscope report RUN calibration</code>" in html
    assert "does not say how its images were made" in html
    assert "<h1>The prediction</h1>" in html


def test_beyond_the_limit_pictures_are_only_counted(monkeypatch):
    monkeypatch.setattr(prediction_page, "MAX_PICTURES", 2)
    page = make_page(make_model(), [draw_stroke()] * 5)
    assert page.is_full
    assert (len(page.pictures), page.num_pictures) == (2, 5)
    assert "The first 2 of 5 pictures are shown." in render_prediction_page(page)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(8, 8, 1), (20, 36, 1), (40, 40, 3), (300, 20, 1)])
def test_images_of_any_size_are_shown(shape):
    for handwriting in (Handwriting("dark", 6), Handwriting("light", 6, centre=False)):
        model = make_model(tuple(map(str, range(1000))), shape, handwriting=handwriting)
        html = render_prediction_page(make_page(model, [draw_stroke(), draw_stroke(20, 400), draw_stroke(3, 2)]))
        assert "995 more classes" in html


def test_large_photos_are_made_smaller_and_small_ones_kept_pixel_by_pixel():
    large = photo_picture(np.tile(draw_stroke(), (20, 20, 1)))
    assert large["uri"].startswith("data:image/jpeg")
    assert max(decode(large["uri"]).shape[:2]) == PHOTO_SIDE
    assert (large["width"], large["height"]) == (320, 240)
    small = photo_picture(draw_stroke())
    np.testing.assert_array_equal(decode(small["uri"]), draw_stroke())
    assert photo_picture(draw_stroke(7, 9000))["height"] >= 1
    assert decode(photo_picture(draw_stroke(200, 300)[..., :1])["uri"]).shape == (200, 300)


def test_an_attribution_of_zeros_is_transparent():
    model = make_model()
    (prediction,) = predict(model, [draw_stroke()])
    page = PredictionPage("run", model.class_names)
    page.add(prediction, draw_stroke(), np.zeros((28, 28)))
    assert decode(page.pictures[0]["map"]["uri"])[..., 3].max() == 0
