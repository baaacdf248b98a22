"""The page of a data set: whole, without scripts and requests, its texts data; long galleries are folded."""

import re

import numpy as np
import pytest
from msgspec import structs

import convscope as cs
from convscope.data.inspection import DataInfo, inspect_dataset
from convscope.report.data_page import MOST_OPEN, render_data_page, write_data_page
from convscope.runs.inspecting import Inspected

NAMES = (
    "</script><img src=x onerror=alert(1)>",
    "靴 👢",
    "a name of sixty characters that is far too long for any axis",
)


def made_up(num_classes: int = 3, shape=(10, 12, 1), names=None, blank: bool = False, leak: bool = False) -> cs.Splits:
    random = np.random.default_rng(0)
    names = tuple(names or (f"class {label}" for label in range(num_classes)))
    train = random.integers(0, 256, (4 * len(names), *shape), dtype=np.uint8)
    test = random.integers(0, 256, (2 * len(names), *shape), dtype=np.uint8)
    if blank:
        train[1] = 0
    if leak:
        test[1] = train[1]
    labels = np.arange(4 * len(names)) % len(names)
    return cs.Splits(
        cs.Dataset(train, labels, names, "made up"),
        cs.Dataset(test, labels[: len(test)], names, "made up", "test"),
    )


def document(splits: cs.Splits, **known: str) -> DataInfo:
    about = dict.fromkeys(("title", "licence", "source", "accuracy", "notes")) | known
    return Inspected(splits, inspect_dataset(splits), about).to_record()


def anchors(html: str) -> list[str]:
    return re.findall(r'<section class="evidence" id="([\w-]+)"', html)


def test_the_page_has_its_findings_facts_and_sections_in_order():
    html = render_data_page(document(made_up(leak=True)), "convscope data info x")
    assert anchors(html) == ["classes", "examples", "duplicates", "pixels"]
    assert "1 of 6 test images (16.7\N{NO-BREAK SPACE}%) are identical to a training image" in html
    assert "1 fault to fix before you train on this data" in html
    assert "convscope data info x" in html
    for anchor in anchors(html):
        assert f'href="#{anchor}"' in html


def test_blank_images_have_a_section_where_there_are_any():
    assert "blank" in anchors(render_data_page(document(made_up(blank=True))))
    assert "blank" not in anchors(render_data_page(document(made_up())))


def test_the_page_asks_for_nothing_and_runs_nothing():
    html = render_data_page(document(made_up()))
    assert "default-src 'none'" in html
    assert "<script" not in html
    assert not re.findall(r'(?:src|href)="(?!data:|#)', html)


def test_names_and_licences_are_data_and_never_markup():
    html = render_data_page(document(made_up(names=NAMES), title="<b>t</b>", licence="a & b"))
    assert "<img src=x" not in html
    assert "<b>t</b>" not in html
    assert "Licence: a &amp; b." in html
    assert "靴" in html


def test_pictures_are_png_inside_the_page():
    html = render_data_page(document(made_up(leak=True)))
    assert html.count("data:image/png;base64,") == 3 + 1  # first images, and the pair


@pytest.mark.parametrize("shape", [(28, 28, 1), (64, 64, 3), (40, 100, 2)])
def test_images_of_any_form_have_a_page(shape):
    html = render_data_page(document(made_up(4, shape)))
    assert "examples" in anchors(html)


@pytest.mark.slow
def test_many_classes_are_folded_away_and_all_there():
    number = MOST_OPEN + 3
    html = render_data_page(document(made_up(number, (8, 8, 1))))
    assert f"The first {MOST_OPEN} of {number} are shown." in html
    folded = html[html.index('id="examples-all"') :]
    assert folded[: folded.index("</section>")].count("<img") == number
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids))


def test_ids_are_not_repeated_on_a_small_page():
    ids = re.findall(r' id="([^"]+)"', render_data_page(document(made_up(leak=True, blank=True))))
    assert len(ids) == len(set(ids))


@pytest.mark.slow
def test_nothing_found_is_said_so(small_mnist):
    data = document(small_mnist)
    data = structs.replace(data, inspection=structs.replace(data.inspection, findings=()))
    assert "No problems found: this data is ready for training" in render_data_page(data)


def test_the_page_is_written_whole(tmp_path):
    write_data_page(tmp_path / "data.html", document(made_up()), "again")
    assert (tmp_path / "data.html").read_text(encoding="utf-8").rstrip().endswith("</html>")


def test_a_page_that_cannot_be_written_is_a_user_s_error(tmp_path):
    (tmp_path / "nowhere").mkdir()
    with pytest.raises(cs.ConvscopeError, match="nowhere"):
        write_data_page(tmp_path / "nowhere", document(made_up()))
