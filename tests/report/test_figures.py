"""Figures: their files and themes, the numbers that they show, and the arguments that are refused."""

import xml.etree.ElementTree as ET
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from PIL import Image

from convscope.base.errors import ConvscopeError, FigureError
from convscope.base.figure_style import FigureFormat, FigureStyle, Theme
from convscope.evidence.ablation import FilterAblation, Replaced
from convscope.report import (
    RunContents,
    draw_ablation,
    draw_confusion_matrix,
    draw_feature_maps,
    draw_kernels,
    draw_mistakes,
    draw_training_curves,
    write_figures,
)
from convscope.report.figures import chart_makers, picture_makers
from convscope.report.pictures import kernel_columns
from convscope.report.style import ACCENT, HAIRLINE, INK, MUTED, PAPER, POINTS, figure_bytes, new_drawing, svg_text
from convscope.training import History


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hostile", "depthwise"])
def test_every_figure_of_a_run_is_written(runs: dict[str, RunContents], tmp_path: Path, name: str) -> None:
    style = FigureStyle("png", dpi=36) if name == "hostile" else FigureStyle("svg", "dark")
    paths = write_figures(tmp_path / "figures", runs[name], (), style)
    assert len(paths) == len(set(paths)) == len(list((tmp_path / "figures").iterdir()))
    for path in paths:
        if path.suffix == ".png":
            with Image.open(path) as picture:
                assert min(picture.size) > 20
        else:
            assert ET.fromstring(path.read_text(encoding="utf-8")).tag.endswith("svg")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_a_figure_in_the_dark_theme_has_none_of_the_light_colours_and_the_same_bytes_each_time(
    runs: dict[str, RunContents], tmp_path: Path, kind: FigureFormat
) -> None:
    names, style = ["comparison", "training-loss"], FigureStyle(kind, "dark", dpi=36)
    paths = write_figures(tmp_path / "one", runs["cnn"], names, style)
    assert [path.name for path in paths] == [f"{name}.{kind}" for name in names]
    again = write_figures(tmp_path / "two", runs["cnn"], names, style)
    assert [path.read_bytes() for path in paths] == [path.read_bytes() for path in again]
    if kind == "svg":
        for path in paths:
            text = path.read_text(encoding="utf-8")
            assert not [colour for colour in (PAPER, INK, MUTED, HAIRLINE, ACCENT) if colour in text]
            assert "#14171c" in text  # the background of the dark theme
    if kind == "png":
        with Image.open(paths[0]) as picture:
            assert picture.convert("RGBA").getpixel((1, 1)) == (0x14, 0x17, 0x1C, 255)


def test_a_drawing_can_be_saved_in_both_themes_in_any_order(runs: dict[str, RunContents]) -> None:
    light, dark = (FigureStyle("svg", theme) for theme in ("light", "dark"))
    drawings = [chart_makers(runs["cnn"])["confusion-matrix"]() for _ in range(2)]
    first, second = (
        [figure_bytes(drawing, style) for style in order]
        for drawing, order in zip(drawings, [(light, dark, light), (dark, light, dark)], strict=True)
    )
    assert first == [second[1], second[0], second[1]]
    assert second[2] == second[0] != second[1]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_transparent_figure_has_a_clear_background(
    runs: dict[str, RunContents], tmp_path: Path, theme: Theme
) -> None:
    (path,) = write_figures(tmp_path, runs["cnn"], ["comparison"], FigureStyle("png", theme, 36, transparent=True))
    with Image.open(path) as picture:
        assert picture.convert("RGBA").getpixel((1, 1))[3] == 0


def test_an_unknown_figure_is_named_with_the_closest_name(runs: dict[str, RunContents], tmp_path: Path) -> None:
    with pytest.raises(FigureError, match="no figure 'confusion'; did you mean 'confusion-matrix'"):
        write_figures(tmp_path / "figures", runs["tiny"], ["class-balance", "confusion"])
    assert not (tmp_path / "figures").exists()
    with pytest.raises(FigureError, match="no figure 'xyz'; this run has class-balance, confusion-matrix"):
        write_figures(tmp_path / "figures", runs["tiny"], ["xyz"])


@pytest.mark.parametrize(("values", "message"), [({"dpi": 5}, "dpi is 5"), ({"format": "gif"}, "format is 'gif'")])
def test_a_wrong_style_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FigureStyle(**values)


@pytest.mark.parametrize(("length", "size"), [(20, 14), (60, 13), (75, 10)])
def test_a_long_title_is_written_smaller_and_in_full(length: int, size: int) -> None:
    (text,) = new_drawing(448, 100, "x" * length).texts
    assert (text.get_text(), text.get_fontsize()) == ("x" * length, size)


def test_a_cnn_has_all_its_figures(runs: dict[str, RunContents]) -> None:
    names = {*chart_makers(runs["cnn"]), *picture_makers(runs["cnn"])}
    assert names == {
        *("training-accuracy", "training-loss", "class-balance", "confusion-matrix", "comparison"),
        *("image", "classes", "mistakes"),
        *(f"kernels-{layer}{kind}" for layer in ("conv2d", "conv2d_1") for kind in ("", "-all")),
        *(f"maps-{layer}" for layer in ("conv2d", "max_pooling2d", "conv2d_1", "max_pooling2d_1")),
    }


def test_figures_name_neither_a_date_nor_the_library(runs: dict[str, RunContents]) -> None:
    svg = svg_text(chart_makers(runs["cnn"])["class-balance"]())
    assert "dc:date" not in svg
    assert "Matplotlib v" not in svg


def test_hostile_class_names_are_plain_text_in_figures(runs: dict[str, RunContents]) -> None:
    svg = svg_text(chart_makers(runs["hostile"])["class-balance"]())
    texts = {element.text for element in ET.fromstring(svg).iter() if element.tag.endswith("text")}
    assert "</script><img…" not in svg
    assert r"$\frac{" in texts
    assert "</script><img src…" in texts


def test_drawing_leaves_the_users_settings_as_they_were(runs: dict[str, RunContents]) -> None:
    before = dict(matplotlib.rcParams)
    chart_makers(runs["cnn"])
    assert dict(matplotlib.rcParams) == before


def test_the_users_settings_do_not_change_a_figure(runs: dict[str, RunContents]) -> None:
    expected = svg_text(chart_makers(runs["cnn"])["training-loss"]())
    with matplotlib.rc_context({"font.size": 20, "axes.grid": True, "lines.linewidth": 9, "axes.facecolor": "red"}):
        assert svg_text(chart_makers(runs["cnn"])["training-loss"]()) == expected


def test_a_drawing_shows_itself_in_a_notebook_that_takes_no_html(runs: dict[str, RunContents]) -> None:
    png, shown = chart_makers(runs["cnn"])["comparison"]()._repr_png_()
    height = 40 + 2 * 36 + 32  # pixels of the title, of a row for each model, and of the axis
    assert (shown["width"], shown["height"]) == (448, height)
    assert shown["alt"].startswith("This run of cnn makes fewer errors than this run of ann")
    with Image.open(BytesIO(png)) as picture:
        assert picture.size == (2 * 448, 2 * height)


def test_a_drawing_shows_itself_in_the_colours_of_a_notebook(runs: dict[str, RunContents]) -> None:
    html = chart_makers(runs["hostile"])["confusion-matrix"]()._repr_html_()
    assert "--ink: currentColor" in html
    assert html.count("Most frequent") == 2  # the caption, and what a screen reader says
    assert "<img" not in html


@pytest.mark.slow
@pytest.mark.parametrize(("sizes", "replacements"), [
    ([1], ("zero",)), ([2, 3], ("zero", "mean")), ([256, 256], ("mean",)), ([8] * 32, ("zero", "mean")),
    ([1] * 300, ("zero",)),
])  # fmt: skip
def test_an_ablation_shows_every_filter_in_its_layer(sizes: list[int], replacements: tuple[Replaced, ...]) -> None:
    filters = [
        FilterAblation(
            layer=f"layer_{layer}", filter=number, replacement=replacement, accuracy_change=-number / 1000,
            interval=(-number / 1000 - 0.01, 0.01 - number / 1000), accuracy_change_by_class=(), p_value=1.0,
            is_significant=False,
        )
        for layer, size in enumerate(sizes) for number in range(size) for replacement in replacements
    ]  # fmt: skip
    drawing = draw_ablation(filters, "a title")
    assert 560 <= drawing.get_figwidth() * POINTS <= 896
    (axes,) = drawing.axes
    dots = [line.get_xydata() for line in axes.lines if line.get_marker() == "o"]
    assert [len(dot) for dot in dots] == sizes
    indices = np.concatenate(dots)[:, 0]
    assert (np.diff(indices) > 0).all()
    assert 0 < indices[0] <= indices[-1] < axes.get_xlim()[1]
    for dot, size in zip(dots, sizes, strict=True):
        np.testing.assert_allclose(dot[:, 1], -np.arange(size)[::-1] / 1000)  # the largest loss first
    names = [label.get_text() for label in axes.get_xticklabels()]
    assert names[0] == "layer_0"
    # Of 300 layers as many are named as there is room for.
    assert (len(names) == len(sizes)) == (len(sizes) < 300)


@pytest.mark.parametrize(("number", "columns"), [(16, 4), (32, 4), (64, 8), (512, 16)])
def test_kernels_stand_as_in_the_notebook(number: int, columns: int) -> None:
    assert kernel_columns(number) == columns


def test_counts_are_written_only_where_they_fit() -> None:
    few, many = (np.eye(k, dtype=np.int64) * 987 for k in (10, 60))
    assert svg_text(draw_confusion_matrix(few, [str(i) for i in range(10)])).count(">987<") == 10
    assert ">987<" not in svg_text(draw_confusion_matrix(many, [str(i) for i in range(60)]))


@pytest.mark.slow
def test_a_figure_that_shows_a_part_says_so(runs: dict[str, RunContents]) -> None:
    pictures = picture_makers(runs["colour"])
    assert "the first 64 maps" in svg_text(pictures["maps-conv2d"]())
    assert "conv2d_1: all kernels, 100 x 70 (the first 64 per side)" in svg_text(pictures["kernels-conv2d_1-all"]())


def test_a_depthwise_convolution_has_all_its_filters_in_one_picture(runs: dict[str, RunContents]) -> None:
    pictures = picture_makers(runs["depthwise"])
    names = {name for name in pictures if name.startswith("kernels-depthwise_conv2d")}
    assert names == {"kernels-depthwise_conv2d"}
    assert "depthwise_conv2d: 12 filters" in svg_text(pictures["kernels-depthwise_conv2d"]())
    assert "conv2d: input channel 0" in svg_text(pictures["kernels-conv2d"]())


@pytest.mark.parametrize("best_epoch", [None, 2])
def test_curves_name_the_validation_images_and_ring_the_best_epoch(best_epoch: int | None) -> None:
    # Loss and accuracy in training, the same on validation images, and seconds.
    columns = ((0.5, 0.3, 0.2), (0.8, 0.9, 0.95), (0.4, 0.3, 0.35), (0.85, 0.9, 0.88), (1.0, 1.0, 1.0))
    drawing = draw_training_curves({"cnn": History(*columns, "validation", best_epoch)}, "loss")
    svg = svg_text(drawing)
    assert ">validation<" in svg
    assert ">test<" not in svg
    rings = [line.get_xydata().tolist() for line in drawing.axes[0].get_lines() if line.get_fillstyle() == "none"]
    assert rings == ([] if best_epoch is None else [[[2, 0.3]]])


@pytest.mark.parametrize("epochs", [1, 2, 3, 7, 30])
def test_the_axis_of_epochs_has_whole_epochs_that_were_trained(epochs: int) -> None:
    columns = [(0.5,) * epochs] * 4
    drawing = draw_training_curves({"cnn": History(*columns, (1.0,) * epochs)})
    ticks = drawing.axes[0].get_xticks().tolist()
    assert 1 <= len(ticks) <= 7
    assert set(ticks) <= set(range(1, epochs + 1))


def test_curves_without_measured_images_show_training_alone() -> None:
    svg = svg_text(draw_training_curves({"cnn": History((0.5,), (0.9,), seconds=(1.0,))}))
    assert ">train<" in svg
    assert ">test<" not in svg


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: draw_training_curves({"cnn": History()}), "no epoch"),
        (lambda: draw_kernels(np.zeros((3, 3, 1)), "conv2d"), "must be"),
        (lambda: draw_kernels(np.zeros((3, 3, 1, 4)), "conv2d", channel=1), "channel is 1"),
        (lambda: draw_feature_maps(np.zeros(10), "dense"), "a vector has no feature maps"),
        (lambda: draw_feature_maps(np.zeros((2, 2, 4)), "conv2d", channels=[4]), "has maps 0 to 3"),
        (lambda: draw_mistakes([]), "empty"),
    ],
)
def test_wrong_arguments_are_named(draw: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw()


def test_figures_need_a_folder_that_can_be_written(runs: dict[str, RunContents], tmp_path: Path) -> None:
    (tmp_path / "figures").write_text("a file in the way")
    with pytest.raises(ConvscopeError, match="figures"):
        write_figures(tmp_path / "figures", runs["tiny"])
