"""`cs.run` and `cs.open_run`: runs as values, whose topics are read from their folder or measured when needed."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.shared import invoke

import convscope as cs
from convscope.base.errors import RunError
from convscope.runs.topics import MEASURED, TOPICS

pytestmark = pytest.mark.slow

RECIPE = cs.Recipe(epochs=2, batch_size=50)


@pytest.fixture(scope="module")
def data(small_mnist: cs.Splits) -> cs.Splits:
    """300 training and 300 test images of MNIST as arrays, without a known name and without files."""
    names = tuple("abcdefghij")
    train, test = (
        cs.Dataset(part.images[:300], part.labels[:300], names, "mine")
        for part in (small_mnist.train, small_mnist.test)
    )
    return cs.Splits(train, test)


@pytest.fixture(scope="module")
def run(data: cs.Splits, tmp_path_factory: pytest.TempPathFactory) -> cs.Run:
    """A run with two seeds from arrays, which cannot be loaded again by a name."""
    return cs.run(data, recipe=RECIPE, seed=2, seeds=2, out=tmp_path_factory.mktemp("runs") / "mine")


@pytest.fixture
def copy(run: cs.Run, tmp_path: Path) -> cs.Run:
    """A copy of the run to change."""
    shutil.copytree(run.path, tmp_path / "copy")
    return cs.open_run(tmp_path / "copy", run.data)


def read_files(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def test_a_run_equals_its_steps_called_one_by_one(run: cs.Run, data: cs.Splits):
    model, history = cs.train(cs.presets.cnn, data, RECIPE, seed=2)
    assert run.model.weights_sha256 == model.weights_sha256
    assert run.history.loss == history.loss
    assert run.evaluation.to_dict() == cs.evaluate(run.model, run.splits.test).to_dict()
    assert run.comparison is not None
    assert run.comparison.names == ("cnn", "ann")
    assert {seed["seed"] for seed in run.seeds["runs"]} == {2, 3}
    assert (run.path / "DONE").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "fewest", "topics"), [(1, "1 test image is .* 2", ("calibration", "rejection")),
                                    (3, "3 test images are .* 4", ("embedding",))]
)  # fmt: skip
def test_few_test_images_leave_out_the_topics_that_need_more(
    data: cs.Splits, tmp_path: Path, count: int, fewest: str, topics
):
    few = cs.Splits(data.train, data.test.take(np.arange(count)))
    run = cs.run(few, architecture=cs.presets.ann, recipe=RECIPE, seeds=1, out=tmp_path / "few")
    assert run.report().is_file()
    assert (run.path / "ablation.json").is_file()
    for topic in topics:
        with pytest.raises(RunError, match=f"{topic}: {fewest} are needed"):
            getattr(run, topic)


def test_measured_topics_are_read_without_changing_the_folder(run: cs.Run):
    before = read_files(run.path)
    again = cs.open_run(run.path)  # without the arrays
    assert again.evaluation.to_dict() == json.loads((run.path / "evaluation.json").read_text())
    assert np.array_equal(again.evaluation.y_prob, run.evaluation.y_prob)
    for topic in ("seeds", "filters", "embedding", "ablation"):
        assert getattr(again, topic) == json.loads((run.path / f"{topic}.json").read_text())
    assert read_files(run.path) == before


def test_a_report_of_a_finished_run_measures_nothing_again(copy: cs.Run, monkeypatch: pytest.MonkeyPatch):
    class MeasuringError(Exception):
        pass

    def measure(*_: object, **__: object) -> None:
        raise MeasuringError

    steps = ("steps.train", "steps.evaluate", "steps.measure_latency")
    for name in (*steps, "seeds.train_and_list_diverged", "topics.crossfit"):
        monkeypatch.setattr(f"convscope.runs.{name}", measure)
    for topic in MEASURED:
        monkeypatch.setitem(TOPICS, topic, replace(TOPICS[topic], measure=measure))
    assert copy.report().exists()
    for file in ("comparison.json", "predictions.npz", "embedding.json"):
        (copy.path / file).rename(copy.path / "away")
        with pytest.raises(MeasuringError):
            copy.report()
        (copy.path / "away").rename(copy.path / file)


def test_a_topic_is_measured_on_first_access_and_then_kept(copy: cs.Run):
    before = json.loads((copy.path / "embedding.json").read_text())
    (copy.path / "embedding.json").unlink()
    measured = copy.embedding
    assert measured == before == json.loads((copy.path / "embedding.json").read_text())
    read = cs.open_run(copy.path).embedding
    assert str(read) == str(measured)
    assert read._repr_html_() == measured._repr_html_()
    assert "<svg" in read._repr_html_()


def test_a_run_from_arrays_needs_the_same_arrays_to_load_its_data(run: cs.Run, data: cs.Splits, small_mnist: cs.Splits):
    with pytest.raises(RunError, match=r"made from arrays.*cs\.open_run\(.*, data=\.\.\.\)"):
        _ = cs.open_run(run.path).splits
    assert cs.open_run(run.path, data).splits.test.sha256 == run.splits.test.sha256
    with pytest.raises(RunError, match="images, labels or weights have changed since"):
        _ = cs.open_run(run.path, small_mnist).splits


@pytest.mark.usefixtures("empty_reports")
def test_arrays_are_split_the_same_way_when_reopened(data: cs.Splits, tmp_path: Path):
    pair = (data.train.images[..., 0], data.train.labels)
    weighted = cs.Dataset.from_arrays(*pair, weights=np.arange(300))
    run = cs.run(weighted, architecture="ann", recipe=RECIPE, seeds=1, baseline=False, out=tmp_path / "cut")
    again = cs.open_run(run.path, weighted)
    assert len(again.splits.test) == 60  # a fifth of 300 images
    assert sorted([*again.splits.train.weights, *again.splits.test.weights]) == list(range(300))
    with pytest.raises(RunError, match="images, labels or weights have changed since"):
        _ = cs.open_run(run.path, pair).splits
    assert again.comparison is None
    assert again.folder.record.command == "cs.run(data, architecture='ann', recipe=recipe, seeds=1, baseline=False)"
    assert again.cautions


@pytest.mark.usefixtures("empty_reports")
def test_a_stopped_run_resumes_to_the_same_bits(run: cs.Run, data: cs.Splits, tmp_path: Path):
    def stop(state: cs.TrainingState) -> None:
        if len(state.history) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cs.run(data, recipe=RECIPE, seed=2, seeds=2, out=tmp_path / "stopped", on_epoch=stop)
    stopped = cs.open_run(tmp_path / "stopped", data)
    assert "not finished" in str(stopped)
    completed = stopped.resume()
    assert completed.model.weights_sha256 == run.model.weights_sha256
    assert completed.seeds["runs"][1]["weights_sha256"] == run.seeds["runs"][1]["weights_sha256"]


def test_a_notebook_shows_the_report_in_a_sandboxed_frame_or_else_the_text(copy: cs.Run):
    shown = copy._repr_html_()
    assert shown.startswith('<iframe srcdoc="')
    assert "&lt;!doctype html&gt;" in shown.lower()
    assert 'width="900"' in shown
    assert 'sandbox="allow-scripts allow-downloads"' in shown
    assert shown.count("<") == 2  # of the frame: the report within its attribute is escaped
    (copy.path / "report.html").unlink()
    assert "accuracy" in copy._repr_html_()
    assert "<iframe" not in copy._repr_html_()


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"data": 3}, TypeError, "data is 3; it must be a data set's name, a path, Splits, a Dataset, or a pair"),
        ({"architecture": 3}, TypeError, "architecture is 3; it must be an Architecture, the name of a preset"),
        ({"recipe": 3}, TypeError, "recipe is 3; it must be a Recipe, the name of one"),
        ({"seed": 1.0}, TypeError, "seed is 1.0; it must be a whole number from 0"),
        ({"seeds": 0}, ValueError, "seeds is 0; it must be a whole number of at least 1"),
        ({"index": 300}, cs.ConvscopeError, "`index` 300: mine has test images 0 to 299"),
        ({"new_output": True}, ValueError, "give one as start"),
        ({"test_fraction": 0.5}, ValueError, "leave them out for Splits"),
    ],
)
def test_a_wrong_argument_is_named_before_anything_is_made(data: cs.Splits, tmp_path: Path, wrong, error, words):
    with pytest.raises(error, match=words):
        cs.run(**{"data": data, "out": tmp_path / "never", **wrong})
    assert not (tmp_path / "never").exists()


def test_the_command_line_says_how_to_open_a_run_from_arrays(run: cs.Run):
    completed = invoke("report", run.path)
    assert completed.exit_code == 1
    assert completed.output.startswith(f"Error: {run.path}: was made from arrays")
    assert "cs.open_run(" in completed.output
    # A comparison needs only the stored predictions.
    assert invoke("compare", run.path, run.path / "baseline").exit_code == 0
