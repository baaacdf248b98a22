"""`convscope report RUN all` through its entry point: each topic measured once, kept with the run, and on its page."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import convscope as cs

from .conftest import invoke, succeed

TOPICS = (
    "calibration", "rejection", "filters", "embedding", "ablation", "robustness", "attacks", "audit",
)  # fmt: skip
QUICK = ("filters", "embedding", "ablation")  # `convscope run` measures these itself


@pytest.fixture(scope="module")
def measured(measured_run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """A copy of the finished run with every topic measured, and what `report all --json` printed."""
    out = shutil.copytree(measured_run, tmp_path_factory.mktemp("evidence") / "run")
    return out, json.loads((measured_run.parent / "printed.json").read_text())


def test_a_finished_run_has_the_quick_topics(run_folder: tuple[Path, dict]):
    out, _ = run_folder
    page = (out / "report.html").read_text()
    for topic in TOPICS:
        assert (out / f"{topic}.json").exists() == (topic in QUICK)
        assert (f' id="{topic}"' in page) == (topic in QUICK)


@pytest.mark.slow
def test_missing_topics_are_measured_and_stored(measured: tuple[Path, dict]):
    out, printed = measured
    assert set(printed) == {"run", "evidence", "timings", "report"}
    assert set(printed["evidence"]) == set(TOPICS) - set(QUICK)
    assert set(printed["evidence"]) <= set(printed["timings"])
    model = cs.load_model(out)
    for topic, value in printed["evidence"].items():
        kept = json.loads((out / f"{topic}.json").read_text())
        assert kept == {"weights_sha256": model.weights_sha256, **value}


@pytest.mark.slow
def test_the_charts_of_each_topic_are_figures_too(measured: tuple[Path, dict]):
    names = {"reliability", "robustness-heat", "attacks", "ablation"}
    succeed("figures", measured[0], *names, "--format", "svg")
    assert {path.stem for path in (measured[0] / "figures").glob("*.svg")} == names


@pytest.mark.slow
def test_the_model_keeps_its_temperature_and_its_rule(measured: tuple[Path, dict], small_mnist: cs.Splits):
    out, printed = measured
    model, before = cs.load_model(out), cs.load_model(out / "checkpoints" / "epoch-0002.safetensors")
    assert model.weights_sha256 == before.weights_sha256
    assert model.calibration["temperature"] == printed["evidence"]["calibration"]["temperature"]
    images = small_mnist.test.images
    logits = model.logits(images).astype(np.float64) / model.calibration["temperature"]
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.calibrated_probabilities(images), expected)
    rule = cs.RejectionRule.from_dict(model.calibration["rejection"])
    known = printed["evidence"]["rejection"]["known"]
    assert rule.refuses(model, images).sum() == sum(known[kind][rule.name]["count"] for kind in ("correct", "wrong"))


@pytest.mark.slow
@pytest.mark.usefixtures("empty_reports")
def test_measured_topics_are_measured_again_only_if_named_even_if_their_files_are_damaged(measured: tuple[Path, dict]):
    out, _ = measured
    marked = json.loads((out / "attacks.json").read_text()) | {"seed": 77}  # a measurement would write the run's 3
    (out / "attacks.json").write_text(json.dumps(marked))
    assert succeed("report", out, "all", "--json")["evidence"] == {}
    assert json.loads((out / "attacks.json").read_text()) == marked
    (out / "attacks.json").write_text("{")
    assert "attacks.json: damaged" in invoke("report", out, "all").output
    assert set(succeed("report", out, "attacks", "--json")["evidence"]) == {"attacks"}
    assert json.loads((out / "attacks.json").read_text())["seed"] == 3


@pytest.mark.slow
def test_evidence_of_other_weights_is_ignored(measured: tuple[Path, dict], tmp_path: Path):
    out = tmp_path / "run"
    shutil.copytree(measured[0], out)
    for topic in set(TOPICS) - {"attacks", "audit", *QUICK}:
        (out / f"{topic}.json").unlink()
    foreign = json.loads((out / "audit.json").read_text()) | {"weights_sha256": "0" * 64}
    (out / "audit.json").write_text(json.dumps(foreign))
    succeed("report", out)
    assert ' id="audit"' not in (out / "report.html").read_text()
    assert ' id="attacks"' in (out / "report.html").read_text()


@pytest.mark.slow
@pytest.mark.usefixtures("empty_reports")
def test_validation_images_take_the_place_of_sibling_networks(small_folder: Path, tmp_path: Path):
    out = tmp_path / "run"
    arguments = ("--epochs", 1, "--validation-fraction", 0.2, "--seeds", 1, "--no-baseline", "--out", out)
    succeed("run", "--dataset", small_folder, *arguments)
    evidence = succeed("report", out, "calibration", "rejection", "--json")["evidence"]
    assert evidence["calibration"]["fitted_on"] == "validation images"
    assert evidence["calibration"]["num_fitted"] == 199  # 20 % of 1,000 images, rounded within each class
    assert evidence["rejection"]["rules"][0]["num_held_out"] == 199


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [(("astrology",), 2, "'astrology' is not one of"), (("attacks", "--index", "300"), 1, "test images 0 to 299")],
)
def test_evidence_rejects_invalid_arguments(
    run_folder: tuple[Path, dict], arguments: tuple[str, ...], code: int, message: str
):
    completed = invoke("report", run_folder[0], *arguments)
    assert completed.exit_code == code
    assert message in completed.output
