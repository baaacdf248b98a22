"""A model card: what was measured of a run, as Markdown with the metadata that model hubs read.

Values and plain JSON in, text out. Nothing is measured, and no image is needed. What a run does not have is left out,
or named among the limits. The text itself is in card.md.jinja; here are the values of its names (`_make_values`).
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, StrictUndefined, Template, UndefinedError

from convscope.base.errors import RunError
from convscope.base.records import Record
from convscope.base.sharing import without_folders
from convscope.base.tables import percent_with_interval, printable
from convscope.data.datasets import DATASETS
from convscope.data.datasets.named.entries import CatalogueEntry
from convscope.evidence.evaluation import Evaluation
from convscope.experiment.records import SeedsRecord
from convscope.report.document import read_resource
from convscope.report.evidence import Table, make_section
from convscope.storage.records import RunFile
from convscope.training.model import Model

TRUST = ("calibration", "rejection", "robustness", "attacks", "audit")
"""The topics that a card shows, in addition to the seeds."""

_MAX_CLASSES = 40  # rows of a table; with more classes, those with the lowest recall
_MAX_PAIRS = 10
_RATES = {"accuracy": "accuracy", "balanced accuracy": "balanced_accuracy", "macro F1": "macro_f1"}
_PUNCTUATION = re.compile(r"([\\`*_\[\]<>|#~$&]|^[-+=])")  # characters with a meaning in Markdown, also within a table


@dataclass(frozen=True, eq=False)
class CardContents:
    """The contents of a run folder that its card describes.

    Attributes:
        record: run.json.
        evidence: what was measured of these weights, by topic: "seeds" and `TRUST`.
        comparison: what the comparison with the dense network says, in sentences; "" without one.
        licence: the model's licence, as a hub calls it; None leaves it out.
    """

    record: RunFile
    model: Model
    evaluation: Evaluation
    evidence: Mapping[str, Record]
    comparison: str = ""
    licence: str | None = None

    @property
    def title(self) -> str:
        return f"{self.model.name} on {self.evaluation.dataset_name}"


def render_card(contents: CardContents) -> str:
    """Write the card as Markdown, with its metadata in YAML at the top.

    Source: modelcard.md, the specification of Hugging Face's model cards, for the metadata.

    Raises:
        RunError: if `run.json` or a topic's file is damaged.
    """
    try:
        return _template().render(_make_values(contents)).rstrip("\n") + "\n"
    except (LookupError, TypeError, ValueError, AttributeError, UndefinedError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise RunError(f"run.json: damaged ({reason:.200}); use another copy of the run") from error


@cache
def _template() -> Template:
    # Markdown, not HTML: nothing is escaped automatically, the template does it with `md`.
    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters.update(md=escape_markdown, yaml=_format_yaml, fence=_make_fence, thousands="{:,}".format)
    return environment.from_string(read_resource("card.md.jinja"))


def escape_markdown(text: object) -> str:
    """Write a text of one line as Markdown that shows it unchanged.

    >>> print(escape_markdown("a|b <i> *c*"))
    a\\|b \\<i\\> \\*c\\*
    """
    return _PUNCTUATION.sub(r"\\\1", printable(str(text)))


def _format_yaml(value: str | float) -> str:
    if isinstance(value, float):
        return f"{value:.6f}"  # YAML 1.1 takes 1e-05 for a text
    return json.dumps(printable(value), ensure_ascii=False)  # quoted, so that no text reads as another type


def _make_fence(lines: str) -> str:
    """Write a fence of three backticks, or one more than stand in a row in the lines, so that none ends the block."""
    return "`" * max([3, *(len(run) + 1 for run in re.findall("`+", lines))])


def _make_values(contents: CardContents) -> dict[str, object]:
    """Make the values of the template by their names there.

    A table is a list of rows, and a row a tuple of texts. If the run has a result over seeds ("has_seeds"), "group" is
    the row of this network in it, with its mean and standard deviation; else, or if it had a single seed, None.
    """
    evaluation, record, model = contents.evaluation, contents.record, contents.model
    entry, name = DATASETS.get(record.dataset.argument), evaluation.dataset_name
    seeds = contents.evidence.get("seeds")
    groups = seeds.table if isinstance(seeds, SeedsRecord) else ()
    programs = {**record.versions, "engine": record.engine, "processor": record.cpu.name}
    weight = next(iter(model.architecture.weight_shapes), None)  # the first weight's name, for an example of code
    train, test = record.dataset.train, record.dataset.test
    counts = zip(test.class_names, train.class_counts, test.class_counts, strict=True)
    class_counts = [(class_name, f"{first:,}", f"{second:,}") for class_name, first, second in counts]
    rates = [
        (label, percent_with_interval(getattr(evaluation, rate), getattr(evaluation, f"{rate}_interval")))
        for label, rate in _RATES.items()
    ]
    return {
        **vars(contents),
        "title": contents.title,
        # An id of a hub has letters, digits, _, . and - only.
        "dataset_id": re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-.") or "dataset",
        "dataset_title": entry.title if entry else name or "dataset",
        "network": model.architecture,
        "input": model.architecture.input,
        "made_with": f"convscope {record.versions.get('convscope', '')}".strip(),
        "data": list(_describe_data(record, model, entry)),
        "class_counts": class_counts if len(class_counts) <= _MAX_CLASSES else [],
        "imported": list(_describe_import(record)),
        "members": [(item.architecture["name"], item.recipe["name"], item.seed) for item in record.members or ()],
        "settings": list(_describe_settings(record)),
        "figures": [*rates, ("loss (mean cross-entropy in nats)", f"{evaluation.loss:.4f}")],
        "group": next((group for group in groups if group.architecture == model.name and group.sd is not None), None),
        "most_classes": _MAX_CLASSES,
        "classes": _format_classes(evaluation),
        "pairs": [
            (*(evaluation.class_names[label] for label in (pair.true, pair.predicted)), f"{pair.count:,}")
            for pair in evaluation.confused_pairs[:_MAX_PAIRS]
        ],
        "sections": list(_describe_trust(contents)),
        "has_seeds": seeds is not None,
        "calibration": model.calibration,
        "missing": [topic for topic in TRUST if topic not in contents.evidence],
        "weight": weight and printable(repr(weight)),
        "command": "\n".join(map(printable, without_folders(record.command).split("\n"))),
        "made": [*programs.items(), ("SHA-256 of the weights", model.weights_sha256)],
    }


def _format_classes(evaluation: Evaluation) -> list[tuple[str, ...]]:
    """Format a row for each class with test images; if the table is long, only the weakest classes have one."""
    classes = [metrics for metrics in evaluation.classes if metrics.recall is not None]
    if len(evaluation.classes) > _MAX_CLASSES:
        classes = sorted(classes, key=lambda metrics: metrics.recall or 0)[:_MAX_CLASSES]
    return [
        (metrics.class_name, f"{metrics.support:,}", *map(_percent, (metrics.precision, metrics.recall, metrics.f1)))
        for metrics in classes
    ]


def _describe_data(record: RunFile, model: Model, entry: CatalogueEntry | None) -> Iterator[tuple[str, str]]:
    data, network = record.dataset, model.architecture.input
    yield "name", data.name
    if entry is not None:
        yield from (("title", entry.title), ("source", entry.source))
    yield "licence of the data", "not known" if entry is None else entry.licence
    for split, part in (("training", data.train), ("test", data.test)):
        yield f"{split} images", f"{part.num_images:,}"
        yield f"SHA-256 of the {split} images", part.sha256
    # A folder without a test split is a source of both, and counts once.
    if damaged := sum(file.num_damaged for file in dict.fromkeys((*data.train.source, *data.test.source))):
        yield "damaged pictures, left out", f"{damaged:,}"
    yield "image (height, width, channels)", " × ".join(map(str, data.train.image_shape))
    yield "scaling of a pixel, part of the model", f"byte · {network.scale:.6g} + {network.offset:.6g}"


def _describe_import(record: RunFile) -> Iterator[tuple[str, str]]:
    if imported := record.imported:
        yield from (("program", imported.program), ("file", imported.file), ("SHA-256 of the file", imported.sha256))
        yield from (("note", note) for note in imported.notes)


def _describe_settings(record: RunFile) -> Iterator[tuple[str, object]]:
    yield from (("seed", record.seed), ("epochs trained", record.epochs_trained))
    if record.best_epoch:
        yield "epoch of the weights, chosen by validation images", record.best_epoch
    if record.search:
        chosen = f"{len(record.search.trials)} trials, measured on {record.search.num_held_out:,} training images"
        yield "network and recipe, chosen by", chosen
    if record.start:
        yield "started from the weights with SHA-256", record.start.weights_sha256
    yield from ((f"recipe: {name}", _format_setting(value)) for name, value in record.recipe.items())


def _format_setting(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_format_setting(setting)}" for name, setting in value.items())
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.2f} %"


def _describe_trust(contents: CardContents) -> Iterator[dict[str, object]]:
    """Yield the sections of the page that `TRUST` lists, with their titles and notes as lines of text."""
    for topic in (topic for topic in TRUST if topic in contents.evidence):
        section = make_section(topic, contents.evidence[topic])
        titles = [part.title for part in section.parts if part.title]
        looks = [part.look for part in section.parts if isinstance(part, Table) and not part.title and part.look]
        yield {**vars(section), "lines": [*titles, *looks]}
