"""JavaScript modules: random networks and an ensemble answer under Node as in Python, and what is refused."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.onnx_models import SEEDS, make_model, random_images, random_model, spread

import convscope as cs
from convscope.base.errors import ConvscopeError
from convscope.export.javascript import open_js, write_js

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node runs the module")
# Tells what each module gives for its images, and how it refuses others.
PROGRAM = """
import { readFileSync } from 'node:fs';
const answers = [];
for (const [url, images] of JSON.parse(readFileSync(0))) {
  const { load } = await import(url);
  const model = await load();
  const bytes = Uint8ClampedArray.from(images);
  const refusals = [];
  const refuse = (call) => { try { call(); } catch (error) { refusals.push(String(error)); } };
  const { classNames, inputShape } = model;
  answers.push({ classNames, inputShape, refusals, predictions: model.predict(bytes),
    logits: [...model.logits(bytes)], probabilities: [...model.probabilities(bytes)] });
  refuse(() => model.logits(bytes.subarray(1)));
  refuse(() => model.predict(Float32Array.from(images)));
  refuse(() => model.logits());
  model.free();
  refuse(() => model.probabilities(bytes));
}
console.log(JSON.stringify(answers));
"""


@pytest.fixture(scope="module")
def models() -> list[cs.Model]:
    member = random_model(0)
    second = replace(member, weights=make_model(member.architecture, seed=1).weights)
    return [*map(random_model, SEEDS), cs.ensemble([member, second])]


@pytest.fixture(scope="module")
def answers(models: list[cs.Model], tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """Collect the answers of each model's module, from one process: to start Node takes half a second."""
    folder, calls = tmp_path_factory.mktemp("it's ü #%"), []
    for i, model in enumerate(models):
        write_js(model, folder / f"{i}.mjs")
        calls.append(((folder / f"{i}.mjs").as_uri(), random_images(model).ravel().tolist()))
    command = ["node", "--input-type=module", "--eval", PROGRAM]
    return json.loads(subprocess.run(command, input=json.dumps(calls).encode(), capture_output=True, check=True).stdout)


@pytest.mark.slow
@pytest.mark.parametrize("index", range(len(SEEDS) + 1))
def test_a_module_answers_as_its_model_does(index: int, models: list[cs.Model], answers: list[dict]):
    model, answer, images = models[index], answers[index], random_images(models[index])
    expected = model.logits(images)
    logits, probabilities = (np.reshape(answer[name], expected.shape) for name in ("logits", "probabilities"))
    assert np.abs(logits - expected).max() <= 1e-5 * spread(expected)
    np.testing.assert_allclose(probabilities, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), atol=1e-6)
    assert answer["predictions"] == logits.argmax(axis=1).tolist()
    assert answer["classNames"] == list(model.class_names)
    assert answer["inputShape"] == list(images.shape[1:])
    size = images[0].size
    assert answer["refusals"] == [
        f"Error: {images.size - 1} bytes are not a whole number of images of {size} bytes.",
        "TypeError: The images are Float32Array; give a Uint8Array of bytes.",
        "TypeError: The images are Undefined; give a Uint8Array of bytes.",
        "Error: This network has been freed.",
    ]


@pytest.mark.slow
def test_node_runs_a_module_until_its_runner_is_gone(tmp_path: Path):
    model = random_model(1)
    cs.export_model(model, tmp_path / "model.mjs", "js")
    runner, images = open_js(tmp_path / "model.mjs"), random_images(model, 300)
    assert runner.runtime.startswith("Node v")
    assert (runner.logits(images[::-2]) == runner.logits(images)[::-2]).all()
    assert runner.logits(images[:1]).shape == (1, model.architecture.num_classes)


def test_a_module_can_stand_in_a_page_and_is_the_same_each_time(tmp_path: Path):
    for name in ("a.mjs", "b.mjs"):
        write_js(random_model(2), tmp_path / name)
    text = (tmp_path / "a.mjs").read_text(encoding="utf-8")
    assert text == (tmp_path / "b.mjs").read_text(encoding="utf-8")
    assert "</script" not in text.lower()
    assert "<!--" not in text


@pytest.mark.parametrize(
    ("text", "reason"),
    [("const x = ;", "SyntaxError"), ("", "load is not a function"), ("process.exit(3)", "it ended with 3")],
)
def test_files_that_are_no_modules_are_named(text: str, reason: str, tmp_path: Path):
    (tmp_path / "bad.mjs").write_text(text)
    with pytest.raises(ConvscopeError, match=f"bad.mjs: Node does not run it .*{reason}.*export it again"):
        open_js(tmp_path / "bad.mjs")


def test_without_node_the_next_step_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConvscopeError, match=r"no Node\.js .* was found; install version 18 or newer"):
        open_js(tmp_path / "model.mjs")
