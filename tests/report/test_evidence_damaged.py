"""Files of what was measured that are not what was written: one error that names the file."""

from typing import Any

import pytest

from convscope.base.errors import RunError
from convscope.report.evidence import render_evidence


@pytest.mark.parametrize("value", [5, "text", {"filters": 1}, [[]], [{"layer": {}}]])
def test_a_damaged_file_is_named(payloads: dict[str, dict[str, Any]], value: Any):
    damaged = {**payloads["cnn"]["evidence"]["ablation"], "filters": value}
    with pytest.raises(
        RunError,
        match=r"^ablation\.json: damaged \(.*\); delete the file and run `convscope evidence` on this run again$",
    ):
        render_evidence({"ablation": damaged})


def test_a_file_without_a_key_is_named(payloads: dict[str, dict[str, Any]]):
    damaged = {name: one for name, one in payloads["cnn"]["evidence"]["ablation"].items() if name != "class_names"}
    with pytest.raises(RunError, match=r"ablation\.json: damaged \(KeyError: .class_names.\); delete the file"):
        render_evidence({"ablation": damaged})
