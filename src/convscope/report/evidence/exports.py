"""The section on exported files: how far their predictions are from the model's, and what they cost."""

from convscope.export.parity import ParityTable
from convscope.report.evidence.section import Section, Table, topic_section
from convscope.report.findings import percent
from convscope.texts import Sentence, format_rounded, say


def exports_section(table: ParityTable) -> Section:
    """Make the section of the table that `convscope export` keeps as exports.json."""
    heads = [say(f"evidence.exports.{name}") for name in ("runBy", "difference", "changes")]
    costs = [say(f"head.{name}") for name in ("accuracy", "oneImage", "thousandImages")]
    header = [say("head.file"), heads[0], "kB", *heads[1:], *costs]
    rows = [row.cells for row in table.rows]
    parts = [Table(_finding(table), say("evidence.exports.look"), header, rows, left=2)] if rows else []
    if table.memory_cells:
        header = [say("head.file"), *(say(f"evidence.exports.{name}") for name in ("flash", "arena", "stack"))]
        title, look = say("evidence.exports.memory"), say("evidence.exports.memoryLook")
        parts.append(Table(title, look, header, table.memory_cells))
    header = [say(f"evidence.exports.{name}") for name in ("layer", "alone", "difference", "without", "difference")]
    for file, loss in table.losses:
        values = {
            "images": say("counted.images", n=loss.num_images),
            "difference": format_rounded(loss.total.largest, 2),
        }
        title = say("evidence.exports.layers", file=file, n=loss.total.num_changed, **values)
        parts.append(Table(title, say("evidence.exports.layersLook"), header, loss.cells))
    return topic_section("exports", parts)


def _finding(table: ParityTable) -> Sentence:
    """Say how many predictions changed, and how large the logits are."""
    changed = [row.num_changed for row in table.rows if row.num_changed]
    values = {
        "largest": format_rounded(max(row.largest_logit for row in table.rows), 3),
        "accuracy": percent(table.rows[0].model_accuracy),
    }
    if changed:
        return say("evidence.exports.changed", n=len(changed), files=len(table.rows), most=max(changed), **values)
    images = say("counted.images", n=max(row.num_images for row in table.rows))
    return say("evidence.exports.unchanged", images=images, **values)
