"""The explanation of an image: every layer's output and the prediction."""

import json

import numpy as np
import pytest
from tests.noise import init_model

import convscope as cs


def make_dataset(model, count=3):
    shape = model.architecture.input.shape
    stream = np.random.default_rng(0)
    images = stream.integers(0, 256, (count, *shape), np.uint8)
    labels = stream.integers(0, len(model.class_names), count)
    return cs.Dataset(images, labels, model.class_names, "shapes", "test")


ARCHITECTURES = {
    "cnn": cs.presets.cnn(),
    "ann": cs.presets.ann(),
    "colour, not square, 2 classes": cs.presets.cnn((20, 32, 3), 2),
    "100 classes, linear end": cs.Architecture(
        cs.Input(9, 7), (cs.Conv2D(5, (2, 3), (2, 1), "same", "relu"), cs.Flatten(), cs.Dense(100))
    ),
    "one dense layer": cs.Architecture(cs.Input(4, 4), (cs.Flatten(), cs.Dense(3, "softmax"))),
}
architectures = pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES.keys())


@architectures
def test_explanation_holds_every_layers_output_in_order(architecture):
    model = init_model(architecture)
    explanation = cs.explain(model, make_dataset(model), 1)
    shapes = {row.layer.name: row.output_shape for row in architecture.table}
    assert {name: output.shape for name, output in explanation.activations.items()} == shapes
    assert list(explanation.activations) == list(shapes)
    assert [layer.layer for layer in explanation.layers] == list(shapes)


@architectures
def test_an_explanation_equals_the_outputs_of_the_model(architecture):
    model = init_model(architecture)
    dataset = make_dataset(model)
    explanation = cs.explain(model, dataset, 2)
    np.testing.assert_array_equal(explanation.image, dataset.images[2])
    assert (explanation.index, explanation.label) == (2, dataset.labels[2])
    assert explanation.predicted == model.predict(dataset.images)[2]
    np.testing.assert_allclose(explanation.probabilities, model.probabilities(dataset.images)[2], rtol=1e-6)
    last = explanation.activations[architecture.layers[-1].name]
    is_softmax = architecture.layers[-1].activation == "softmax"
    expected = explanation.probabilities if is_softmax else model.logits(dataset.images)[2]
    np.testing.assert_allclose(last, expected, rtol=1e-5)


@architectures
def test_to_dict_is_finite_plain_json_of_modest_size(architecture):
    model = init_model(architecture)
    values = cs.explain(model, make_dataset(model)).to_dict()
    text = json.dumps(values, allow_nan=False)
    assert json.loads(text) == values
    assert len(text) < 20_000
    assert [layer["kind"] for layer in values["layers"]] == [layer.kind for layer in architecture.layers]
    assert len(values["kernels"]) == sum(layer.kind == "Conv2D" for layer in architecture.layers)
    assert sum(values["probabilities"]) == pytest.approx(1)


def test_text_names_every_layer_and_the_verdict():
    model = init_model(cs.presets.cnn())
    explanation = cs.explain(model, make_dataset(model))
    text = str(explanation)
    assert "Image 0 of the test split of shapes: predicted" in text
    assert all(f"{row.layer.name} ({row.layer.kind})" in text for row in model.architecture.table)
    assert ("(correct" in text.splitlines()[0]) == (explanation.predicted == explanation.label)


@pytest.mark.parametrize(
    ("index", "error", "message"),
    [
        (3, IndexError, "index is 3; shapes has images 0 to 2 in its test split"),
        (-1, IndexError, "index is -1; shapes has images 0 to 2"),
        (1.0, TypeError, "index is 1.0; it must be a whole number"),
    ],
)
def test_explain_rejects_an_index(index, error, message):
    model = init_model(cs.presets.ann())
    with pytest.raises(error, match=message):
        cs.explain(model, make_dataset(model), index)


def test_explain_rejects_images_of_another_size():
    model, mismatched = init_model(cs.presets.ann()), init_model(cs.presets.ann((8, 8, 1)))
    with pytest.raises(ValueError, match=r"this model needs uint8 \(N, 28, 28, 1\)"):
        cs.explain(model, make_dataset(mismatched))


def test_explain_rejects_other_classes():
    model, mismatched = init_model(cs.presets.ann()), init_model(cs.presets.ann(num_classes=3))
    with pytest.raises(ValueError, match="shapes has 3 classes, but this model has 10"):
        cs.explain(model, make_dataset(mismatched))


def test_a_notebook_gets_the_same_table_with_names_as_data():
    model = init_model(cs.presets.cnn())
    data = make_dataset(model)
    hostile = cs.Dataset(data.images, data.labels, data.class_names, "<b>shapes", "test")
    page = cs.explain(model, hostile)._repr_html_()
    assert "&lt;b&gt;shapes" in page
    assert "<b>" not in page
    assert page.count("<tr>") == 1 + len(model.architecture.layers)
