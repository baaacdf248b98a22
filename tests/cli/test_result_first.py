"""`convscope run` first prints the accuracy and writes a page, then measures in phases and adds each to the page."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

import convscope as cs
from convscope.report import render_report
from convscope.runs import pipeline
from convscope.runs.jobs import open_with_data
from convscope.runs.page import MeasuredRun, RunPage, load_measured_run
from convscope.runs.topics import TOPICS, read_topics
from convscope.storage import RunFolder

from .conftest import invoke, succeed

QUICK = ("filters", "embedding", "ablation")  # the topics that `convscope run` measures, in this order

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def interrupted_run(small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """The folder, stdout and stderr of a run of one seed that Ctrl-C stopped at the start of the topic "embedding"."""
    out = tmp_path_factory.mktemp("interrupted") / "run"

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TOPICS, "embedding", replace(TOPICS["embedding"], measure=interrupt))
        # The epochs and the seed of `shared_run`, so that both have the same weights.
        arguments = ("--dataset", small_folder, "--epochs", 2, "--seed", 3, "--seeds", 1, "--out", out)
        completed = invoke("run", *arguments)
    assert completed.exit_code == 1
    return out, completed.stdout, completed.stderr


def list_sections(out: Path) -> set[str]:
    """Return the ids of the sections of a run's page."""
    return set(re.findall(r'<section[^>]* id="([a-z]+)"', (out / "report.html").read_text()))


def test_an_interrupted_run_says_how_to_continue(interrupted_run: tuple[Path, str, str]):
    out, _, stderr = interrupted_run
    message = f"Error: interrupted; what is finished is kept; to continue, run: convscope run --resume {out}"
    assert stderr.splitlines()[-1] == message
    assert not (out / "DONE").exists()


def test_an_interrupted_run_leaves_a_page_of_the_finished_phases(interrupted_run: tuple[Path, str, str]):
    sections = list_sections(interrupted_run[0])
    assert {"verdict", "training", "comparison", "filters"} <= sections
    assert not {"embedding", "ablation", "seeds"} & sections


def test_accuracy_and_page_are_printed_before_the_phases(interrupted_run: tuple[Path, str, str]):
    out, stdout, _ = interrupted_run
    result, _, rest = stdout.partition(str(out / "report.html"))
    assert "\nAccuracy on the test split of small" in result
    # The start of a phase prints "filters: ... about 2 s left".
    phases = [line.partition(":")[0] for line in rest.splitlines() if line.endswith(" s left")]
    assert phases == ["comparison", "filters", "embedding"]


@pytest.mark.parametrize(("min_seconds", "pages"), [(1e6, 2), (0, 5)])
def test_a_page_is_written_between_phases_only_if_it_lasts(
    small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, min_seconds: float, pages: int
):
    written, write = list[Path](), RunPage.write

    def count(page: RunPage) -> Path:
        written.append(write(page))
        return written[-1]

    monkeypatch.setattr(pipeline, "_MIN_PAGE_SECONDS", min_seconds)
    monkeypatch.setattr(RunPage, "write", count)
    succeed("run", "--dataset", small_folder, "--epochs", 1, "--seeds", 1, "--out", tmp_path / "run")
    assert len(written) == pages
    assert {*QUICK, "comparison"} <= list_sections(tmp_path / "run")


def test_a_resumed_run_ends_with_the_same_files(interrupted_run: tuple[Path, str, str], shared_run: Path):
    out, _, _ = interrupted_run
    time_of_filters = (out / "filters.json").stat().st_mtime_ns
    succeed("run", "--resume", out)
    assert (out / "filters.json").stat().st_mtime_ns == time_of_filters  # they were not measured again
    for name in (*QUICK, "evaluation", "explanation"):
        assert json.loads((out / f"{name}.json").read_text()) == json.loads((shared_run / f"{name}.json").read_text())
    assert cs.load_model(out).weights_sha256 == cs.load_model(shared_run).weights_sha256
    assert {*QUICK, "comparison"} <= list_sections(out)
    assert (out / "DONE").exists()
    assert not (out / "figures").exists()


def test_the_page_written_in_phases_equals_a_page_written_at_once(shared_run: Path):
    with open_with_data(shared_run, writes=False) as (folder, splits):
        measured = load_measured_run(folder, splits)
        page_at_once = RunPage(measured, splits, 0, {}).contents()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(RunFolder, "read_evidence", lambda *_: None)  # as if no topic was measured yet
            growing_page = RunPage(MeasuredRun(measured.run), splits, 0, {})
        render_report(growing_page.contents())
        growing_page.compare(measured.baseline, measured.comparison)
        for topic, record in read_topics(folder, ("seeds", *QUICK), measured.run.model).items():
            render_report(growing_page.contents())  # before each phase, because rendering fills caches
            growing_page.add(topic, record)
        page_in_phases = growing_page.contents()
    # "record" holds the times at which the page was written.
    assert {**page_in_phases.payload.to_dict(), "record": None} == {**page_at_once.payload.to_dict(), "record": None}
    charts_in_phases, charts_at_once = (
        re.findall(r"<figure data-chart=.*?</figure>", render_report(page), re.DOTALL)
        for page in (page_in_phases, page_at_once)
    )
    assert charts_in_phases == charts_at_once
