"""Text and HTML tables of any content, also of wide and hostile characters."""

import csv
from io import StringIO

import pytest

from convscope.base.tables import Tint, clip, csv_line, display_width, html_table, printable, text_table


@pytest.mark.parametrize(("text", "width"), [("abc", 3), ("漢字", 4), ("e\N{COMBINING ACUTE ACCENT}", 1), ("", 0)])
def test_display_width_counts_terminal_columns(text, width):
    assert display_width(text) == width


@pytest.mark.parametrize(
    ("text", "width", "clipped"),
    [("boot", 4, "boot"), ("boots", 4, "boo…"), ("漢字漢字", 5, "漢字…"), ("漢字漢字", 4, "漢…"), ("abc", 1, "…")],
)
def test_clip_keeps_within_the_width(text, width, clipped):
    assert clip(text, width) == clipped


def test_printable_replaces_controls_and_direction_overrides():
    assert printable("a\x1b[2Jb\u202ec\n") == "a\ufffd[2Jb\ufffdc\ufffd"


def test_text_table_aligns_wide_characters():
    lines = text_table(("name", "n"), [("漢字漢", "1"), ("ab", "12")]).splitlines()
    assert [display_width(line) for line in lines] == [10, 10, 10, 10]


def test_html_table_escapes_every_cell_head_and_caption():
    html = html_table(("<h>", "&"), [("<a>", Tint("<b>", (222, 107, 20), 0.55))], "<c>")
    assert not any(f"<{tag}>" in html for tag in "habc")
    assert "rgba(222, 107, 20, 0.550)" in html


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"])
def test_a_text_cell_is_no_formula(start: str):
    assert next(csv.reader(StringIO(csv_line([f"{start}1+1", "a"]), newline=""))) == [f"'{start}1+1", "a"]
