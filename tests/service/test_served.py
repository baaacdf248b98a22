"""Names and checks of the models that the service serves."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convscope.architecture import Input
from convscope.base.errors import RunError
from convscope.data.handwriting import Handwriting
from convscope.service import Served, load_served
from convscope.storage import save_model

from .conftest import colour_model, grey_model


def test_a_served_run_has_the_name_of_its_folder_and_a_file_its_stem(folder: Path):
    served = load_served([str(folder / "grey"), str(folder / "colour.safetensors")])
    assert [model.name for model in served] == ["grey", "colour"]
    assert [model.report for model in served] == [folder / "grey" / "report.html", None]
    assert [model.rule is not None for model in served] == [True, False]


def test_a_name_can_be_given(folder: Path):
    (served,) = load_served([f"digits={folder / 'grey'}"])
    assert served.name == "digits"


def test_a_folder_with_an_equals_sign_in_its_name_is_a_folder(tmp_path: Path):
    (tmp_path / "a=b").mkdir()
    save_model(grey_model(), tmp_path / "a=b" / "model.safetensors")
    assert load_served([str(tmp_path / "a=b")])[0].name == "a=b"


def test_two_models_of_one_name_are_refused(folder: Path):
    with pytest.raises(RunError, match="there already is a model 'grey'; give this one another name"):
        load_served([str(folder / "grey"), str(folder / "grey")])


def test_no_model_is_refused():
    with pytest.raises(RunError, match="name at least one"):
        load_served([])


def test_a_file_that_would_run_code_is_no_model(tmp_path: Path):
    (tmp_path / "model.safetensors").write_bytes(b"\x80\x04cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(RunError, match="not a safetensors file"):
        load_served([str(tmp_path)])


def test_a_damaged_rule_is_refused_before_anything_is_served(tmp_path: Path):
    model = grey_model()
    broken = {**model.calibration["rejection"], "thresholds": {"max_probability": "high"}}
    save_model(replace(model, calibration={"rejection": broken}), tmp_path / "model.safetensors")
    with pytest.raises(RunError, match="threshold"):
        load_served([str(tmp_path)])


def test_a_model_whose_outputs_are_not_finite_is_refused(tmp_path: Path):
    model = colour_model()
    weights = {name: np.full_like(weight, 1e38) for name, weight in model.weights.items()}
    save_model(replace(model, weights=weights), tmp_path / "model.safetensors")
    with pytest.raises(RunError, match="not a finite number"):
        load_served([str(tmp_path)])


@pytest.mark.parametrize(
    "changes",
    [
        {"class_names": ("</script>", "zwei", "drei")},
        {"calibration": {**grey_model().calibration, "temperature": 2.5}},
        {"calibration": {"temperature": 2.0}},
        {"handwriting": Handwriting("dark", 6)},
        {"architecture": replace(grey_model().architecture, input=Input(8, 8, 1, scale=0.5))},
        {"weights": {name: weight + 1 for name, weight in grey_model().weights.items()}},
    ],
    ids=["class name", "temperature", "rejection rule", "preparation", "input scaling", "weights"],
)
def test_the_version_changes_with_all_that_a_response_depends_on(changes: dict[str, Any]):
    assert Served("a", replace(grey_model(), **changes)).version != Served("a", grey_model()).version
