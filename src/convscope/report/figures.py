"""The figures of a run: from what it measured to named drawings, and to files for slides and papers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from convscope.base.errors import FigureError
from convscope.base.figure_style import FigureStyle
from convscope.base.files import write_bytes
from convscope.base.spelling import did_you_mean
from convscope.report import findings
from convscope.report.charts import (
    draw_accuracies,
    draw_class_balance,
    draw_confusion_matrix,
    draw_training_curves,
)
from convscope.report.diagram import draw_diagram
from convscope.report.payload import RunContents
from convscope.report.pictures import (
    draw_feature_maps,
    draw_image,
    draw_kernels,
    draw_mistakes,
    draw_samples,
    large_channels,
)
from convscope.report.style import Drawing, figure_bytes
from convscope.texts import say


class Drawings(Mapping[str, Drawing]):
    """Drawings by name, each drawn when it is asked for."""

    def __init__(self, makers: Mapping[str, Callable[[], Drawing]]) -> None:
        self._makers = makers

    def __getitem__(self, name: str) -> Drawing:
        return self._makers[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def draw_charts(contents: RunContents) -> Drawings:
    """Return the charts of a run by name, each with what it shows as its title."""
    splits, evaluation, comparison = contents.splits, contents.evaluation, contents.comparison
    trained, baseline = contents.trained, contents.baseline
    histories = {trained.model.architecture.name: trained.history}
    if baseline is not None and baseline.history.loss:
        histories[say("baseline") if comparison is None else comparison.names[1]] = baseline.history
    names, titles = evaluation.class_names, findings.chart_titles(contents.facts)
    train, test = (part.class_counts.tolist() for part in (splits.train, splits.test))
    charts: dict[str, Callable[[], Drawing]] = {
        "class-balance": partial(draw_class_balance, train, test, names, titles["class-balance"]),
        "confusion-matrix": partial(
            draw_confusion_matrix, evaluation.confusion_matrix, names, titles["confusion-matrix"]
        ),
    }
    if trained.history.loss:
        charts["training-accuracy"] = partial(draw_training_curves, histories, "accuracy", titles["training-accuracy"])
        charts["training-loss"] = partial(draw_training_curves, histories, "loss", titles["training-loss"])
    if comparison is not None:
        sides = [one.evaluation for one in (comparison.a, comparison.b)]
        charts["comparison"] = partial(
            draw_accuracies,
            comparison.names,
            [side.accuracy for side in sides],
            [side.accuracy_interval for side in sides],
            titles["comparison"],
        )
    return Drawings(charts)


def draw_pictures(contents: RunContents) -> Drawings:
    """Return the pictures of a run by name: images, mistakes, kernels, feature maps and the network's diagram."""
    evaluation, explanation, shown = contents.evaluation, contents.explanation, contents.pictures
    names, train = evaluation.class_names, contents.splits.train
    pictures: dict[str, Callable[[], Drawing]] = {
        "diagram": partial(draw_diagram, contents.trained.model.architecture),
        "image": partial(draw_image, shown.example, f"Training image 0: {names[train.labels[0]]}"),
        "classes": partial(
            draw_samples,
            [(name, pictures) for name, (_, pictures) in zip(names, shown.samples, strict=True)],
            "The first training images of each class",
        ),
    }
    if shown.mistakes:
        pictures["mistakes"] = partial(
            draw_mistakes,
            [
                (picture, names[one.true], names[one.predicted], one.probability)
                for picture, one in zip(shown.mistakes, evaluation.mistakes, strict=False)
            ],
            findings.mistakes_finding(contents.facts.evaluation),
        )
    for bank in explanation.kernels:
        draw = partial(draw_kernels, bank.kernel, bank.layer, limit=bank.limit)
        pictures[f"kernels-{bank.layer}"] = draw
        pictures[f"kernels-{bank.layer}-grey"] = partial(draw, palette="grey")
        if bank.kind == "Conv2D":  # of a depthwise one, whose filters read a channel each, the first shows all
            pictures[f"kernels-{bank.layer}-all"] = partial(draw, channel=None)
    for layer, maps in explanation.feature_maps.items():
        pictures[f"maps-{layer}"] = partial(draw_feature_maps, maps, layer)
        pictures[f"maps-{layer}-large"] = partial(draw_feature_maps, maps, layer, channels=large_channels(maps))
    return Drawings(pictures)


def write_figures(
    folder: Path, contents: RunContents, names: Sequence[str] = (), style: FigureStyle | None = None
) -> list[Path]:
    """Write figures of a run into `folder`, each as a file of its name, and return the files' paths.

    The same contents give the same bytes.

    Args:
        names: of the figures; with none, all that there are.
        style: format, theme and resolution; None is `FigureStyle()`.

    Raises:
        FigureError: if there is no figure of a name; this is a ValueError too.
        ConvscopeError: if the folder cannot be written to or the disk is full.
    """
    style = style or FigureStyle()
    drawings: dict[str, Mapping[str, Drawing]] = {}
    for group in (draw_charts(contents), draw_pictures(contents), *(one.drawings for one in contents.evidence)):
        drawings |= dict.fromkeys(group, group)
    if unknown := [name for name in names if name not in drawings]:
        raise FigureError(_unknown(unknown[0], list(drawings)))
    paths = [folder / f"{name}.{style.format}" for name in names or drawings]
    for path in dict.fromkeys(paths):
        write_bytes(path, figure_bytes(drawings[path.stem][path.stem], style))
    return paths


def _unknown(name: str, known: Sequence[str]) -> str:
    hint = did_you_mean(name, known) or f"; this run has {', '.join(known)}"
    return f"there is no figure {name!r:.80}{hint}"
