"""Suggestions for misspelt names, and telling names from paths."""

from convscope.base.spelling import did_you_mean, is_path


def test_a_close_name_is_suggested_and_a_far_one_is_not():
    assert did_you_mean("cn", ["cnn", "ann"]) == "; did you mean 'cnn'?"
    assert did_you_mean("zebra", ["cnn", "ann"]) == ""


def test_a_text_with_a_folder_or_an_ending_is_a_path():
    assert [text for text in ("a/b", "./cnn", "net.json", "cnn", "medmnist:path", "") if is_path(text)] == [
        "a/b", "./cnn", "net.json",
    ]  # fmt: skip
