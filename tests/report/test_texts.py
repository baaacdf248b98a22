import json
from pathlib import Path

import pytest
from markupsafe import Markup, escape

from convscope.report.built import read_resource
from convscope.report.findings import percent
from convscope.report.texts import figure, rounded, say

CATALOGUE = Path(__file__).parents[2] / "web" / "src" / "text"


def test_the_package_has_the_texts_of_the_catalogue() -> None:
    packed = json.loads(read_resource("bundle/texts.json"))
    assert packed == {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in CATALOGUE.glob("*.json")}


@pytest.mark.parametrize(
    ("said", "english"),
    [
        (say("foldKernelsNone"), "This network has no convolution."),
        (say("confusionNone", images=10_000), "No mistakes on 10,000 images"),
        (say("lossTraining", loss=figure(0.12345, 3)), "Training loss ends at 0.123"),
        (say("bank", n=1, size="3 × 3", layer="conv"), "1 filter of 3 × 3 in conv"),
        (say("bank", n=2, size="3 × 3", layer="conv"), "2 filters of 3 × 3 in conv"),
        (say("sentence", text=say("mistakesNone")), "No mistakes to show."),
        (say("accuracyOnce.test", accuracy=percent(0.5)), "Test accuracy is 50.00\N{NO-BREAK SPACE}% after one epoch"),
        (say("kernelsPositive", share=51, most=rounded(0.98765, 3)), None),
    ],
)
def test_a_sentence_is_english_text(said: str, english: str | None) -> None:
    if english is None:
        assert said.endswith("the largest absolute value is 0.988.")
    else:
        assert said == english


def test_a_sentence_in_a_page_names_its_text_and_values_and_explains_its_terms() -> None:
    html = escape(say("head.mcnemar", p="<0.1"))
    assert isinstance(html, Markup)
    start = """<say-text key="head.mcnemar" values='{"p":"&lt;0.1"}'><abbr title="""
    assert html.startswith(start)
    assert html.endswith(">McNemar test</abbr>, exact: p = &lt;0.1</say-text>")
    said = say("sentence", text=say("balanceNone", name="o'k"))
    values = '{"text":{"say":"balanceNone","values":{"name":"o&#39;k"}}}'
    assert f"values='{values}'" in escape(said)


def test_a_missing_text_or_value_is_an_error() -> None:
    with pytest.raises(KeyError, match="nothing"):
        say("nothing")
    with pytest.raises(KeyError, match="images"):
        say("confusionNone")
