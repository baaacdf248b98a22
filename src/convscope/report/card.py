"""A model card: what was measured of a run, as Markdown with the metadata that model hubs read.

Values and plain JSON in, text out. Nothing is measured, and no image is needed. What a run does not have is left out,
or named among the limits.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from convscope.base.errors import RunError
from convscope.base.records import Interval, Record
from convscope.base.sharing import without_folders
from convscope.base.tables import percent_with_interval
from convscope.data.datasets import DATASETS
from convscope.evidence.evaluation import Evaluation
from convscope.experiment.records import SeedsRecord
from convscope.report.card_text import escaped, fenced, markdown_table, yaml_lines
from convscope.report.evidence import Table, render_evidence
from convscope.storage.records import RunFile
from convscope.training.model import Model

TRUST = ("calibration", "rejection", "robustness", "attacks", "audit")
"""The topics that a card shows, in addition to the seeds."""

_MOST_CLASSES = 40  # in a table; of more, those with the lowest recall
_MOST_PAIRS = 10
_TASK = "image-classification"


@dataclass(frozen=True, eq=False)
class CardContents:
    """What a run folder holds, as far as its card tells of it.

    Attributes:
        record: run.json.
        evidence: what was measured of these weights, by topic: "seeds" and `TRUST`.
        comparison: what the comparison with the dense network says, in sentences; "" without one.
        licence: of the model, as a hub calls it; None leaves it out.
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
    """Return the card as Markdown, with its metadata in YAML at the top.

    Raises:
        RunError: if `run.json` or a topic's file is damaged.
    """
    try:
        parts = [
            "\n".join(["---", *yaml_lines(_metadata(contents)), "---"]),
            f"# {escaped(contents.title)}",
            _about(contents),
            "## Data",
            *_data(contents),
            "## Training",
            *_training(contents),
            "## Accuracy",
            *_accuracy(contents),
            *_trust(contents),
            "## Limits",
            "\n".join(f"- {line}" for line in _limits(contents)),
            "## How to use it",
            *_use(contents),
            "## How to reproduce it",
            *_reproduction(contents),
        ]
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise RunError(f"run.json: damaged ({reason:.200}); use another copy of the run") from error
    return "\n\n".join(part for part in parts if part) + "\n"


def _metadata(contents: CardContents) -> dict[str, Any]:
    """Return what hubs read. Source: modelcard.md, the specification of Hugging Face's model cards."""
    evaluation, entry = contents.evaluation, DATASETS.get(contents.record.dataset.argument)
    name = evaluation.dataset_name
    dataset = re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-.") or "dataset"
    low, high = evaluation.accuracy_interval
    accuracy = {
        "type": "accuracy",
        "name": "Accuracy",
        "value": evaluation.accuracy,
        "args": {"num_images": evaluation.num_images, "interval_95": [low, high]},
    }
    f1 = {"type": "f1", "name": "Macro F1", "value": evaluation.macro_f1, "args": {"average": "macro"}}
    result = {
        "task": {"type": _TASK, "name": "Image classification"},
        "dataset": {"type": dataset, "name": entry.title if entry else name or dataset, "split": evaluation.split},
        "metrics": [accuracy, f1],
    }
    return {
        **({"license": contents.licence} if contents.licence else {}),
        "library_name": "convscope",
        "pipeline_tag": _TASK,
        "tags": ["convscope", _TASK],
        "datasets": [dataset],
        "metrics": ["accuracy", "f1"],
        "model-index": [{"name": contents.title, "results": [result]}],
    }


def _about(contents: CardContents) -> str:
    network, record = contents.model.architecture, contents.record
    height, width, channels = network.input.height, network.input.width, network.input.channels
    version = f"convscope {record.versions.get('convscope', '')}".strip()
    made = f"It was trained with {version}"
    if record.imported:
        made = f"It was trained elsewhere, and read and measured with {version}"
    elif record.members:
        made = f"It is an ensemble of {len(record.members)} networks, made with {version}"
    return (
        f"This network classifies images of {height} × {width} pixels with {channels} "
        f"channel{'s' if channels > 1 else ''} into {network.num_classes} classes. {made}. It has "
        f"{network.parameters:,} parameters and takes {network.macs:,} multiply-adds per image. Each figure below was "
        "measured before; none was measured for this card."
    )


def _data(contents: CardContents) -> Iterator[str]:
    data, entry, network = (
        contents.record.dataset,
        DATASETS.get(contents.record.dataset.argument),
        contents.model.architecture.input,
    )
    if contents.record.imported:
        yield "The file of the network does not say which images it was trained on. It was measured with these data."
    train, test = data.train, data.test
    rows = [("name", data.name)]
    if entry is not None:
        rows += [("title", entry.title), ("source", entry.source), ("licence of the data", entry.licence)]
    else:
        rows += [("licence of the data", "not known")]
    for split, part in (("training", train), ("test", test)):
        rows.append((f"{split} images", f"{part.num_images:,}"))
        if damaged := sum(file.num_damaged for file in part.source):
            rows.append((f"damaged {split} images, left out", f"{damaged:,}"))
        rows.append((f"SHA-256 of the {split} images", part.sha256))
    rows.append(("image (height, width, channels)", " × ".join(map(str, train.image_shape))))
    rows.append(("scaling of a pixel, part of the model", f"byte · {network.scale:.6g} + {network.offset:.6g}"))
    yield markdown_table(("Data", ""), rows, 2)
    names = test.class_names
    if len(names) <= _MOST_CLASSES:
        counts = zip(names, train.class_counts, test.class_counts, strict=True)
        table = ((name, f"{first:,}", f"{second:,}") for name, first, second in counts)
        yield markdown_table(("Class", "training images", "test images"), table)


def _training(contents: CardContents) -> Iterator[str]:
    record = contents.record
    if imported := record.imported:
        rows = [("program", imported.program), ("file", imported.file), ("SHA-256 of the file", imported.sha256)]
        yield markdown_table(("Imported from", ""), [*rows, *(("note", note) for note in imported.notes)], 2)
        return
    if record.members:
        members = ((one.architecture["name"], one.recipe["name"], str(one.seed)) for one in record.members)
        yield "Its probabilities are the mean of those of its members."
        yield markdown_table(("Member", "recipe", "seed"), members, 2)
        return
    rows = [("seed", str(record.seed)), ("epochs trained", str(record.epochs_trained))]
    if record.best_epoch:
        rows.append(("epoch of the weights, chosen by validation images", str(record.best_epoch)))
    if record.start:
        rows.append(("started from the weights with SHA-256", record.start.weights_sha256))
    rows += [(f"recipe: {name}", _setting(value)) for name, value in record.recipe.items()]
    yield markdown_table(("Setting", ""), rows, 2)


def _setting(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_setting(one)}" for name, one in value.items())
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _accuracy(contents: CardContents) -> Iterator[str]:
    found = contents.evaluation
    rows = [
        ("accuracy", percent_with_interval(found.accuracy, found.accuracy_interval)),
        ("balanced accuracy", percent_with_interval(found.balanced_accuracy, found.balanced_accuracy_interval)),
        ("macro F1", percent_with_interval(found.macro_f1, found.macro_f1_interval)),
        ("loss (mean cross-entropy in nats)", f"{found.loss:.4f}"),
    ]
    yield f"On {found.num_images:,} {found.split} images. The 95 % intervals are over images, not over seeds."
    yield markdown_table(("Figure", "value [95 % interval]"), rows, 2)
    seeds = contents.evidence.get("seeds")
    if isinstance(seeds, SeedsRecord):
        yield from _seeds(seeds, contents.model.name)
    yield escaped(contents.comparison)
    classes = [one for one in found.classes if one.recall is not None]
    title = "Each class:"
    if len(found.classes) > _MOST_CLASSES:
        classes = sorted(classes, key=lambda one: one.recall or 0)[:_MOST_CLASSES]
        title = f"The {len(classes)} classes with the lowest recall:"
    yield title
    yield markdown_table(
        ("Class", "images", "precision", "recall", "F1"),
        ([one.class_name, f"{one.support:,}", *map(_percent, (one.precision, one.recall, one.f1))] for one in classes),
    )
    pairs = found.confused_pairs[:_MOST_PAIRS]
    if pairs:
        names = found.class_names
        yield "The most frequent confusions:"
        yield markdown_table(
            ("Class", "predicted as", "images"),
            ((names[pair.true], names[pair.predicted], f"{pair.count:,}") for pair in pairs),
            2,
        )


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.2f} %"


def _seeds(seeds: SeedsRecord, name: str) -> Iterator[str]:
    """Yield what several seeds give."""
    group = next((one for one in seeds.table if one.architecture == name), None)
    if group is None or group.sd is None:
        return
    within = group.interval_with_images
    yield (
        f"Over {group.num_runs} seeds, the one of this model included, the mean accuracy is {100 * group.mean:.2f} % "
        f"with a standard deviation of {100 * group.sd:.2f} points"
        + (f"; 95 % interval over seeds and images: {_span(within)}." if within else ".")
    )


def _span(interval: Interval) -> str:
    return f"{100 * interval[0]:.2f} to {100 * interval[1]:.2f} %"


def _trust(contents: CardContents) -> Iterator[str]:
    """Yield what the sections of the page say in their titles, and what they do not show."""
    for topic in TRUST:
        if topic not in contents.evidence:
            continue
        section = render_evidence({topic: contents.evidence[topic]})[0].section
        titles = [part.title for part in section.parts if part.title]
        looks = [part.look for part in section.parts if isinstance(part, Table) and not part.title and part.look]
        yield f"## {escaped(section.name)}"
        yield escaped(section.shows)
        yield "\n".join(f"- {escaped(title)}" for title in [*titles, *looks])
        yield escaped(section.does_not_show)


def _limits(contents: CardContents) -> Iterator[str]:
    evaluation, record = contents.evaluation, contents.record
    yield (
        f"It was measured on the {evaluation.num_images:,} {evaluation.split} images of "
        f"{escaped(evaluation.dataset_name)}. How it does on images from another source was not measured."
    )
    yield from map(escaped, evaluation.cautions)
    if record.imported:
        yield "Nobody knows whether it was trained on some of the test images."
    elif "seeds" not in contents.evidence and not record.members:
        yield "It is one training run. How much the accuracy varies between seeds was not measured."
    if record.start:
        seen = record.start.num_seen_images
        count = "an unknown number" if seen is None else f"{seen:,}"
        yield f"The network that training started from had seen {count} of the training images before."
    if not contents.model.calibration.get("rejection"):
        yield f"It always answers with one of its {evaluation.num_classes} classes, also for an image of none of them."
    if missing := [topic for topic in TRUST if topic not in contents.evidence]:
        yield f"Not measured: {', '.join(missing)}. `convscope evidence` measures them, as far as the run allows it."


def _use(contents: CardContents) -> Iterator[str]:
    network = contents.model.architecture.input
    shape = f"(N, {network.height}, {network.width}, {network.channels})"
    calibrated = "calibrated_probabilities" if "temperature" in contents.model.calibration else "probabilities"
    lines = [
        "import convscope as cs",
        "",
        'model = cs.load_model("model.safetensors")',
        f"probabilities = model.{calibrated}(images)  # images {shape} uint8, 0 to 255, as in the data set",
        "names = [model.class_names[label] for label in model.predict(images)]",
    ]
    yield "With convscope, for images in the format of the training images:"
    yield fenced("\n".join(lines), "python")
    yield "`convscope predict` classifies pictures of other sizes and photos. Without convscope, safetensors reads it:"
    first = next(iter(contents.model.architecture.weight_shapes), None)
    plain = [
        "import json",
        "from safetensors import safe_open",
        "",
        'with safe_open("model.safetensors", framework="numpy") as file:',
        '    description = json.loads(file.metadata()["convscope"])  # architecture, class_names, ...',
        *([] if first is None else [f"    array = file.get_tensor({first!r})"]),
    ]
    yield fenced("\n".join(plain), "python")


def _reproduction(contents: CardContents) -> Iterator[str]:
    record = contents.record
    command, is_call = without_folders(record.command), not record.command.startswith("convscope ")
    yield "Paths are shortened to their last part."
    yield fenced(command, "python" if is_call else "sh")
    rows = [*record.versions.items(), ("engine", record.engine), ("processor", record.cpu.name)]
    rows.append(("SHA-256 of the weights", contents.model.weights_sha256))
    yield markdown_table(("Made with", ""), rows, 2)
