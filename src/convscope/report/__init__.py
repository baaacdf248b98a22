"""The page, figures and JSON of a run, made from the values that it measured."""

import convscope.report.quiet_start  # noqa: F401 (before anything that imports matplotlib)

# isort: split
from convscope.report.ablation_chart import draw_ablation
from convscope.report.charts import draw_accuracies, draw_class_balance, draw_confusion_matrix, draw_training_curves
from convscope.report.evidence.comparison import draw_difference
from convscope.report.experiment_charts import draw_strips
from convscope.report.figures import write_figures
from convscope.report.live import Replay
from convscope.report.payload import RunContents
from convscope.report.pictures import draw_feature_maps, draw_image, draw_kernels, draw_mistakes, draw_samples
from convscope.report.pixels import image_pixels
from convscope.report.render import load_parts, render_report, write_report

__all__ = [
    "Replay",
    "RunContents",
    "draw_ablation",
    "draw_accuracies",
    "draw_class_balance",
    "draw_confusion_matrix",
    "draw_difference",
    "draw_feature_maps",
    "draw_image",
    "draw_kernels",
    "draw_mistakes",
    "draw_samples",
    "draw_strips",
    "draw_training_curves",
    "image_pixels",
    "load_parts",
    "render_report",
    "write_figures",
    "write_report",
]
