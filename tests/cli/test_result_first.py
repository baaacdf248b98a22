"""The main job gives its result first: a page that opens, and then phase after phase, each of them added to it."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

import convscope as cs
from convscope.report import render_report
from convscope.runs.jobs import open_with_data
from convscope.runs.page import MeasuredRun, RunPage, load_measured_run
from convscope.runs.topics import TOPICS, read_topics
from convscope.storage import RunFolder

from .conftest import invoke, succeed

QUICK = ("filters", "embedding", "ablation")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def interrupted(small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A run that Ctrl-C stopped in the third phase: its folder, and what it printed on stdout and stderr."""
    out = tmp_path_factory.mktemp("interrupted") / "run"

    def stop(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TOPICS, "embedding", replace(TOPICS["embedding"], measure=stop))
        arguments = ("--dataset", small_folder, "--epochs", 2, "--seed", 3, "--seeds", 1, "--out", out)
        done = invoke("run", *arguments)
    assert done.exit_code == 1
    return out, done.stdout, done.stderr


def chapters(out: Path) -> set[str]:
    return set(re.findall(r'<section[^>]* id="([a-z]+)"', (out / "report.html").read_text()))


def test_a_run_that_is_interrupted_leaves_a_page_with_what_was_measured(interrupted: tuple[Path, str, str]):
    out, printed, errors = interrupted
    assert (
        errors.splitlines()[-1]
        == f"Error: interrupted; what is finished is kept; to continue, run: convscope run --resume {out}"
    )
    assert {"verdict", "training", "comparison", "filters"} <= chapters(out)
    assert not {"embedding", "ablation", "seeds"} & chapters(out)
    assert not (out / "DONE").exists()
    lines = printed.splitlines()
    (page,) = [number for number, line in enumerate(lines) if line.endswith(str(out / "report.html"))]
    assert any(line.startswith("Accuracy on the test split of small") for line in lines[:page])
    phases = [line.partition(":")[0] for line in lines[page:] if line.endswith(" s left")]
    assert phases == ["comparison", "filters", "embedding"]


def test_a_resumed_run_ends_with_the_same_files(interrupted: tuple[Path, str, str], shared_run: Path):
    out, _, _ = interrupted
    filters = (out / "filters.json").stat().st_mtime_ns
    succeed("run", "--resume", out)
    assert (out / "filters.json").stat().st_mtime_ns == filters
    for name in (*QUICK, "evaluation", "explanation"):
        assert json.loads((out / f"{name}.json").read_text()) == json.loads((shared_run / f"{name}.json").read_text())
    assert cs.load_model(out).weights_sha256 == cs.load_model(shared_run).weights_sha256
    assert {*QUICK, "comparison"} <= chapters(out)
    assert (out / "DONE").exists()
    assert not (out / "figures").exists()


def test_the_page_written_in_phases_equals_a_page_written_at_once(shared_run: Path):
    with open_with_data(shared_run, writes=False) as (folder, splits):
        run = load_measured_run(folder, splits)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(RunFolder, "read_evidence", lambda *_: None)
            page = RunPage(MeasuredRun(run.run), splits, 0, {})
        render_report(page.contents())
        page.compare(run.baseline, run.comparison)
        render_report(page.contents())
        whole = RunPage(run, splits, 0, {})
        for topic, record in read_topics(folder, ("seeds", *QUICK), run.run.model).items():
            page.add(topic, record)
            later, at_once = page.contents(), whole.contents()
            later_html = render_report(later)
    assert {**later.payload.to_dict(), "record": None} == {**at_once.payload.to_dict(), "record": None}
    charts = r"<figure data-chart=.*?</figure>"
    assert re.findall(charts, later_html, re.S) == re.findall(charts, render_report(at_once), re.S)
