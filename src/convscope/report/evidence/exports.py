"""The section on exported files: how far each one's answers are from the model's, and what they cost."""

from typing import Any

from convscope.interchange.parity import parity_cells
from convscope.report.evidence.section import Section, Table
from convscope.report.findings import percent
from convscope.report.texts import Said, rounded, say


def exports_section(value: dict[str, Any]) -> Section:
    """Return the section of what `convscope export` kept as exports.json."""
    rows = value["exports"]
    own = [say(f"evidence.exports.{name}") for name in ("runBy", "difference", "changes")]
    costs = [say(f"head.{name}") for name in ("accuracy", "oneImage", "thousandImages")]
    table = Table(
        _finding(rows),
        say("evidence.exports.look"),
        [say("head.file"), own[0], "kB", *own[1:], *costs],
        parity_cells(rows),
        left=2,
    )
    return Section(
        "exports",
        say("evidence.exports.name"),
        say("evidence.exports.shows"),
        say("evidence.exports.doesNotShow"),
        [table],
    )


def _finding(rows: list[dict[str, Any]]) -> Said:
    """Return how many predictions changed, beside how large logits are."""
    changed = [row["num_changed"] for row in rows if row["num_changed"]]
    values = {
        "largest": rounded(max(row["largest_logit"] for row in rows), 3),
        "accuracy": percent(rows[0]["model_accuracy"]),
    }
    if changed:
        return say("evidence.exports.changed", n=len(changed), files=len(rows), most=max(changed), **values)
    images = say("counted.images", n=max(row["num_images"] for row in rows))
    return say("evidence.exports.unchanged", images=images, **values)
