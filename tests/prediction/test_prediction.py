"""Predictions of single pictures: preparation, calibration, rejection, words, JSON and attribution maps."""

import json
from dataclasses import replace

import numpy as np
import pytest

from convscope.architecture import presets
from convscope.base.errors import RunError
from convscope.base.metrics import softmax
from convscope.data.handwriting import STEPS, Handwriting, prepare
from convscope.engine import initial_weights
from convscope.evidence.rejection import RejectionRule
from convscope.prediction import METHOD, Answer, map_predictions, predict, prediction
from convscope.training.model import Model

MNIST_LIKE = Handwriting("light", 20)
NAMES = tuple(f"class {label}" for label in range(10))


def make_model(shape=(28, 28, 1), classes=10, **more):
    network = presets.ann(shape, classes)
    names = NAMES[:classes] if classes <= 10 else tuple(map(str, range(classes)))
    return Model(network, initial_weights(network, 0), names, **{"handwriting": MNIST_LIKE, **more})


def draw_stroke(height=90, width=120):
    """Draw a photo of dark blue ink on pale paper."""
    picture = np.full((height, width, 3), (250, 245, 230), np.uint8)
    picture[height // 4 : height // 2, width // 4 : width // 3] = (20, 20, 90)
    return picture


def make_rule(threshold):
    """Make a rule that rejects images whose largest logit is below the threshold."""
    return RejectionRule({"max_logit": threshold}, {"max_logit": 0.0}, 0.99, 100, 99, 0, {}).to_dict()


def test_the_prediction_of_a_picture_is_that_of_its_prepared_image():
    model = make_model()
    (answer,) = predict(model, [draw_stroke()], names=["a.png"])
    image = prepare(draw_stroke(), 28, 28, 1, MNIST_LIKE).image
    np.testing.assert_array_equal(answer.prepared.image, image)
    expected = softmax(model.logits(image[None]).astype(np.float64))[0]
    np.testing.assert_allclose(answer.probabilities, expected, rtol=0, atol=1e-12)
    first, second = np.argsort(-expected)[:2]
    assert answer.answer == Answer(int(first), NAMES[first], expected[first])
    assert answer.runner_up == Answer(int(second), NAMES[second], expected[second])
    assert (answer.file, answer.size, answer.is_as_made, answer.is_assumed) == ("a.png", (90, 120), False, False)
    assert (answer.label, answer.class_name, answer.probability) == (first, NAMES[first], expected[first])


def test_probabilities_use_the_temperature_of_the_model():
    plain, calibrated = make_model(), make_model(calibration={"temperature": 4.0})
    (first,), (second,) = predict(plain, [draw_stroke()]), predict(calibrated, [draw_stroke()])
    assert not first.is_calibrated
    assert second.is_calibrated
    assert second.label == first.label
    assert second.probability < first.probability  # a temperature of 4 makes predictions less confident
    image = first.prepared.image[None]
    np.testing.assert_array_equal(second.probabilities, calibrated.calibrated_probabilities(image)[0])


def test_of_equal_probabilities_the_first_class_is_predicted():
    model = make_model()
    even = replace(model, weights={name: np.zeros_like(weight) for name, weight in model.weights.items()})
    (prediction,) = predict(even, [draw_stroke()])
    assert (prediction.label, prediction.runner_up.label) == (0, 1)


@pytest.mark.parametrize(("threshold", "refused"), [(-1e9, False), (1e9, True)])
def test_the_rule_of_the_model_decides_between_none_of_these_and_accepted(threshold, refused):
    (prediction,) = predict(make_model(calibration={"rejection": make_rule(threshold)}), [draw_stroke()])
    assert prediction.none_of_these is refused
    assert ("none of these" if refused else "accepted by the model's rejection rule") in str(prediction)


def test_none_of_these_is_untested_without_a_rule():
    (prediction,) = predict(make_model(), [draw_stroke()])
    assert prediction.none_of_these is None
    assert "not tested: the model has no rejection rule" in str(prediction)


def test_a_picture_without_ink_is_none_of_these():
    for model in (make_model(), make_model(calibration={"rejection": make_rule(-1e9)})):
        (prediction,) = predict(model, [np.full((40, 50), 255, np.uint8)])
        assert prediction.hints == ("empty",)
        assert prediction.none_of_these is True


@pytest.mark.parametrize(
    "damaged", [{"thresholds": {"none": 1}}, 3, {**make_rule(0.0), "thresholds": {"max_logit": "high"}}]
)
def test_a_damaged_rule_is_an_error_of_the_run(damaged):
    with pytest.raises(RunError, match="rule cannot be used"):
        predict(make_model(calibration={"rejection": damaged}), [draw_stroke()])


def test_images_of_the_data_set_are_left_as_they_are(mnist):
    model, images = make_model(), mnist.test.images[:64]
    for pictures in (list(images), [image[..., 0] for image in images], [image.repeat(3, axis=2) for image in images]):
        predictions = predict(model, pictures)
        assert all(prediction.is_as_made for prediction in predictions)
        np.testing.assert_array_equal([prediction.label for prediction in predictions], model.predict(images))
        np.testing.assert_array_equal(predictions[5].prepared.image, images[5])
    assert predictions[0].steps == ()
    assert predictions[0].done == "as it is"


def test_requested_steps_are_applied_to_every_picture(mnist):
    (prediction,) = predict(make_model(), [mnist.test.images[0]], steps=("polarity", "centre"))
    assert not prediction.is_as_made
    assert prediction.steps == ("polarity", "centre")
    with pytest.raises(ValueError, match=r"steps\[0\] is 'fold'; it must be one of"):
        predict(make_model(), [draw_stroke()], steps=("fold",))


def test_applied_steps_are_described_in_words():
    model = make_model()
    usual = MNIST_LIKE.steps

    def describe(steps=None, model=model):
        return predict(model, [draw_stroke()], steps=steps)[0].done

    assert describe() == "90 × 120 → 28 × 28, inverted, all steps"
    assert describe([step for step in usual if step != "crop"]) == "90 × 120 → 28 × 28, inverted, without crop"
    assert describe(["scale"]) == "90 × 120 → 28 × 28, only scale"
    assert describe([]) == "90 × 120 → 28 × 28, only resized"
    assert describe(model=make_model(handwriting=Handwriting("light", 20, centre=False))) == describe([])
    for extra in set(STEPS) - set(usual):
        assert describe([*usual, extra]) == f"90 × 120 → 28 × 28, inverted, all steps, with {extra}"


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (20, 36, 1), (64, 64, 3)])
def test_pictures_are_prepared_to_any_size_and_number_of_channels(shape):
    for handwriting in (Handwriting("light", 6), Handwriting("dark", 6), Handwriting("light", 6, centre=False)):
        predictions = predict(
            make_model(shape, handwriting=handwriting), [draw_stroke(), draw_stroke()[..., 0], draw_stroke()[..., :1]]
        )
        assert [prediction.prepared.image.shape for prediction in predictions] == [shape] * 3


def test_a_grey_picture_of_the_right_size_is_left_as_it_is_in_three_channels():
    model = make_model((28, 28, 3), handwriting=Handwriting("light", 20, centre=False))
    grey = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    (prediction,) = predict(model, [grey])
    assert prediction.is_as_made
    np.testing.assert_array_equal(prediction.prepared.image, grey[..., None].repeat(3, axis=2))


def test_more_pictures_than_a_batch_are_predicted_in_their_order(monkeypatch, mnist):
    monkeypatch.setattr(prediction, "_BATCH_IMAGES", 7)
    model, images = make_model(), mnist.test.images[:20]
    predictions = predict(model, list(images))
    np.testing.assert_array_equal([answer.label for answer in predictions], model.predict(images))
    assert [answer.file for answer in predictions][:2] == ["picture 1", "picture 2"]
    assert predict(model, []) == ()


def test_names_and_pictures_must_fit():
    with pytest.raises(ValueError, match="2 names for 1 picture"):
        predict(make_model(), [draw_stroke()], names=["a", "b"])
    for picture in (np.zeros((4, 4, 2), np.uint8), np.zeros((4, 4)), np.zeros((0, 4), np.uint8)):
        with pytest.raises(ValueError, match="picture is"):
            predict(make_model(), [picture])


def test_a_prediction_is_plain_json_text_and_html():
    (prediction,) = predict(make_model(), [draw_stroke()], names=["<b>\x1b[31m.png"])
    value = json.loads(json.dumps(prediction.to_dict(), allow_nan=False))
    assert value["file"] == "<b>\x1b[31m.png"
    assert value["label"] == prediction.label
    assert value["size"] == [90, 120]
    assert value["steps"] == list(MNIST_LIKE.steps)
    assert sum(value["probabilities"]) == pytest.approx(1)
    assert {"class_name", "probability", "none_of_these", "hints", "is_calibrated"} <= value.keys()
    assert "\x1b" not in str(prediction)
    assert "all steps" in str(prediction)
    assert "&lt;b&gt;" in prediction._repr_html_()


def test_attribution_maps_add_up_to_the_logit_minus_that_of_the_background():
    model = make_model()
    predictions = predict(model, [draw_stroke(), draw_stroke(60, 200), draw_stroke(200, 60)])
    maps = map_predictions(model, predictions)
    assert METHOD == "integrated_gradients"
    assert maps.shape == (3, 28, 28)
    labels = np.array([prediction.label for prediction in predictions])
    images = np.stack([prediction.prepared.image for prediction in predictions])
    gain = (model.logits(images) - model.logits(np.zeros_like(images)))[np.arange(3), labels]
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), gain, rtol=0.05, atol=0.02)


def test_the_background_of_dark_ink_has_no_attribution():
    model = make_model(handwriting=Handwriting("dark", 20))
    predictions = predict(model, [draw_stroke()])
    (answer_map,) = map_predictions(model, predictions)
    assert (answer_map[predictions[0].prepared.image[..., 0] == 255] == 0).all()
    assert np.abs(answer_map).max() > 0


def test_no_maps_are_given_for_no_images():
    assert map_predictions(make_model(), []).shape == (0, 28, 28)


def test_probabilities_are_averaged_over_views():
    model = make_model(calibration={"temperature": 2.0})
    (answer,) = predict(model, [draw_stroke()], views=9)
    np.testing.assert_allclose(answer.probabilities, model.calibrated_probabilities(answer.prepared.image[None], 9)[0])
    assert not np.allclose(answer.probabilities, predict(model, [draw_stroke()])[0].probabilities, rtol=1e-3)
    with pytest.raises(ValueError, match="views is 2; it must be 1, 5 or 9"):
        predict(model, [draw_stroke()], views=2)
