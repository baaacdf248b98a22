"""The limits of `make size`: how large the project may be."""

import runpy
from pathlib import Path

import pytest

SIZE = runpy.run_path(str(Path(__file__).parents[1] / ".ci" / "size.py"))

MODULE = '''"""What it is for."""

# Why.
LIMIT = 3
"""Of what."""


class Part:
    """A part."""

    text = """two
    lines"""


def add(a, b):  # a comment beside code
    """Add two numbers.

    At length.
    """
    return (
        a + b
    )
'''


def test_code_is_counted_without_docstrings_comments_and_blank_lines():
    assert SIZE["count_code_lines"](MODULE) == 8


@pytest.mark.slow
def test_every_part_is_within_its_limit_and_no_limit_is_far_above():
    for name, size in SIZE["measure"]().items():
        limit = SIZE["LIMITS"][name]
        assert size <= limit, f"{name}: {size:,}, and the limit is {limit:,}; take something away first"
        assert limit <= 1.05 * size + 1, f"{name}: {size:,}; lower its limit of {limit:,} in .ci/size.py"
