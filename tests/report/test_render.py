import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from convscope.errors import ConvscopeError
from convscope.report import render_report, write_report

VOID = {"meta", "link", "img", "input", "br"}


class Page(HTMLParser):
    """The elements of a page, with a check that each is closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
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
        if not self.open or self.open[-1] != "style":
            self.text += data

    def values(self, name: str) -> list[str]:
        return [value for _, attribute, value in self.attributes if attribute == name]


@pytest.fixture(scope="session")
def pages(payloads: dict[str, Any]) -> dict[str, str]:
    return {name: render_report(payload) for name, payload in payloads.items()}


@pytest.fixture(params=["cnn", "hostile", "colour", "tiny", "residual", "depthwise", "stopped", "many"])
def page(request: pytest.FixtureRequest, pages: dict[str, str]) -> Page:
    return Page(pages[request.param])


def test_the_layer_table_tells_trained_from_moving_numbers_and_what_is_added(pages: dict[str, str]) -> None:
    text = re.sub(r"\s+", " ", Page(pages["residual"]).text)
    assert "Add of stem" in text
    assert "18 of them are moving statistics, which no gradient trains." in text
    assert "moving statistics" not in pages["cnn"]


def test_every_element_is_closed(page: Page) -> None:
    assert page.open == []


def test_a_page_has_no_script_and_forbids_it(page: Page) -> None:
    assert page.tags["script"] == 0
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in page.values("content")
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]


def test_a_page_refers_to_nothing_outside_itself(page: Page) -> None:
    links = page.values("href") + page.values("xlink:href") + page.values("src")
    assert links
    assert all(link.startswith(("#", "data:")) for link in links)


def test_a_style_refers_to_nothing_outside_itself(pages: dict[str, str]) -> None:
    for text in pages.values():
        assert all(url.startswith("url(#") for url in re.findall(r"url\([^)]*\)", text))
        assert "@import" not in text


def test_ids_are_unique_and_every_link_within_the_page_has_its_end(page: Page) -> None:
    ids = Counter(page.values("id"))
    assert [name for name, times in ids.items() if times > 1] == []
    assert all(link[1:] in ids for link in page.values("href") + page.values("xlink:href") if link.startswith("#"))


def test_every_picture_has_a_text_in_its_place(page: Page) -> None:
    assert len(page.values("alt")) == page.tags["img"]


def test_the_sections_stand_in_the_readers_order(pages: dict[str, str]) -> None:
    sections = re.findall(r'<section[^>]* id="(\w+)"', pages["cnn"])
    assert sections == [
        *(
            "verdict",
            "data",
            "model",
            "training",
            "evaluation",
            "comparison",
            "kernels",
            "maps",
            "reproduce",
            "glossary",
        )
    ]


def test_a_run_without_a_baseline_has_no_comparison(pages: dict[str, str]) -> None:
    assert 'id="comparison"' not in pages["tiny"]


def test_the_verdict_says_what_it_rests_on_and_what_it_cannot_claim(
    pages: dict[str, str], payloads: dict[str, Any]
) -> None:
    text = Page(pages["cnn"]).text.replace("\N{NO-BREAK SPACE}", " ")
    evaluation = payloads["cnn"]["evaluation"]
    low, high = evaluation["accuracy_interval"]
    assert f"{100 * evaluation['accuracy']:.2f} %" in text
    assert f"[{100 * low:.2f}, {100 * high:.2f}]" in text
    assert "measured after each epoch, but nothing was chosen by them" in text
    assert payloads["cnn"]["model"]["weights_sha256"] in text
    assert "one run with one seed" in text


def test_a_page_says_that_validation_images_chose_and_test_images_did_not(pages: dict[str, str]) -> None:
    text = Page(pages["stopped"]).text.replace("\N{NO-BREAK SPACE}", " ")
    choice = "stopped after epoch 2 of 5, 1 epoch without a better val_loss; weights of epoch 1"
    assert f"20 % of the training images, were measured after each epoch and decided: {choice}. The test" in text
    assert "custom, 2 of 5 epochs, weights of epoch 1" in text
    assert "200 images to train on (20 % of them held out to validate by) and 200 to measure by" in text
    assert "A ring marks the epoch" in text
    assert "Validation accuracy" in text
    assert not re.search("[Tt]est (accuracy|loss)", text)
    assert "nothing was chosen" not in text
    assert "last epoch is the model" not in text


def test_the_matrix_of_the_image_is_there_in_full(pages: dict[str, str], payloads: dict[str, Any]) -> None:
    match = re.search(r'<pre class="matrix">(.*?)</pre>', pages["cnn"], re.DOTALL)
    assert match
    rows = [list(map(int, re.sub("</?b>", "", line).split())) for line in match[1].split("\n")]
    assert rows == payloads["cnn"]["data"]["example"]["channels"][0]


def test_a_page_says_that_depthwise_filters_read_one_channel(pages: dict[str, str]) -> None:
    text = Page(pages["depthwise"]).text
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


def test_charts_take_their_colours_from_the_theme(pages: dict[str, str]) -> None:
    charts = "".join(re.findall(r"<svg xmlns:xlink.*?</svg>", pages["cnn"], re.DOTALL))
    assert "var(--ink)" in charts
    assert re.findall(r"(?:fill|stroke): #\w+", charts) == []


def luminance(colour: str) -> float:
    """Return the relative luminance of #rrggbb (WCAG 2.2)."""
    channels = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_texts_have_contrast_in_every_theme(pages: dict[str, str]) -> None:
    themes = re.findall(r"(--paper: #.*?--warm: #\w+)", pages["tiny"])
    assert len(themes) == 3  # dark, light and print
    for theme in themes:
        colours = dict(re.findall(r"--(\w+): (#\w{6})", theme))
        paper = luminance(colours["paper"])
        for name in ("ink", "muted", "accent", "warm"):
            light, dark = max(paper, luminance(colours[name])), min(paper, luminance(colours[name]))
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (name, theme)


def test_a_page_of_a_cnn_is_below_two_megabytes(pages: dict[str, str]) -> None:
    assert len(pages["cnn"].encode()) < 2_000_000
    assert all(len(text.encode()) < 5_000_000 for text in pages.values())


def test_a_page_shows_the_command_and_the_lines_that_make_the_run_again(pages: dict[str, str]) -> None:
    text = Page(pages["cnn"]).text
    assert "convscope run --dataset mnist --architecture cnn --seed 0" in text
    assert "cs.train(cs.presets.cnn, data, " in text
    assert 'cs.Architecture.from_dict(run["architecture"])' in Page(pages["colour"]).text


def test_the_report_is_written_under_its_name(payloads: dict[str, Any], tmp_path: Path) -> None:
    path = write_report(tmp_path, payloads["tiny"])
    assert path == tmp_path / "report.html"
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_a_report_needs_a_folder_that_can_be_written(payloads: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file in the way")
    with pytest.raises(ConvscopeError, match=r"report\.html"):
        write_report(tmp_path / "run", payloads["tiny"])
