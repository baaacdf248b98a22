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


def model_of(shape=(28, 28, 1), classes=10, **more):
    network = presets.ann(shape, classes)
    names = NAMES[:classes] if classes <= 10 else tuple(map(str, range(classes)))
    return Model(network, initial_weights(network, 0), names, **{"handwriting": MNIST_LIKE, **more})


def pen(height=90, width=120):
    picture = np.full((height, width, 3), (250, 245, 230), np.uint8)
    picture[height // 4 : height // 2, width // 4 : width // 3] = (20, 20, 90)
    return picture


def rule(threshold):
    return RejectionRule({"max_logit": threshold}, {"max_logit": 0.0}, 0.99, 100, 99, 0, {}).to_dict()


def test_a_picture_is_answered_as_its_prepared_image_is():
    model = model_of()
    (answer,) = predict(model, [pen()], names=["a.png"])
    image = prepare(pen(), 28, 28, 1, MNIST_LIKE).image
    np.testing.assert_array_equal(answer.prepared.image, image)
    expected = softmax(model.logits(image[None]).astype(np.float64))[0]
    np.testing.assert_allclose(answer.probabilities, expected, rtol=0, atol=1e-12)
    first, second = np.argsort(-expected)[:2]
    assert answer.answer == Answer(int(first), NAMES[first], expected[first])
    assert answer.runner_up == Answer(int(second), NAMES[second], expected[second])
    assert (answer.file, answer.size, answer.is_as_made, answer.is_assumed) == ("a.png", (90, 120), False, False)
    assert (answer.label, answer.class_name, answer.probability) == (first, NAMES[first], expected[first])


def test_probabilities_use_the_temperature_of_the_model():
    plain, calibrated = model_of(), model_of(calibration={"temperature": 4.0})
    (sure,), (less_sure,) = predict(plain, [pen()]), predict(calibrated, [pen()])
    assert not sure.is_calibrated
    assert less_sure.is_calibrated
    assert less_sure.label == sure.label
    assert less_sure.probability < sure.probability
    image = sure.prepared.image[None]
    np.testing.assert_array_equal(less_sure.probabilities, calibrated.calibrated_probabilities(image)[0])


def test_equal_probabilities_are_answered_by_the_first_class():
    model = model_of()
    even = replace(model, weights={name: np.zeros_like(weight) for name, weight in model.weights.items()})
    (prediction,) = predict(even, [pen()])
    assert (prediction.label, prediction.runner_up.label) == (0, 1)


@pytest.mark.parametrize(("threshold", "refused"), [(-1e9, False), (1e9, True)])
def test_the_rule_of_the_model_decides_none_of_these(threshold, refused):
    (prediction,) = predict(model_of(calibration={"rejection": rule(threshold)}), [pen()])
    assert prediction.none_of_these is refused
    assert ("none of these" if refused else "accepted by the model's rejection rule") in str(prediction)


def test_none_of_these_is_untested_without_a_rule():
    (prediction,) = predict(model_of(), [pen()])
    assert prediction.none_of_these is None
    assert "not tested: the model has no rejection rule" in str(prediction)


def test_a_picture_without_ink_is_none_of_these():
    for model in (model_of(), model_of(calibration={"rejection": rule(-1e9)})):
        (prediction,) = predict(model, [np.full((40, 50), 255, np.uint8)])
        assert prediction.hints == ("empty",)
        assert prediction.none_of_these is True


@pytest.mark.parametrize(
    "damaged", [{"thresholds": {"none": 1}}, 3, {**rule(0.0), "thresholds": {"max_logit": "high"}}]
)
def test_a_damaged_rule_is_an_error_of_the_run(damaged):
    with pytest.raises(RunError, match="rule cannot be used"):
        predict(model_of(calibration={"rejection": damaged}), [pen()])


def test_images_of_the_data_set_are_left_as_they_are(mnist):
    model, images = model_of(), mnist.test.images[:64]
    for pictures in (list(images), [image[..., 0] for image in images], [image.repeat(3, axis=2) for image in images]):
        predictions = predict(model, pictures)
        assert all(prediction.is_as_made for prediction in predictions)
        np.testing.assert_array_equal([prediction.label for prediction in predictions], model.predict(images))
        np.testing.assert_array_equal(predictions[5].prepared.image, images[5])
    assert predictions[0].steps == ()
    assert predictions[0].done == "as it is"


def test_requested_steps_are_applied_to_every_picture(mnist):
    (prediction,) = predict(model_of(), [mnist.test.images[0]], steps=("polarity", "centre"))
    assert not prediction.is_as_made
    assert prediction.steps == ("polarity", "centre")
    with pytest.raises(ValueError, match=r"steps\[0\] is 'fold'; it must be one of"):
        predict(model_of(), [pen()], steps=("fold",))


def test_applied_steps_are_described_in_words():
    model = model_of()
    usual = MNIST_LIKE.steps

    def done(steps=None, model=model):
        return predict(model, [pen()], steps=steps)[0].done

    assert done() == "90 × 120 → 28 × 28, inverted, all steps"
    assert done([step for step in usual if step != "crop"]) == "90 × 120 → 28 × 28, inverted, without crop"
    assert done(["scale"]) == "90 × 120 → 28 × 28, only scale"
    assert done([]) == "90 × 120 → 28 × 28, only resized"
    assert done(model=model_of(handwriting=Handwriting("light", 20, centre=False))) == done([])
    for extra in set(STEPS) - set(usual):
        assert done([*usual, extra]) == f"90 × 120 → 28 × 28, inverted, all steps, with {extra}"


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (20, 36, 1), (64, 64, 3)])
def test_images_of_any_size_and_number_of_channels_are_made(shape):
    for handwriting in (Handwriting("light", 6), Handwriting("dark", 6), Handwriting("light", 6, centre=False)):
        predictions = predict(model_of(shape, handwriting=handwriting), [pen(), pen()[..., 0], pen()[..., :1]])
        assert [prediction.prepared.image.shape for prediction in predictions] == [shape] * 3


def test_a_grey_picture_of_the_right_size_is_left_as_it_is_in_three_channels():
    model = model_of((28, 28, 3), handwriting=Handwriting("light", 20, centre=False))
    grey = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    (prediction,) = predict(model, [grey])
    assert prediction.is_as_made
    np.testing.assert_array_equal(prediction.prepared.image, grey[..., None].repeat(3, axis=2))


def test_more_pictures_than_a_batch_are_answered_in_their_order(monkeypatch, mnist):
    monkeypatch.setattr(prediction, "_BATCH_IMAGES", 7)
    model, images = model_of(), mnist.test.images[:20]
    predictions = predict(model, list(images))
    np.testing.assert_array_equal([answer.label for answer in predictions], model.predict(images))
    assert [answer.file for answer in predictions][:2] == ["picture 1", "picture 2"]
    assert predict(model, []) == ()


def test_names_and_pictures_must_fit():
    with pytest.raises(ValueError, match="2 names for 1 picture"):
        predict(model_of(), [pen()], names=["a", "b"])
    for picture in (np.zeros((4, 4, 2), np.uint8), np.zeros((4, 4)), np.zeros((0, 4), np.uint8)):
        with pytest.raises(ValueError, match="picture is"):
            predict(model_of(), [picture])


def test_an_answer_is_plain_json_and_text():
    (prediction,) = predict(model_of(), [pen()], names=["<b>\x1b[31m.png"])
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


def test_maps_add_up_to_the_logit_minus_that_of_the_background():
    model = model_of()
    predictions = predict(model, [pen(), pen(60, 200), pen(200, 60)])
    maps = map_predictions(model, predictions)
    assert METHOD == "integrated_gradients"
    assert maps.shape == (3, 28, 28)
    labels = np.array([prediction.label for prediction in predictions])
    images = np.stack([prediction.prepared.image for prediction in predictions])
    gain = (model.logits(images) - model.logits(np.zeros_like(images)))[np.arange(3), labels]
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), gain, rtol=0.05, atol=0.02)


def test_the_background_of_dark_ink_has_no_attribution():
    model = model_of(handwriting=Handwriting("dark", 20))
    predictions = predict(model, [pen()])
    (answer_map,) = map_predictions(model, predictions)
    assert (answer_map[predictions[0].prepared.image[..., 0] == 255] == 0).all()
    assert np.abs(answer_map).max() > 0


def test_no_maps_are_given_for_no_images():
    assert map_predictions(model_of(), []).shape == (0, 28, 28)


def test_views_are_averaged():
    model = model_of(calibration={"temperature": 2.0})
    (answer,) = predict(model, [pen()], views=9)
    np.testing.assert_allclose(answer.probabilities, model.calibrated_probabilities(answer.prepared.image[None], 9)[0])
    assert not np.allclose(answer.probabilities, predict(model, [pen()])[0].probabilities, rtol=1e-3)
    with pytest.raises(ValueError, match="views is 2; it must be 1, 5 or 9"):
        predict(model, [pen()], views=2)
