"""`convscope playground`: a page without a run."""

from pathlib import Path

import pytest

from .conftest import invoke, succeed


def test_a_file_is_replaced_only_with_force(tmp_path: Path):
    there = tmp_path / "there.html"
    there.write_text("mine")
    refused = invoke("playground", "--out", there)
    assert refused.exit_code == 1
    assert f"{there}: already exists; choose another file, or add --force to replace it" in refused.output
    assert there.read_text() == "mine"


@pytest.mark.slow
def test_the_page_holds_all_of_mnist_in_less_than_ten_megabytes(tmp_path: Path):
    page = tmp_path / "playground.html"
    printed = succeed("playground", "--out", page)
    size = f"{page.stat().st_size / 1e6:.1f} MB, 60,000 training images"
    assert printed == f"The page is {page} ({size})\n"
    assert page.stat().st_size < 10_000_000
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
