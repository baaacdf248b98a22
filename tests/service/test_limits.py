"""The limits of the service."""

import re

import pytest

from convscope.service import Limits


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("body_bytes", 0),
        ("pixels", -1),
        ("pixels", 1.5),
        ("requests", True),
        ("threads", "2"),
        ("body_seconds", 0.0),
        ("send_seconds", float("nan")),
        ("stop_seconds", float("inf")),
    ],
)
def test_a_limit_that_is_not_positive_is_refused(name: str, value: object):
    with pytest.raises(ValueError, match=re.escape(f"{name} is {value!r}; it must be a")):
        Limits(**{name: value})


def test_threads_default_to_the_cores_and_all_limits_are_bounded():
    limits = Limits()
    assert limits.threads >= 1
    assert limits.body_bytes < limits.held_bytes
