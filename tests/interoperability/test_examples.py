"""The notebook that brings a Keras model, executed on the backend at hand."""

import re
from pathlib import Path

import pytest
from tests.test_examples import EXAMPLES, executed


@pytest.mark.slow
def test_the_notebook_brings_a_keras_model_and_gives_it_back(tmp_path: Path):
    page = executed(EXAMPLES / "keras_model.ipynb", tmp_path)
    difference, changed = re.search(r"largest difference ([\d.e-]+), (\d+) changed answers", page).groups()
    assert float(difference) < 1e-4
    assert int(changed) == 0
    assert float(re.search(r"largest difference of a logit ([\d.e-]+)", page)[1]) < 1e-4
    assert "became the activation of" in page
    assert re.search(r"Accuracy on the test split of mnist: 9[3-9]", page)
