"""The notebooks that need Keras or train for long, executed on the backend in use."""

import json
import re
from pathlib import Path

import pytest
from tests.documentation.test_notebooks import EXAMPLES, execute

NOTEBOOK = EXAMPLES / "mnist_cnn.ipynb"


@pytest.mark.slow
def test_the_notebook_brings_a_keras_model_and_gives_it_back(tmp_path: Path):
    page = execute(EXAMPLES / "keras_model.ipynb", tmp_path)
    difference, changed = re.search(r"largest difference ([\d.e-]+), (\d+) changed answers", page).groups()
    assert float(difference) < 1e-4
    assert int(changed) == 0
    assert float(re.search(r"largest difference of a logit ([\d.e-]+)", page)[1]) < 1e-4
    assert "byte / 255" in page
    assert re.search(r"Accuracy on the test split of mnist: 9[3-9]", page)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("notebook")
    page = execute(NOTEBOOK, folder)
    assert (folder / "mnist_cnn.safetensors").is_file()
    return page


def test_the_notebook_reaches_the_accuracy_of_its_network(page: str):
    accuracy = re.search(r"Accuracy on the test split of mnist: ([\d.]+) %", page)
    assert accuracy is not None
    assert 98.6 < float(accuracy[1]) < 99.5  # percent; around the accuracies of several seeds
    errors = re.search(r"cnn makes (\d+) errors and ann (\d+)", page)
    assert errors is not None
    assert int(errors[1]) < int(errors[2])


def test_the_notebook_shows_data_network_curves_matrix_kernels_and_maps(page: str):
    code = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    drawn = sum("report.draw_" in "".join(cell["source"]) for cell in code)
    assert drawn > 5
    assert page.count("<figcaption style=") >= drawn + 2  # and the first images of both splits
    assert "max_pooling2d_1 (MaxPooling2D)" in page
    assert "<title>A network of 7 layers, from images of 28 × 28 × 1 to 10 classes</title>" in page
    assert "test_accuracy" in page


def test_the_notebook_on_changes_ends_with_a_verdict(tmp_path: Path):
    page = execute(EXAMPLES / "is_my_change_better.ipynb", tmp_path)
    assert "% fewer errors than" in page
    assert "Variants of normalized, recipe" in page
    assert page.count("<svg") + page.count("image/png") >= 3
