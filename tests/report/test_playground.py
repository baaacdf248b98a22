"""The playground: a page without a run, which trains in the browser."""

import json
import re

import numpy as np
import pytest
from tests.shared import unpack

from convscope.report import RunContents
from convscope.report.page_bundle import load_bundle
from convscope.report.playground import playground_payload, render_playground

from .test_render import Page, script_of


@pytest.fixture(scope="module")
def page(runs: dict[str, RunContents]) -> str:
    return render_playground(runs["cnn"].splits, runs["cnn"].trained.model)


def test_every_training_image_is_there_and_test_images_are_exact(runs: dict[str, RunContents]) -> None:
    splits, model = runs["cnn"].splits, runs["cnn"].trained.model
    live = playground_payload(splits, model).live.to_dict()
    pixels = unpack(live["training"]["pixels"])
    assert live["training"]["of"] == len(pixels) == len(splits.train)
    assert np.abs(pixels.astype(int) - splits.train.images).max() <= 8  # stored with 16 grey levels
    assert np.array_equal(unpack(live["training"]["labels"]), splits.train.labels)
    shown = unpack(live["images"]["pixels"])
    assert np.array_equal(shown, splits.test.images)
    assert live["images"]["num_sample"] == len(shown)
    for name, weight in model.weights.items():
        assert np.array_equal(unpack(live["models"][0]["weights"][name]), weight)
    assert np.array_equal(unpack(live["parity"]["logits"]), model.logits(shown[:100]))


def test_the_page_claims_no_result_and_has_no_report(page: str) -> None:
    payload = json.loads(script_of(page, "payload"))
    assert payload["untrained"] is True
    assert set(payload["evaluation"]) == {"split", "num_images", "class_names"}
    assert payload["history"]["loss"] == payload["live"]["models"][0]["snapshots"] == []
    parsed = Page(page)
    assert parsed.open == []
    assert parsed.tags["main"] == parsed.tags["nav"] == 0
    assert parsed.tags["h1"] == 1
    assert parsed.tags["script"] == 5 + len(load_bundle().texts)  # as a report
    assert "popovertarget" not in page
    assert re.search(r"<noscript><p[^>]*>This page trains a network in the browser, which needs JavaScript", page)


def test_the_page_runs_only_its_own_script(page: str) -> None:
    assert "script-src 'sha256-" in page
    assert "'unsafe-inline' 'wasm" not in page
