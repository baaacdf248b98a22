"""An experiment as one HTML file, without a script: from its record to text."""

from convscope.base.sharing import without_folders
from convscope.base.tables import printable, printable_lines
from convscope.experiment.records import ExperimentRecord, GroupRecord
from convscope.report.document import render_document
from convscope.report.evidence import render_section
from convscope.report.evidence.seeds import experiment_section, seeds_finding
from convscope.report.experiment_charts import group_names
from convscope.report.findings import format_interval, percent

_MAX_GROUPS_IN_VERDICT = 12


def render_experiment(experiment: ExperimentRecord, commands: str = "") -> str:
    """Write the page of an experiment as one HTML document that works from a disk with no network.

    Args:
        commands: the command lines that trained the runs of the experiment, one on each line.
    """
    section = experiment_section(experiment)
    return render_document(
        "experiment.html.jinja",
        experiment=_view(experiment),
        sections=[(section.anchor, section.name, render_section(section))],
        commands=printable_lines(without_folders(commands)),
    )


def _view(experiment: ExperimentRecord) -> dict[str, object]:
    groups, runs = experiment.table, experiment.runs
    pairs = f"{len(groups):,} pair{'' if len(groups) == 1 else 's'}"
    counts = sorted({group.num_runs for group in groups})
    # Groups may have different numbers of seeds while an experiment grows.
    seeds = f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"
    max_images, all_images = max(run.num_images for run in runs), experiment.num_training_images
    trained = f"{max_images:,} of {all_images:,}" if max_images < all_images else f"{max_images:,}"
    # With more groups, only the table below lists them.
    shown = groups if len(groups) <= _MAX_GROUPS_IN_VERDICT else []
    return {
        "dataset": printable(experiment.dataset),
        "num_runs": f"{len(runs):,}",
        "finding": printable(seeds_finding(experiment)),
        "plan": (
            f"{pairs} of architecture and recipe, {seeds} seeds each. Trained on {trained} training images, measured "
            f"on {experiment.num_images:,} test images."
        ),
        "groups": [
            {
                "title": printable(", ".join(group_names(group))),
                "mean": percent(group.mean),
                "interval": _interval(group),
            }
            for group in shown
        ],
        "limits": (
            "The intervals cover other seeds (initial weights, order of the images, augmentation) and other test "
            "images of this kind. They do not cover images from other sources. If you pick the best of these groups, "
            "its test accuracy is slightly too optimistic."
        ),
    }


def _interval(group: GroupRecord) -> str:
    within = "no interval" if group.interval_with_images is None else format_interval(group.interval_with_images)
    return f"{within}, {'one run' if group.num_runs == 1 else f'n {group.num_runs:,}'}"
