"""The published results: the pages hold what docs/results.json generates, and no result beside it."""

import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture(scope="module")
def publish() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        return importlib.import_module("publish")


@pytest.fixture
def digest(publish: ModuleType) -> str:
    return publish.engine_sources.digest()


def part(digest: str) -> dict:
    group = {
        "architecture": "cnn", "recipe": "classic", "epochs": 10, "num_runs": 30, "mean": 0.99, "sd": 0.001,
        "interval_with_images": [0.98, 0.995],
    }  # fmt: skip
    comparison = {"verdict": "cnn makes 56 % fewer errors than ann (95 % interval: 51 to 61 %)"}
    return {"date": "2026-01-02", "engine_sha256": digest, "rows": [group], "comparison": comparison}


@pytest.mark.parametrize("name", ["README.md", "docs/results.md"])
def test_a_page_holds_what_the_measured_results_generate(publish: ModuleType, name: str):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert publish.page(text, publish.load()) == text, f"{name} is out of date; run: make results ARGS=--pages"


@pytest.mark.parametrize("name", ["README.md", "docs/results.md"])
def test_no_result_stands_on_a_page_by_hand(publish: ModuleType, name: str):
    text = publish.without_tables((ROOT / name).read_text(encoding="utf-8"))
    assert not re.findall(r"(?<![\d.,])(?!95 %)\d[\d.,]*\s?(?:%|±|ms\b|µs|s\b|seconds|points|times|[MG]i?B\b)", text)


def test_a_part_of_another_engine_is_marked_in_its_table(publish: ModuleType, digest: str):
    text = "before\n<!-- results: accuracy-short -->\n<!-- end -->\nafter"
    now = publish.page(text, {"accuracy": part(digest)})
    assert "| `cnn` | `classic` | 10 | 30 | 99.000 % ± 0.100 | [98.00, 99.50] |" in now
    assert "Out of date" not in now
    assert publish.page(now, {"accuracy": part(digest)}) == now
    assert "Out of date: the engine has changed" in publish.page(now, {"accuracy": part("0" * 64)})
    assert 'Run `make results ARGS="accuracy"`' in publish.page(now, {})


def test_every_part_says_how_and_on_what_it_was_measured(publish: ModuleType):
    for name, found in publish.load().items():
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", found["date"]), name
        assert re.fullmatch(r"[0-9a-f]{40}", found["commit"]), name
        assert all((found["commands"], found["machine"]["processor"], found["versions"]["numpy"])), name


def test_the_digest_of_the_engine_follows_its_sources_and_neither_its_tests_nor_the_page(
    publish: ModuleType, tmp_path: Path
):
    for name in ("native/a.cpp", "native/page.cpp", "native/tests/a_test.cpp", "src/convscope/engine/steps.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    first = publish.engine_sources.digest(tmp_path)
    (tmp_path / "native/tests/a_test.cpp").write_text("2")
    (tmp_path / "native/page.cpp").write_text("2")
    assert publish.engine_sources.digest(tmp_path) == first
    (tmp_path / "native/a.cpp").write_text("2")
    assert publish.engine_sources.digest(tmp_path) != first


def test_a_marker_without_a_table_is_refused(publish: ModuleType):
    with pytest.raises(ValueError, match="acuracy: the tables are accuracy-short"):
        publish.page("<!-- results: acuracy --><!-- end -->", {})
    with pytest.raises(ValueError, match="no end"):
        publish.page("<!-- results: accuracy -->", {})
