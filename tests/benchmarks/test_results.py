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
from frontier.points import Point
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


@pytest.mark.parametrize("name", ["README.md", "docs/results.md"])
def test_a_page_holds_what_the_measured_results_generate(publish: ModuleType, name: str):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert publish.page(text, publish.load()) == text, f"{name} is out of date; run: make results ARGS=--pages"


@pytest.mark.parametrize("name", ["README.md", "docs/results.md"])
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


def test_an_installation_has_its_size_and_ratios(publish: ModuleType, digest: str):
    installed = {
        "wheel_bytes": 13.8e6, "environment_bytes": 388e6,
        "package_bytes": {"numpy": 75e6, "scipy": 148e6, "tqdm": 1e6},
        "install_seconds": 12.34, "import_cpu_seconds": {"convscope": 0.04, "numpy": 0.16},
        "help_cpu_seconds": {"convscope": 0.112, "click": 0.08}, "ratios": {"import": 0.25, "help": 1.4},
        "first_run_seconds": 9.87, "times": 20,
    }  # fmt: skip
    provenance = {
        "date": "2026-01-02", "commit": "a" * 40, "engine_sha256": digest, "commands": ["benchmarks/install.py"],
        "machine": {"processor": "P", "cores": 2, "instruction_sets": ["avx2"]},
        "versions": {"convscope": "1", "numpy": "2", "python": "3"},
    }  # fmt: skip
    page = publish.page("<!-- results: install -->\n<!-- end -->", {"install": installed | provenance})
    assert "| a fresh environment with it, on disk | 388 MB; in MB: scipy 148, numpy 75, tqdm 1 |" in page
    assert "| `import convscope`, over `import numpy` | 0.25 times: 0.040 and 0.160 s |" in page
    assert "| `convscope --help`, over that of a bare command of click | 1.40 times: 0.112 and 0.080 s |" in page


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


def test_rows_whose_answers_are_missing_are_named(publish: ModuleType, digest: str):
    rows = [make_frontier_row(publish, name, digest, 2) for name in ("ann", "cnn")]
    remark = publish.frontier_pages.answers_remark
    assert remark({"rows": rows}) == "Answers are published of no row."
    rows[1]["answers"] = "mnist-cnn-0-1.npz"
    assert remark({"rows": rows}) == "Answers are published of all rows but `ann`."
    assert remark({"rows": rows[1:]}) == "Answers are published of all rows."


def test_the_engine_computes_the_weights_of_the_published_results(publish: ModuleType, monkeypatch: pytest.MonkeyPatch):
    state = publish.engine_state
    known, bits = json.loads(state.FILE.read_text(encoding="utf-8")), state.measure_bits()
    assert bits.items() <= known.items() or not bits.keys() & known.keys(), (
        "other weights than engine_bits.json has: if that is meant, run benchmarks/engine_state.py and make results"
    )
    first = state.digest()
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
    assert first.endswith("| 99.00 | 99.20 | 0.42 |")
    assert second.startswith("| `ten` | `cnn`, `fast`, bfloat16 |")
    assert second.endswith("| 1 | 99.000 % |  |  |  | 99.00 | 99.00 | 4.2 |")  # 10 members take 10 * 0.42 s
    text = page.replace("\n", " ")
    assert "did nothing else: one, 2 cores, 2026-01-03. `cnn` was timed in float32. n counts" in text
    assert page.count("convscope experiment --recipe") == 2
    del parts["frontier-seconds"]
    page = publish.page(page, parts)
    assert page.splitlines()[4].endswith("| 99.00 | 99.20 |")
    assert "seconds of training" not in page


def test_networks_with_few_bits_per_weight_state_size_and_accuracy_in_integers(publish: ModuleType, digest: str):
    parts = make_frontier_parts(make_frontier_row(publish, "micro11k", digest, 2) | {"weight_bits": 4})
    page = publish.page("<!-- results: frontier --><!-- end -->", parts).replace("\n", " ")
    assert "all other numbers in floating point, and the bytes of its file.  Answers" in page
    run = {"accuracy": 0.995, "accuracy_in_floats": 0.9952, "bytes": 10_732}
    parts["integers"] = parts["frontier"] | {"runs": [run]}
    page = publish.page("<!-- results: frontier --><!-- end -->", parts).replace("\n", " ")
    assert "header take 10,732 bytes; with seed 0 it has 99.50 % [99.34, 99.62] in integers and 99.52 %" in page


def test_the_atlas_follows_from_its_published_runs(publish: ModuleType):
    spread = publish.load()["atlas"]["spread"]
    with publish.atlas.RUNS.open(encoding="utf-8") as file:
        accuracies = np.array([float(run["accuracy"]) for run in csv.DictReader(file)])
    assert asdict(estimate_reached(0.95, accuracies)) == spread["reached"]
    assert accuracies.std(ddof=1) == pytest.approx(spread["sd"])
    reproducible = estimate_carry_over(spread["sd"], spread["sd_interval"], spread["sd_independent"])
    assert asdict(reproducible) == pytest.approx(spread["carries_over"])


def test_fresh_seeds_are_equivalent_only_if_the_interval_lies_within_the_margin(publish: ModuleType, digest: str):
    names = ("cnn-accurate", "cnn-fast", "ann")
    before = [make_frontier_row(publish, name, digest, 30) | {"mean": 0.995, "sd": 0.0005} for name in names]
    fresh = [
        make_frontier_row(publish, name, digest, runs) | {"mean": 0.995 + difference, "sd": 0.0005}
        for name, runs, difference in zip(names, (30, 10, 30), (0.0001, 0.0001, 0.0004), strict=True)
    ]
    parts = make_frontier_parts(*before)
    parts["frontier-fresh"] = {**parts["frontier"], "rows": fresh}
    page = publish.page("<!-- results: frontier-fresh --><!-- end -->", parts)
    lines = [line for line in page.splitlines() if line.startswith("| `")]
    # The interval is 0.010 ± t · 0.05 · √(2/30), with t = 2.00 for 58 degrees of freedom.
    assert lines[0] == ("| `cnn-accurate` | 99.500 % (30) | 99.510 % (30) | +0.010 | [-0.016, +0.036] | yes |")
    assert [line.endswith("| undecided |") for line in lines] == [False, False, True]
    del parts["frontier-fresh"]
    assert publish.page(page, parts) == "<!-- results: frontier-fresh -->\n<!-- end -->"


def test_the_interval_of_a_difference_contains_the_true_difference_as_often_as_it_says(publish: ModuleType):
    stream = np.random.default_rng(0)
    num_covered = 0
    for _ in range(400):
        samples = [stream.normal(0.995, sd, runs) for sd, runs in ((0.0009, 10), (0.0003, 30))]
        rows = [{"mean": float(x.mean()), "sd": float(x.std(ddof=1)), "num_runs": len(x)} for x in samples]
        low, high = publish.frontier_pages.difference_interval(*rows)
        num_covered += low <= 0 <= high
    assert 0.92 <= num_covered / 400 <= 0.98  # 95 %, give or take three standard errors


def test_rows_of_the_frontier_that_another_engine_measured_are_named(publish: ModuleType, digest: str):
    parts = make_frontier_parts(
        *(make_frontier_row(publish, name, "0" * 64, 2) for name in ("ann", "cnn")),
        make_frontier_row(publish, "lenet5", digest, 2),
    )
    page = publish.page("<!-- results: frontier --><!-- end -->", parts)
    assert "the engine or the recipe has changed since `ann`, `cnn` were measured. Run" in page.replace("\n", " ")


def test_pictures_and_chance_are_left_out_until_they_are_measured(publish: ModuleType, digest: str):
    names = ("frontier-picture", "frontier-pictures", "chance")
    text = "\n\n".join(f"<!-- results: {name} -->\n<!-- end -->" for name in names)
    assert publish.page(text, {}) == text
    page = publish.page(text, make_frontier_parts(make_frontier_row(publish, "cnn-fast", digest, 30)))
    assert page.count("frontier-parameters.svg") == 2
    assert page.count("](docs/frontier-parameters.svg)") == page.count("](frontier-seconds.svg)") == 1
    # In points: sd_seeds, sd_images, and of a difference √2 · 0.05 on the same images, √(2 (0.07² + 0.03²)) on others.
    # Chance alone reaches 5 of 10,000 images, from 4.5 on before rounding, in 52 % and 68 % of the pairs.
    assert "| `cnn-fast` | 30 | 0.050 | 0.070 | 0.071 | 0.108 | 52 % | 68 % |" in page


def test_the_picture_of_the_frontier_follows_the_theme_and_shows_every_point(publish: ModuleType, digest: str):
    parts = make_frontier_parts(
        make_frontier_row(publish, "cnn-fast", digest, 3), make_frontier_row(publish, "ten", digest, 1, members=10)
    )
    svg = publish.frontier_pages.picture(parts, "seconds")
    assert "@media (prefers-color-scheme: dark) { :root { --paper: #14171c" in svg
    assert all(f">{text}</text>" in svg for text in ("cnn-fast", "ten", "seconds of training"))
    drawing = re.sub("<style>:root.*?</style>", "", svg)
    assert not re.search(r"#[0-9a-f]{6}\b", drawing)  # colours come from the style alone
    assert "system-ui" in drawing
    assert "DejaVu" not in drawing
    del parts["frontier-seconds"]
    assert publish.frontier_pages.picture(parts, "seconds") == ""


@pytest.mark.slow
def test_the_committed_pictures_of_the_frontier_are_those_of_the_measured_rows(publish: ModuleType):
    parts = publish.load()
    pages = publish.frontier_pages
    pictures = {pages.name_picture(cost): pages.picture(parts, cost) for cost in pages.COSTS}
    assert set(pictures) == {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("frontier-*.svg")}
    for name, svg in pictures.items():
        committed = (ROOT / name).read_text(encoding="utf-8")
        texts = [re.findall(r">([^<>]+)</text>", picture) for picture in (committed, svg)]
        assert texts[0] == texts[1], "out of date; run: make results ARGS=--pages"


def test_a_new_measurement_replaces_its_row_of_the_frontier_and_keeps_the_others(measure: ModuleType, tmp_path: Path):
    saved_parts = list[dict]()
    session = measure.Measurement(tmp_path, "all", None, {}, saved_parts.append)
    part: dict = {"num_images": 10_000}
    for number, name in enumerate(("cnn", "tiny8k", "no longer a point", "cnn")):
        session.commands = [f"command {number}"]
        row = {"name": name, "architecture": "cnn", "recipe": "fast", "seeds": [number]}
        part = measure.add_row(part, session, row)
        assert saved_parts[-1] == part
    assert [(row["name"], row["seeds"], row["command"]) for row in part["rows"]] == [
        ("tiny8k", [1], "command 1"), ("cnn", [3], "command 3"),
    ]  # fmt: skip
    assert part["commands"] == ["command 1", "command 3"]
    assert part["num_images"] == 10_000


def test_a_row_of_another_engine_is_kept_if_one_training_repeats_its_weights(
    measure: ModuleType, publish: ModuleType, digest: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    commands = list[tuple[str, ...]]()

    def convscope(*words: str) -> dict:
        """Pretend to train: return the run that `--seeds 3-3` asks for, always with the weights "same"."""
        commands.append(words[1:])
        return {"runs": [{"seed": int(words[words.index("--seeds") + 1].split("-")[0]), "weights_sha256": "same"}]}

    monkeypatch.setattr(measure.Measurement, "convscope", convscope)
    rows = [
        make_frontier_row(publish, name, "0" * 64, 2, precision) | {"first": {"seed": 3, "weights_sha256": weights}}
        for name, precision, weights in (
            ("cnn", "bfloat16", "same"), ("ann", "float32", "other"), ("lenet5", "float32", "same"),
        )
    ]  # fmt: skip
    rows[2]["engine_sha256"] = digest  # of the present engine, so it is not trained again
    rows.append(make_frontier_row(publish, "tiny2k", "0" * 64, 2))  # without "first" nothing can be compared
    saved_parts = list[dict]()
    assert measure.name_row({**rows[0], "name": ""}) == "cnn-fast"  # rows of the part "accuracy" have no name
    measure.check(make_frontier_parts(*rows)["frontier"], "mnist", tmp_path, saved_parts.append)
    (part,) = saved_parts
    assert [publish.is_current(row, part) for row in part["rows"]] == [True, False, True, False]
    assert [row["mean"] for row in part["rows"]] == [row["mean"] for row in rows]
    assert len(commands) == 2
    assert commands[0][3:] == (
        "--architecture", "cnn", "--recipe", "fast", "--seeds", "3-3", "--precision", "bfloat16", "--out",
        str(tmp_path / "checks" / "mnist-architecture-cnn-recipe-fast-seeds-3-3-precision-bfloat16"),
    )  # fmt: skip
    page = publish.page("<!-- results: frontier --><!-- end -->", {"frontier": part}).replace("\n", " ")
    assert "since `ann`, `tiny2k` were measured" in page
    assert f"On {measure.today()} one network of each row that this concerns was trained again" in page


def test_the_seconds_of_the_frontier_are_measured_once_for_points_of_one_training(
    measure: ModuleType, monkeypatch: pytest.MonkeyPatch
):
    points = (Point("one", "cnn", "fast"), Point("views", "cnn", "fast", views=9), Point("other", "ann", "fast"))
    monkeypatch.setattr("frontier.points.POINTS", points)
    assert [point.name for point in measure.single_networks([points[1]], "mnist")] == ["one"]


def test_a_busy_machine_is_detected(measure: ModuleType, monkeypatch: pytest.MonkeyPatch):
    before, now = (1000, 500), (1100, 530)  # all ticks and idle ticks: 30 of 100 were idle
    monkeypatch.setattr(measure.machine, "ticks", lambda: now)
    own_seconds = 50 / measure.machine.os.sysconf("SC_CLK_TCK")  # 50 ticks, so 20 are left to other programs
    assert measure.machine.measure_others_share(before, own_seconds) == pytest.approx(0.2)
    assert measure.machine.measure_others_share(now, 0.0) == 0.0
    with pytest.raises(ValueError, match="other programs took 20% of the processor"):
        measure.require_quiet(0.2)
