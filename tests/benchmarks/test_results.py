"""The published results: each table and sentence on the pages is generated from docs/results.json.

`publish` writes the pages, `measure` fills docs/results.json; a "part" is one measurement in that file.
"""

import csv
import importlib
import json
import re
from dataclasses import asdict
from pathlib import Path
from statistics import mean, stdev
from types import ModuleType

import answers
import numpy as np
import plans
import pytest
from atlas.crossed import CrossedSeeds
from atlas.spread import estimate_carry_over, estimate_reached
from estimates import mean_interval
from variation import RunVariation

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def publish() -> ModuleType:
    return importlib.import_module("publish")


@pytest.fixture(scope="module")
def measure() -> ModuleType:
    return importlib.import_module("measure")


@pytest.fixture
def digest(publish: ModuleType) -> str:
    return publish.engine_state.digest()


def make_accuracy_part(digest: str) -> dict:
    row = {
        "architecture": "cnn", "recipe": "classic", "epochs": 10, "num_runs": 30, "mean": 0.99, "sd": 0.001,
        "interval_with_images": [0.98, 0.995],
    }  # fmt: skip
    comparison = {"verdict": "cnn makes 56 % fewer errors than ann (95 % interval: 51 to 61 %)"}
    return {"date": "2026-01-02", "engine_sha256": digest, "rows": [row], "comparison": comparison}


@pytest.mark.parametrize("name", ["README.md", "docs/results.md", "docs/leaderboard.md"])
def test_a_page_holds_what_the_measured_results_generate(publish: ModuleType, name: str):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert publish.page(text, publish.load()) == text, f"{name} is out of date; run: make results ARGS=--pages"


@pytest.mark.parametrize("name", ["README.md", "docs/results.md", "docs/leaderboard.md"])
def test_no_page_has_a_result_written_by_hand(publish: ModuleType, name: str):
    text = publish.strip_tables((ROOT / name).read_text(encoding="utf-8"))
    # A number with a unit; "95 %", the level of the intervals, is no result.
    assert not re.findall(r"(?<![\d.,])(?!95 %)\d[\d.,]*\s?(?:%|±|ms\b|µs|s\b|seconds|points|times|[MG]i?B\b)", text)


def test_a_part_of_another_engine_is_marked_in_its_table(publish: ModuleType, digest: str):
    text = "before\n<!-- results: accuracy-short -->\n<!-- end -->\nafter"
    page = publish.page(text, {"accuracy": make_accuracy_part(digest)})
    assert "| `cnn` | `classic` | 10 | 30 | 99.000 % ± 0.100 | [98.00, 99.50] |" in page
    assert "With `classic`, Keras's defaults, which were tuned for neither, `cnn` makes 56 %" in page.replace("\n", " ")
    assert "Out of date" not in page
    assert publish.page(page, {"accuracy": make_accuracy_part(digest)}) == page
    outdated = publish.page(page, {"accuracy": make_accuracy_part("0" * 64)})
    assert "Out of date: the engine or the recipe has changed" in outdated
    assert 'Run `make results ARGS="accuracy"`' in publish.page(page, {})


def test_every_part_says_how_and_on_what_it_was_measured(publish: ModuleType):
    for name, part in publish.load().items():
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", part["date"]), name
        assert re.fullmatch(r"[0-9a-f]{40}", part["commit"]), name
        assert all((part["commands"], part["machine"]["processor"], part["versions"]["numpy"])), name


def round_numbers(value: object) -> object:
    """Round all numbers to eight digits, because sums of floats differ in the last digits between processors."""
    return json.loads(json.dumps(value), parse_float=lambda number: f"{float(number):.8g}")


def test_every_figure_of_a_row_follows_from_its_published_answers(publish: ModuleType):
    rows = [row for part in publish.load().values() for row in part.get("rows", ()) if "answers" in row]
    assert len(rows) >= 8  # so that an empty list does not pass
    for row in rows:
        _, wrong = answers.load(row["answers"])
        expected = answers.describe(wrong)
        assert round_numbers({name: row[name] for name in expected}) == round_numbers(expected), row["answers"]


def test_comparisons_plans_and_shares_of_the_variance_follow_from_published_answers(
    publish: ModuleType, measure: ModuleType
):
    parts = publish.load()
    for name in ("accuracy", "fashion"):
        if "answers" not in parts[name]["rows"][0]:
            continue
        assert round_numbers(measure.compare_rows(*parts[name]["rows"][:2])) == round_numbers(parts[name]["comparison"])
    pair = parts["plans"]["pairs"][-1]
    rows = {row["name"]: row for row in parts["frontier"]["rows"]}
    assert round_numbers(plans.plan(*(answers.read_group(rows[name]) for name in pair["names"]))) == round_numbers(pair)
    crossed = parts["crossed"]
    pairs, wrong = answers.load(crossed["answers"])
    size = crossed["num_crossed"]
    assert pairs.tolist() == [[weights, order] for weights in range(size) for order in range(size)]
    division = CrossedSeeds.from_flags(crossed["title"], wrong.reshape(size, size, -1)).to_dict()
    assert round_numbers({name: crossed[name] for name in division}) == round_numbers(division)


def test_answers_come_back_as_they_were_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("answers.FOLDER", tmp_path / "answers")
    wrong = np.random.default_rng(0).random((13, 101)) < 0.05
    file = answers.save("mnist-one", range(13), wrong)
    saved_bytes = (tmp_path / "answers" / file).read_bytes()
    seeds, published = answers.load(answers.save("mnist-one", range(13), wrong))
    assert (seeds.tolist(), published.tolist()) == (list(range(13)), wrong.tolist())
    assert (tmp_path / "answers" / file).read_bytes() == saved_bytes


def test_the_engine_computes_the_weights_of_the_published_results(publish: ModuleType, monkeypatch: pytest.MonkeyPatch):
    state = publish.engine_state
    known, bits = state.read_file()["weights"], state.measure_bits()
    assert bits.items() <= known.items() or not bits.keys() & known.keys(), (
        "other weights than engine_bits.json has: if that is meant, run benchmarks/engine_state.py and make results"
    )
    first, earlier = state.digest(), list(state.read_file()["earlier"])
    assert all(map(state.is_current, (first, *earlier)))
    assert not state.is_current("0" * 64)
    monkeypatch.setattr(state, "measure_bits", lambda: {"avx2": known["avx2"]})
    assert state.digest.__wrapped__() == first  # a machine with fewer instruction sets
    monkeypatch.setattr(state, "measure_bits", lambda: {"avx2": "0" * 64})
    assert state.digest.__wrapped__() != first


def test_a_marker_without_a_table_is_refused(publish: ModuleType):
    with pytest.raises(ValueError, match="acuracy: the tables are accuracy-short"):
        publish.page("<!-- results: acuracy --><!-- end -->", {})
    with pytest.raises(ValueError, match="no end"):
        publish.page("<!-- results: accuracy -->", {})


def make_frontier_row(
    publish: ModuleType, name: str, digest: str, seeds: int, precision: str = "float32", members: int = 1
) -> dict:
    """Return a row of `cnn` with recipe `fast`, whose seeds reach accuracies of 99.0 %, 99.1 %, 99.2 % and so on."""
    accuracies = [0.99 + 0.001 * seed for seed in range(seeds)]
    spread = {"sd": None, "interval": None, "variation": None}  # of one seed
    if seeds > 1:
        variation = asdict(RunVariation(seeds, 10_000, 0.995, sd_seeds=0.0005, sd_images=0.0007, sd_true=0.0003))
        spread = {"sd": stdev(accuracies), "interval": mean_interval(accuracies), "variation": variation}
    return {
        "name": name, "architecture": "cnn", "recipe": "fast", "views": 1, "members": members, "precision": precision,
        "weight_bits": None, "seeds": list(range(seeds)), "num_runs": seeds, "mean": mean(accuracies),
        "minimum": min(accuracies), "maximum": max(accuracies), "interval_with_images": None, **spread,
        "parameters": 108_618, "weights_bytes": 434_472, "seconds": 2.0, "date": "2026-01-02", "engine_sha256": digest,
        "choice_sha256": publish.compute_choice_digest("cnn", "fast"),
        "command": f"convscope experiment --recipe {name}",
    }  # fmt: skip


def make_frontier_parts(*rows: dict) -> dict[str, dict]:
    """Return docs/results.json of a frontier with these rows; one training of `cnn` took 0.42 s."""
    provenance = {
        "date": "2026-01-03", "commit": "c" * 40, "machine": {"processor": "one", "cores": 2, "instruction_sets": []},
        "versions": {"convscope": "0", "numpy": "2", "python": "3"}, "engine_sha256": rows[-1]["engine_sha256"],
    }  # fmt: skip
    part = {**provenance, "num_images": 10_000, "rows": list(rows), "commands": [row["command"] for row in rows]}
    timed = {"name": "cnn-fast", "architecture": "cnn", "recipe": "fast", "seed": 0, "seconds": 0.42,
             "precision": "float32", "threads": 2}  # fmt: skip
    return {"frontier": part, "frontier-seconds": {**provenance, "rows": [timed]}}


def test_the_frontier_has_measured_rows_and_quiet_seconds(publish: ModuleType, digest: str):
    parts = make_frontier_parts(
        make_frontier_row(publish, "cnn-fast", digest, 3),
        make_frontier_row(publish, "ten", digest, 1, "bfloat16", members=10),
    )
    page = publish.page("<!-- results: frontier --><!-- end -->", parts)
    first, second = (line for line in page.splitlines() if line.startswith("| `"))
    assert first.startswith("| `cnn-fast` | `cnn`, `fast` | 108,618 | 434,472 | 3 | 99.100 % | 0.100 |")
    assert first.endswith("[98.85, 99.35] |  | 0.42 |")
    assert second.startswith("| `ten` | `cnn`, `fast`, bfloat16 |")
    assert second.endswith("| 1 | 99.000 % |  |  |  | 4.2 |")  # 10 members take 10 * 0.42 s
    text = page.replace("\n", " ")
    assert "did nothing else: one, 2 cores, 2026-01-03. `cnn` was timed in float32. n counts" in text
    assert page.count("convscope experiment --recipe") == 2
    del parts["frontier-seconds"]
    page = publish.page(page, parts)
    assert page.splitlines()[4].endswith("[98.85, 99.35] |  |")
    assert "seconds of training" not in page


def test_the_atlas_follows_from_its_published_runs(publish: ModuleType):
    spread = publish.load()["atlas"]["spread"]
    with publish.atlas.RUNS.open(encoding="utf-8") as file:
        accuracies = np.array([float(run["accuracy"]) for run in csv.DictReader(file)])
    assert asdict(estimate_reached(0.95, accuracies)) == spread["reached"]
    assert accuracies.std(ddof=1) == pytest.approx(spread["sd"])
    reproducible = estimate_carry_over(spread["sd"], spread["sd_interval"], spread["sd_independent"])
    assert asdict(reproducible) == pytest.approx(spread["carries_over"])


@pytest.mark.slow
def test_the_committed_pictures_are_those_of_the_measured_rows(publish: ModuleType):
    parts = publish.load()
    pages = publish.frontier_pages
    pictures = {pages.name_picture(cost): pages.picture(parts, cost) for cost in pages.COSTS}
    assert set(pictures) == {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("frontier-*.svg")}
    pictures[publish.speed.PATH] = publish.speed.draw_epochs(parts["speed"])
    for name, svg in pictures.items():
        committed = (ROOT / name).read_text(encoding="utf-8")
        texts = [re.findall(r">([^<>]+)</text>", picture) for picture in (committed, svg)]
        assert texts[0] == texts[1], "out of date; run: make results ARGS=--pages"


def test_the_chart_of_an_epoch_shows_each_library_beside_convscope(publish: ModuleType):
    def sample(name: str, median: float) -> dict:
        return {"name": name, "median": median}

    fit = {"samples": [sample("convscope", 0.5), sample("Keras fit", 4.0)]}
    loops = {"samples": [sample("convscope", 0.5), sample("JAX", 3.0), sample("PyTorch", 3.5)]}
    svg = publish.speed.draw_epochs({"rows": [fit, loops, {"samples": [sample("other row", 9.0)]}]})
    texts = re.findall(r">([^<>]+)</text>", svg)
    assert texts == ["convscope", "0.50 s", "JAX", "3.00 s, 6.0 times", "PyTorch", "3.50 s, 7.0 times",
                     "Keras fit", "4.00 s, 8.0 times"]  # fmt: skip


def test_rows_of_speed_are_measured_one_by_one(publish: ModuleType):
    def comparison(value: float) -> dict:
        sample = {"name": "convscope", "unit": "s", "values": [0.5, 0.6], "median": 0.55, "spread": [0.5, 0.6]}
        result = {"value": value, "bound": {"unit": "x"}, "note": "", "samples": [sample]}
        return {"results": [result], "repeat": 3, "machine": {"processor": "one"}, "versions": {"jax": "1"}}

    part = publish.speed.add_rows({}, comparison(2.0), ["loops"], "2026-01-01")
    part = publish.speed.add_rows(part, comparison(3.0), ["keras-fit"], "2026-01-02")
    part = publish.speed.add_rows(part, comparison(4.0), ["loops"], "2026-01-03")
    assert [(row["name"], row["value"], row["date"]) for row in part["rows"]] == [
        ("keras-fit", 3.0, "2026-01-02"),
        ("loops", 4.0, "2026-01-03"),
    ]
    assert (part["rows"][0]["samples"][0]["n"], part["peers"]) == (2, {"jax": "1"})
