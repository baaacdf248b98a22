"""All texts of a report that a reader sees or hears are marked for translation, except data."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

_EMPTY = {"br", "hr", "img", "input", "link", "meta"}
_DATA = {"script", "style", "pre", "title", "noscript"}  # code, pixels, and texts that no script can change
_SPOKEN = ("aria-label", "title", "alt")

# Names and units that are the same in every language.
_NAMES = {"convscope", "numpy", "python", "native", "AUROC", "kB", "ms", "µs"}
_DATA_SETS = {"Fashion", "MNIST", "idx", "ubyte", "gz", "model", "safetensors"}  # and files
_ARGUMENTS = {"Input", "input", "same", "relu", "softmax", "stride"}  # words for layers in the diagram


class _Page(HTMLParser):
    """Collects each text and spoken attribute that is not marked for translation."""

    def __init__(self) -> None:
        super().__init__()
        self.untranslated = list[str]()
        self._open = list[tuple[str, bool]]()  # open tags, and whether their content is translated or data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values, is_exempt = dict(attrs), bool(self._open) and self._open[-1][1]
        if not is_exempt:
            spoken = [name for name in _SPOKEN if name in values and f"data-say-{name}" not in values]
            self.untranslated += [values[name] or "" for name in spoken]
        if tag not in _EMPTY:
            self._open.append((tag, is_exempt or tag == "say-text" or "data-say" in values or tag in _DATA))

    def handle_endtag(self, tag: str) -> None:
        if tag not in _EMPTY:
            assert self._open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if data.strip() and not self._open[-1][1]:
            self.untranslated.append(data.strip())
            if self._open[-1][0] == "text" and re.search(r"\d\.\d", data):  # an SVG's numbers need a mark
                self.untranslated.append(f"the number {data}")


def _words(text: str) -> list[str]:
    without_numbers = re.sub(r"\b[0-9a-f]{12,}\b|\b[\d.]+e[+-]?\d+\b", "", text)
    return re.findall(r"[^\W\d_]{2,}", without_numbers)


@pytest.mark.slow
def test_everything_in_a_report_but_data_is_translated(measured_run: Path) -> None:
    page = _Page()
    page.feed((measured_run / "report.html").read_text(encoding="utf-8"))
    run = json.loads((measured_run / "run.json").read_text())
    data = json.dumps([run["architecture"], run["recipe"]["name"], run["dataset"], run["cpu"], run["versions"]])
    verbatim = {*_words(data), *_NAMES, *_DATA_SETS, *_ARGUMENTS, "cnn", "ann"}
    assert len(page.untranslated) > 500
    assert [text for text in page.untranslated if not verbatim.issuperset(_words(text))] == []
