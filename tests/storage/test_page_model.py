"""A model file that the page saved; web/tests/model_file.test.ts checks that the page still writes these bytes."""

import json
from pathlib import Path

import numpy as np
from tests.shared import invoke, succeed

import convscope as cs

FIXTURES = Path(__file__).parents[2] / "web/tests/fixtures"
FILE = FIXTURES / "page_model.safetensors"
EXPECTED = json.loads((FIXTURES / "steps.json").read_text())["model"]


def test_load_model_reads_a_model_saved_in_the_page():
    model = cs.load_model(FILE)
    np.testing.assert_allclose(model.logits(np.array(EXPECTED["images"], np.uint8)), EXPECTED["logits"], atol=1e-4)
    assert model.name == "residual, changed"
    assert list(model.class_names) == EXPECTED["description"]["class_names"]
    assert model.provenance == EXPECTED["description"]["provenance"]
    assert model.handwriting is not None
    assert model.handwriting.to_dict() == EXPECTED["description"]["handwriting"]
    recipe = cs.Recipe.from_dict(model.provenance["recipe"])
    assert (recipe.epochs, recipe.optimizer) == (3, cs.SGD(0.05, 0.9, nesterov=True))


def test_evaluate_measures_a_model_saved_in_the_page(tmp_path: Path):
    images, labels = np.array(EXPECTED["images"], np.uint8), np.argmax(EXPECTED["logits"], axis=1)
    names = np.array(EXPECTED["description"]["class_names"])
    np.savez(tmp_path / "drawn.npz", x_test=images, y_test=labels, class_names=names)
    measured = succeed("evaluate", FILE, "--dataset", tmp_path / "drawn.npz", "--json")
    without_data = invoke("evaluate", FILE)
    assert (without_data.exit_code, without_data.output.count("Error: ")) == (1, 1)
    assert "a model file has no images of its own; name a data set with --dataset" in without_data.output
    assert (measured["num_images"], measured["accuracy"], measured["num_trained_on"]) == (4, 1.0, None)
