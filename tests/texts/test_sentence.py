"""Sentences in English and their marks in HTML, by which the page translates them."""

import pickle

import pytest
from markupsafe import Markup, escape

from convscope.report.findings import percent
from convscope.texts import (
    attribute,
    figure,
    find_text,
    follow_language,
    format_rounded,
    format_signed,
    join_texts,
    say,
    translate_name,
)


@pytest.mark.parametrize(
    ("sentence", "english"),
    [
        (say("foldKernelsNone"), "This network has no convolution."),
        (say("confusionNone", images=10_000), "No mistakes on 10,000 images"),
        (say("lossTraining", loss=figure(0.12345, 3)), "Training loss ends at 0.123"),
        (say("bank", n=1, size="3 × 3", layer="conv"), "1 filter of 3 × 3 in conv"),
        (say("bank", n=2, size="3 × 3", layer="conv"), "2 filters of 3 × 3 in conv"),
        (say("sentence", text=say("mistakesNone")), "No mistakes to show."),
        (
            say("accuracyChanging.test", accuracy=percent(0.5)),
            "Test accuracy is still changing in the last epoch: 50.00\N{NO-BREAK SPACE}%",
        ),
        (say("kernelsPositive", share=51, most=format_rounded(0.98765, 3)), None),
    ],
)
def test_a_sentence_is_english_text(sentence: str, english: str | None) -> None:
    if english is None:
        assert sentence.endswith("the largest absolute value is 0.988.")
    else:
        assert sentence == english


def test_a_sentence_in_a_page_names_its_text_and_values_and_explains_its_terms() -> None:
    html = escape(say("head.mcnemar", p="<0.1"))
    assert isinstance(html, Markup)
    start = """<say-text key="head.mcnemar" values='{"p":"&lt;0.1"}'><abbr title="""
    assert html.startswith(start)
    assert html.endswith(">McNemar test</abbr>, exact: p = &lt;0.1</say-text>")
    sentence = say("sentence", text=say("balanceNone", name="o'k"))
    values = '{"text":["balanceNone",{"name":"o&#39;k"}]}'
    assert f"values='{values}'" in escape(sentence)


def test_a_missing_text_or_value_is_an_error() -> None:
    with pytest.raises(KeyError, match="nothing"):
        say("nothing")
    with pytest.raises(KeyError, match="images"):
        say("confusionNone")


def test_a_figure_is_a_number_in_english_notation() -> None:
    assert [figure(-0.04, 1), figure(-1234.5, 1), format_signed(0.004, 2), format_signed(-1.5, 1)] == [
        "0.0", "−1,234.5", "0.00", "−1.5",
    ]  # fmt: skip
    assert [format_rounded(92.5, 4, "%"), format_rounded(2.7e-33, 2)] == ["92.5\N{NO-BREAK SPACE}%", "2.7e-33"]


def test_an_attribute_names_its_text_and_data_stays_data() -> None:
    assert attribute("alt", 'a "b"') == 'alt="a &quot;b&quot;"'
    sentence = attribute("title", say("head.more", n=2))
    assert sentence == """title="2 more" data-say-title='["head.more",{"n":2}]'"""


def test_texts_of_a_drawing_are_marked_unless_data_have_the_same_text() -> None:
    svg = '<text x="1">epoch</text><text x="2">90 %</text><text x="3">mean</text>'
    mean = say("evidence.robustness.mean")
    marked = follow_language(svg, [say("charts.epoch"), percent(0.9, 0), mean, "mean"])
    assert """<text data-say='["charts.epoch"]' x="1">epoch</text>""" in marked
    assert '<text x="3">mean</text>' in marked


def test_known_names_are_translated_and_other_names_stay() -> None:
    assert translate_name("evidence.rejection.set", "letters").key == "evidence.rejection.set.letters"  # type: ignore[attr-defined]
    assert translate_name("evidence.rejection.set", "Fashion-MNIST") == "Fashion-MNIST"
    shifts = [say("evidence.rejection.shifted", n=pixels) for pixels in (1, 2)]
    assert find_text("shifted by 2 pixels", shifts) is shifts[1]
    assert find_text("bent", shifts) == "bent"
    assert join_texts(["a", "b", "c"], "or") == "a or b or c"


def test_a_pickled_sentence_is_its_english() -> None:
    sentence = say("lossTraining", loss=figure(0.12345, 3))
    assert pickle.loads(pickle.dumps([sentence, figure(0.5, 1)])) == [sentence, "0.5"]
