"""The report as HTML: well-formed, self-contained and escaped, with the numbers of its payload."""

import base64
import hashlib
import json
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from convscope.base.errors import ConvscopeError
from convscope.report import RunContents, page_bundle, render_report, write_report
from convscope.training import History

from .conftest import HOSTILE_NAMES, make_contents

VOID = {"meta", "link", "img", "input", "br"}


class Page(HTMLParser):
    """Parses a page into its elements and texts, and asserts that each element is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.order: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text, self.texts = "", list[str]()  # `text` is what a reader sees, without the texts of scripts and styles
        self.inside: defaultdict[str, str] = defaultdict(str)  # the text directly in elements of a kind
        self.last_script = ""
        self.source = text
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.order.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        self.inside[self.open[-1] if self.open else ""] += data
        if self.open[-1:] == ["script"]:
            self.last_script = data
        if not self.open or self.open[-1] not in ("style", "script"):
            self.text += data

    def values(self, name: str) -> list[str]:
        return [value for _, attribute, value in self.attributes if attribute == name]


@pytest.fixture(scope="session")
def pages(runs: dict[str, RunContents]) -> dict[str, str]:
    return {name: render_report(run) for name, run in runs.items()}


@pytest.fixture(scope="session")
def parse(pages: dict[str, str]) -> Callable[[str], Page]:
    """A function that parses a page, each only once, since it takes a tenth of a second. Tests only read the result."""
    return cache(lambda name: Page(pages[name]))


@pytest.fixture(params=["cnn", "hostile", "colour", "tiny", "residual", "depthwise", "stopped", "many"])
def page(request: pytest.FixtureRequest, parse: Callable[[str], Page]) -> Page:
    return parse(request.param)


def test_the_layer_table_names_shortcuts_and_counts_moving_statistics(parse: Callable[[str], Page]) -> None:
    text = re.sub(r"\s+", " ", parse("residual").text)
    assert "Add of stem" in text
    # A mean and a variance for each channel of two normalisations: 2 · 6 + 2 · 3.
    assert "18 of the parameters are moving statistics, which are not trained by gradients." in text
    assert "moving statistics" not in parse("cnn").text


def test_every_element_is_closed(page: Page) -> None:
    assert page.open == []


def test_the_content_security_policy_allows_only_the_scripts_of_the_page(page: Page) -> None:
    # The payload, the engine, the module, the script and the start of the page, and a script for each language.
    assert page.tags["script"] == 5 + len(page_bundle.load_bundle().texts)
    start, script = (
        f"'sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}'"
        for text in (page.last_script.encode(), unpack_script(page.source, "script"))
    )
    assert (
        f"default-src 'none'; script-src {start} {script} 'wasm-unsafe-eval'; worker-src blob:; "
        "style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'"
    ) in page.values("content")
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]


def script_of(page: str, name: str) -> str:
    """Return the text of the script element `name`, up to the first `</script>`."""
    match = re.search(rf'<script type="[\w/]+" id="{name}">(.*?)</script', page, re.DOTALL | re.IGNORECASE)
    assert match
    return match[1]


def test_a_page_holds_the_payload_without_the_parts_of_the_report(
    pages: dict[str, str], payloads: dict[str, Any]
) -> None:
    for name, text in pages.items():
        shown = json.loads(script_of(text, "payload"))
        left_out = {"evidence", "mistake_pictures", "explained_picture", "kernels", "feature_maps"}
        assert set(payloads[name]) - set(shown) == left_out
        assert set(payloads[name]["data"]) - set(shown.pop("data")) == {"example", "samples"}
        assert all(value == payloads[name][key] for key, value in shown.items())


def test_no_text_of_a_payload_ends_its_element_or_begins_a_comment(pages: dict[str, str]) -> None:
    assert HOSTILE_NAMES[:2] == ("</script><img src=x onerror=alert(1)>", "<!--<script>")
    text = script_of(pages["hostile"], "payload")
    assert not set("<>&\u2028\u2029") & set(text)
    assert "\\u003c/script\\u003e\\u003cimg src=x onerror=alert(1)\\u003e" in text


def unpack_script(page: str, name: str) -> bytes:
    return zlib.decompress(base64.b64decode(script_of(page, name), validate=True))


def test_a_page_holds_the_engine_and_the_script(pages: dict[str, str]) -> None:
    assert unpack_script(pages["tiny"], "engine").startswith(b"\0asm")
    assert unpack_script(pages["tiny"], "script").decode() == page_bundle.read_resource("bundle/bench.js")
    assert f"<script>{page_bundle.read_resource('start.js')}</script>\n</body>\n</html>" in pages["tiny"]
    assert "<" not in page_bundle.read_resource("start.js")  # nothing in it can end its element


def test_the_bench_stands_before_the_report_and_the_header_has_places_for_the_script(pages: dict[str, str]) -> None:
    text = pages["cnn"]
    header = text[text.index("<header>") : text.index("</header>")]
    for element in ("state", "tools", "badge", "share"):
        assert f'<div id="{element}"></div>' in header
    assert re.search(r'</header>\n<div id="bench"></div>\n<noscript>.*</noscript>\n<div class="sheet">', text)


def test_every_picture_of_an_image_says_which_it_is(pages: dict[str, str], payloads: dict[str, Any]) -> None:
    pictures = set(re.findall(r'<img[^>]* data-split="(\w+)" data-index="(\d+)"', pages["cnn"]))
    payload = payloads["cnn"]
    expected = {("train", str(index)) for row in payload["data"]["samples"] for index in row["indices"]}
    expected |= {("test", str(mistake["index"])) for mistake in payload["evaluation"]["mistakes"][:24]}
    expected |= {("train", "0"), ("test", str(payload["explanation"]["index"]))}
    assert pictures == expected


def test_the_confusion_matrix_is_a_table_with_a_cell_for_each_pair(
    pages: dict[str, str], payloads: dict[str, Any]
) -> None:
    for name in ("cnn", "many"):
        cells = re.findall(r'<td data-true="(\d+)" data-predicted="(\d+)"[^>]*>(\d*)</td>', pages[name])
        matrix = payloads[name]["evaluation"]["confusion_matrix"]
        assert [(int(true), int(predicted), int(count or 0)) for true, predicted, count in cells] == [
            (true, predicted, count) for true, row in enumerate(matrix) for predicted, count in enumerate(row)
        ]


def test_every_chart_has_its_numbers_beside_it(pages: dict[str, str], payloads: dict[str, Any]) -> None:
    figures = dict(re.findall(r'<figure data-chart="([\w-]+)">(.*?)</figure>', pages["cnn"], re.DOTALL))
    curves = {"training-accuracy", "training-loss"}
    assert set(figures) == {"class-balance", *curves, "confusion-matrix", "ablation"}
    assert all("<table" in figure and "<strong>" in figure for figure in figures.values())
    assert all(">Numbers<" in figure for name, figure in figures.items() if name != "confusion-matrix")
    for value in payloads["cnn"]["history"]["val_loss"]:
        assert f"<td>{value:.4f}</td>" in figures["training-loss"]


def test_kernels_and_maps_name_their_layer(pages: dict[str, str]) -> None:
    layers = Counter(re.findall(r'<figure data-layer="(\w+)"', pages["cnn"]))
    # A convolution has its kernels and, if they read several channels, all of them; and its maps.
    assert layers == {"conv2d": 2, "max_pooling2d": 1, "conv2d_1": 3, "max_pooling2d_1": 1}


def test_a_page_refers_to_nothing_outside_itself(page: Page) -> None:
    links = page.values("href") + page.values("xlink:href") + page.values("src")
    assert links
    assert all(link.startswith(("#", "data:")) for link in links)


def test_a_style_refers_to_nothing_outside_itself(page: Page) -> None:
    styles = page.inside["style"]
    assert styles
    assert all(url.startswith("url(#") for url in re.findall(r"url\([^)]*\)", styles))
    assert "@import" not in styles


def test_ids_are_unique_and_every_link_within_the_page_has_a_target(page: Page) -> None:
    ids = Counter(page.values("id"))
    assert [name for name, times in ids.items() if times > 1] == []
    assert all(link[1:] in ids for link in page.values("href") + page.values("xlink:href") if link.startswith("#"))


def test_every_picture_has_an_alternative_text(page: Page) -> None:
    assert len(page.values("alt")) == page.tags["img"]


def test_the_sections_stand_in_the_readers_order(pages: dict[str, str]) -> None:
    sections = re.findall(r'<section[^>]* id="(\w+)"', pages["cnn"].partition("<main>")[2].partition("</main>")[0])
    assert sections == [
        "verdict", "training", "evaluation", "comparison", "classes", "data", "model", "kernels", "maps", "ablation",
        "reproduce", "glossary",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["cnn", "hostile", "tiny", "residual", "many"])
def test_sections_after_the_comparison_are_folded_under_a_finding(pages: dict[str, str], name: str) -> None:
    text = pages[name]
    main = text[text.index("<main>") : text.index("</main>")]
    opened, *folded = main.split('<details class="fold">')
    sections = re.findall(r'<section[^>]* id="(\w+)"', opened)
    assert [name for name in sections if name != "comparison"] == ["verdict", "training", "evaluation", "classes"]
    assert re.findall(r'<section[^>]* id="(\w+)"', main)[len(sections) :] == [
        *("data", "model", "kernels", "maps", "ablation", "reproduce", "glossary")
    ]
    assert "<details open" not in main
    for heading in folded:
        unmarked = re.sub("</?say-text[^>]*>", "", heading)
        match = re.match(r"<summary><h2>[^<]+</h2><span>([^<]+\.)</span></summary>", unmarked)
        assert match
        assert re.search(r"\d", match[1]) or match[1].startswith("This network has no ")


def test_headings_leave_out_no_level(page: Page) -> None:
    levels = [int(tag[1]) for tag in page.order if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_a_page_says_what_it_lacks_without_a_script(pages: dict[str, str]) -> None:
    assert re.search(r"<noscript><p[^>]*>Without JavaScript you see the report\.[^<]+</p></noscript>", pages["cnn"])


def test_after_one_epoch_four_numbers_stand_for_the_curves() -> None:
    page = Page(render_report(make_contents(history=History((0.3,), (0.9,), (0.2,), (0.93,), (1.5,)))))
    text = " ".join(" ".join(page.texts).split())  # as a reader sees it, a space between two cells
    assert "cnn test cnn train ann test ann train Accuracy 93.00 % 90.00 % 93.00 % 90.00 % Loss 0.2000 0.3000" in text
    assert "measured while the network learned, on augmented images." in text
    assert "training-accuracy" not in page.values("data-chart")


def test_what_was_not_measured_has_no_section(runs: dict[str, RunContents]) -> None:
    page = render_report(replace(runs["tiny"], evidence=()))
    assert 'id="ablation"' not in page
    assert "#ablation" not in page
    assert 'id="comparison"' not in page  # the run has no baseline


def test_the_verdict_states_its_evidence_and_its_limits(pages: dict[str, str], payloads: dict[str, Any]) -> None:
    text = Page(pages["cnn"]).text.replace("\N{NO-BREAK SPACE}", " ")
    evaluation = payloads["cnn"]["evaluation"]
    low, high = evaluation["accuracy_interval"]
    assert f"{100 * evaluation['accuracy']:.2f} %" in text
    assert f"[{100 * low:.2f}, {100 * high:.2f}]" in text
    assert "measured after each epoch but were not used to choose anything" in text
    assert payloads["cnn"]["model"]["weights_sha256"] in text
    assert "one run with one seed" in text


def test_a_page_says_that_validation_images_chose_and_test_images_did_not(parse: Callable[[str], Page]) -> None:
    text = parse("stopped").text.replace("\N{NO-BREAK SPACE}", " ")
    choice = "stopped after epoch 2 of 5, 1 epoch without a better val_loss; weights of epoch 1"
    used = f"20 % of the training images, were measured after each epoch and used for early stopping ({choice})."
    assert used in text
    assert "custom, 2 of 5 epochs, weights of epoch 1" in text
    assert "200 training images (20 % of them held out for validation) and 200 test images" in text
    assert "A ring marks the epoch" in text
    assert "Validation accuracy" in text
    assert not re.search("[Tt]est (accuracy|loss)", text)
    assert "not used to choose" not in text
    assert "model is the last epoch" not in text


def test_a_page_says_that_depthwise_filters_read_one_channel(parse: Callable[[str], Page]) -> None:
    text = parse("depthwise").text
    assert "12 filters, each of one channel" in text
    assert "6 filters, input channel 0" in text


def test_hostile_class_names_are_shown_as_text(pages: dict[str, str]) -> None:
    page = Page(pages["hostile"])
    assert "</script><img src=x onerror=alert(1)>" in page.text
    assert 'quote " and & <b>bold</b>' in page.text
    assert r"$\frac{" in page.text
    assert "靴 👢" in page.text
    assert "x" not in page.values("src")
    assert not set("\x00\x1b") & set(pages["hostile"])
    assert "<!--<script>" in page.text


def test_charts_take_their_colours_from_the_theme(pages: dict[str, str]) -> None:
    charts = "".join(re.findall(r"<svg xmlns:xlink.*?</svg>", pages["cnn"], re.DOTALL))
    assert "var(--ink)" in charts
    assert re.findall(r"(?:fill|stroke): #\w+", charts) == []


def luminance(colour: str) -> float:
    """Return the relative luminance of #rrggbb (WCAG 2.2)."""
    channels = (int(colour[offset : offset + 2], 16) / 255 for offset in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_texts_have_contrast_in_every_theme(pages: dict[str, str]) -> None:
    themes = re.findall(r"(--paper: #.*?--wrong: #\w+)", pages["tiny"])
    assert len(themes) == 5  # dark and light, by the system and by the reader, and print
    for theme in themes:
        colours = dict(re.findall(r"--(\w+): (#\w{6})", theme))
        paper = luminance(colours["paper"])
        for name in ("ink", "muted", "accent", "warm", "right", "wrong"):
            light, dark = max(paper, luminance(colours[name])), min(paper, luminance(colours[name]))
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (name, theme)


def test_a_page_without_engine_and_weights_is_small(pages: dict[str, str]) -> None:
    """The rest of 4.5 MB is for the live part, whose size is limited elsewhere, and for the script and the engine."""
    for name, text in pages.items():
        html = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
        assert len(html.encode()) < (550_000 if name == "cnn" else 2_000_000), name


def test_a_page_shows_the_command_that_makes_the_run_again(parse: Callable[[str], Page]) -> None:
    text = parse("cnn").text
    assert "convscope run --dataset mnist --architecture cnn --seed 0" in text


def test_the_report_is_written_under_its_name(runs: dict[str, RunContents], tmp_path: Path) -> None:
    path = write_report(tmp_path, runs["tiny"])
    assert path == tmp_path / "report.html"
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_a_report_needs_a_folder_that_can_be_written(runs: dict[str, RunContents], tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file in the way")
    with pytest.raises(ConvscopeError, match=r"report\.html"):
        write_report(tmp_path / "run", runs["tiny"])
