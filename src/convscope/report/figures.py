"""The figures of a run: from what it measured to named drawings, and to PNG and SVG files."""

from pathlib import Path

from convscope.base.files import write_bytes, write_text
from convscope.report import findings
from convscope.report.charts import (
    draw_accuracies,
    draw_class_balance,
    draw_confusion_matrix,
    draw_training_curves,
)
from convscope.report.payload import RunContents
from convscope.report.pictures import (
    draw_feature_maps,
    draw_image,
    draw_kernels,
    draw_mistakes,
    draw_samples,
    large_channels,
)
from convscope.report.style import Drawing, png_bytes, svg_text


def draw_charts(contents: RunContents) -> dict[str, Drawing]:
    """Return the charts of a run by name, each with what it shows as its title."""
    splits, evaluation, comparison = contents.splits, contents.evaluation, contents.comparison
    trained, baseline = contents.trained, contents.baseline
    histories = {trained.model.architecture.name: trained.history}
    if baseline is not None and baseline.history.loss:
        histories["baseline" if comparison is None else comparison.names[1]] = baseline.history
    names, titles = evaluation.class_names, findings.chart_titles(contents.payload)
    train, test = (part.class_counts.tolist() for part in (splits.train, splits.test))
    charts = {
        "class-balance": draw_class_balance(train, test, names, titles["class-balance"]),
        "confusion-matrix": draw_confusion_matrix(evaluation.confusion_matrix, names, titles["confusion-matrix"]),
    }
    if trained.history.loss:
        charts["training-accuracy"] = draw_training_curves(histories, "accuracy", titles["training-accuracy"])
        charts["training-loss"] = draw_training_curves(histories, "loss", titles["training-loss"])
    if comparison is not None:
        sides = [one.evaluation for one in (comparison.a, comparison.b)]
        charts["comparison"] = draw_accuracies(
            comparison.names,
            [side.accuracy for side in sides],
            [side.accuracy_interval for side in sides],
            titles["comparison"],
        )
    return charts


def draw_pictures(contents: RunContents) -> dict[str, Drawing]:
    """Return the pictures of a run by name: images, mistakes, kernels and feature maps."""
    evaluation, explanation, shown = contents.evaluation, contents.explanation, contents.pictures
    names, train = evaluation.class_names, contents.splits.train
    pictures = {
        "image": draw_image(shown.example, f"Training image 0: {names[train.labels[0]]}"),
        "classes": draw_samples(
            [(name, pictures) for name, (_, pictures) in zip(names, shown.samples, strict=True)],
            "The first training images of each class",
        ),
    }
    if shown.mistakes:
        pictures["mistakes"] = draw_mistakes(
            [
                (picture, names[one.true], names[one.predicted], one.probability)
                for picture, one in zip(shown.mistakes, evaluation.mistakes, strict=False)
            ],
            findings.mistakes_finding(contents.payload["evaluation"]),
        )
    for bank in explanation.kernels:
        kernel, layer, limit = bank.kernel, bank.layer, bank.limit
        pictures[f"kernels-{layer}"] = draw_kernels(kernel, layer, limit=limit)
        pictures[f"kernels-{layer}-grey"] = draw_kernels(kernel, layer, palette="grey", limit=limit)
        if bank.kind == "Conv2D":  # of a depthwise one, whose filters read a channel each, the first shows all
            pictures[f"kernels-{layer}-all"] = draw_kernels(kernel, layer, channel=None, limit=limit)
    for layer, maps in explanation.feature_maps.items():
        pictures[f"maps-{layer}"] = draw_feature_maps(maps, layer)
        pictures[f"maps-{layer}-large"] = draw_feature_maps(maps, layer, channels=large_channels(maps.shape[2]))
    return pictures


def write_figures(folder: Path, contents: RunContents) -> list[Path]:
    """Write every figure of a run into `folder` as PNG and SVG, and return the files' paths.

    The same contents give the same bytes.

    Raises:
        ConvscopeError: if the folder cannot be written to or the disk is full.
    """
    drawn: dict[str, tuple[Drawing, str | None]] = {
        name: (drawing, None) for name, drawing in {**draw_charts(contents), **draw_pictures(contents)}.items()
    }
    for section in contents.evidence:
        drawn |= section.drawings
    paths = list[Path]()
    for name, (drawing, svg) in drawn.items():
        png_path, svg_path = folder / f"{name}.png", folder / f"{name}.svg"
        write_bytes(png_path, png_bytes(drawing))
        write_text(svg_path, svg or svg_text(drawing))
        paths += [png_path, svg_path]
    return paths
