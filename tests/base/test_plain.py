"""Reading JSON texts from outside, within bounds."""

import json
from dataclasses import dataclass

import pytest

from convscope.base.errors import RunError
from convscope.base.plain import from_plain, parse_json


@dataclass(frozen=True)
class Point:
    x: int
    y: int = 0


def test_a_json_text_becomes_its_value():
    value = {"largest": 2**64 - 1, "smallest": -(2**63)}
    value["名"] = [1, -2.5, None, True, "zwölf \U0001f462", {"inner": [[], {}]}]
    assert parse_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ("NaN", "the number nan is not finite"),
        ("[Infinity]", "the number inf is not finite"),
        ('{"loss": -1e400}', "the number -inf is not finite"),
        (f'{{"seed": 1{"0" * 400}}}', "does not fit into 64 bits"),
        (f"1{'0' * 5000}", "Exceeds the limit"),
        (str(2**64), "does not fit into 64 bits"),
        ('["\\ud800"]', "half a surrogate pair"),
        ('{"\\udfff": 1}', "half a surrogate pair"),
        ('{"seed": 1, "seed": 2}', "the key 'seed' comes twice in an object"),
        ('[{"a": {"b": 1, "c": 2, "\\u0062": 3}}]', "the key 'b' comes twice"),
        ("[" * 70 + "]" * 70, "nested more than 64 levels deep"),
        ("[" * 100_000, "nested too deeply"),
        ("\xff", "can't decode byte 0xff"),
    ],
)
def test_a_text_that_is_not_finite_plain_json_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_json(text.encode("latin-1"))


def test_a_text_of_too_many_values_is_refused_without_memory():
    with pytest.raises(ValueError, match="more than 4,000,000 values"):
        parse_json(b"[" + b"0," * 4_000_001 + b"0]")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (5, "point must be an object with x, y, not 5"),
        ({"x": 1, "z": 2}, "point has no 'z'; it has x, y"),
        ({"y": 1}, "point needs 'x'; add it"),
    ],
)
def test_from_plain_names_the_field_that_is_wrong(value, message):
    with pytest.raises(RunError, match=message):
        from_plain(Point, value, "point", RunError)
