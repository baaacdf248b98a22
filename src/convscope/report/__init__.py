"""The page, figures and JSON of a run, made from the values that it measured."""

import convscope.report.quiet_start  # noqa: F401 (before anything that imports matplotlib)

# isort: split
from convscope.report.ablation_chart import draw_ablation as draw_ablation
from convscope.report.charts import (
    draw_accuracies as draw_accuracies,
    draw_class_balance as draw_class_balance,
    draw_confusion_matrix as draw_confusion_matrix,
    draw_training_curves as draw_training_curves,
)
from convscope.report.evidence.comparison import draw_difference as draw_difference
from convscope.report.experiment_charts import draw_strips as draw_strips
from convscope.report.figures import write_figures as write_figures
from convscope.report.live import Replay as Replay
from convscope.report.payload import RunContents as RunContents
from convscope.report.pictures import (
    draw_feature_maps as draw_feature_maps,
    draw_image as draw_image,
    draw_kernels as draw_kernels,
    draw_mistakes as draw_mistakes,
    draw_samples as draw_samples,
)
from convscope.report.pixels import image_pixels as image_pixels
from convscope.report.render import (
    load_parts as load_parts,
    render_report as render_report,
    write_report as write_report,
)
