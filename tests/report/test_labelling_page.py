"""The labelling page holds its pictures, runs its own script only, and stays below its limit."""

import json
import re
from collections.abc import Iterator
from html import unescape

import numpy as np
import pytest

from convscope.report import labelling_page
from convscope.report.labelling_page import PictureToLabel, render_labelling_page

NAMES = ("</script><b>", "靴 👢", "line\nbreak")


def make_pictures(count: int, shape=(8, 8, 1), label: int | None = 0, taken: list[int] | None = None):
    """Yield pictures of noise with two neighbours each, and list in `taken` those that were asked for."""
    stream = np.random.default_rng(0)
    same = stream.integers(0, 256, shape, np.uint8)
    for index in range(count):
        if taken is not None:
            taken.append(index)
        image = stream.integers(0, 256, shape, np.uint8)
        yield PictureToLabel(image, f"<i>{index}.png", "train", index, label, 1, 0.75, [(same, 1), (image, 2)])


def read_data(page: str) -> dict:
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    return json.loads(text)


def render(pictures: Iterator[PictureToLabel], count: int) -> str:
    return render_labelling_page("<u>data", NAMES, pictures, count, "convscope data fix '<u>data' corrections.csv")


def test_the_page_holds_names_as_data_and_each_picture_once():
    page = render(make_pictures(3), 3)
    data = read_data(page)
    assert data["class_names"] == list(NAMES)
    assert [item["file"] for item in data["items"]] == ["<i>0.png", "<i>1.png", "<i>2.png"]
    assert len(data["pictures"]) == 4  # three, and a neighbour of all
    assert data["items"][1]["neighbours"][0] == {"picture": 1, "label": 1}
    assert "<u>" not in page
    assert "<i>" not in page
    assert unescape(page).count("convscope data fix '<u>data' corrections.csv") == 1
    assert set(data["texts"]) == {"de", "en", "es", "fr", "zh-CN"}


def test_the_policy_allows_the_page_s_script_and_nothing_else():
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', render(make_pictures(1), 1))
    directives = dict(part.strip().split(" ", 1) for part in unescape(policy).split(";"))
    assert directives["default-src"] == "'none'"
    assert re.fullmatch(r"'sha256-[\w+/=]+'", directives["script-src"])
    assert set(directives) == {"default-src", "script-src", "style-src", "img-src", "base-uri", "form-action"}


def test_a_full_page_says_how_many_pictures_it_shows_and_reads_no_more(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(labelling_page, "MAX_BYTES", 250_000)
    taken = list[int]()
    page = render(make_pictures(500, (96, 96, 3), taken=taken), 500)
    shown = len(read_data(page)["items"])
    assert 3 < shown < 30
    assert len(taken) == shown + 1
    assert f"The first {shown} of 500 are shown." in page
    assert len(page.encode()) < 250_000
    assert "The first 3 of 3" not in render(make_pictures(3), 3)


def test_pictures_without_labels_have_another_title():
    assert "Label 2 pictures for " in render(make_pictures(2, label=None), 2)
    assert "Check 1 suspect label of " in render(make_pictures(1), 1)
