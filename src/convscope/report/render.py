"""The report as one HTML file: from the contents of a run to text, and to the run folder.

The page can be read without its script and loads nothing: style, charts, pictures, the payload, the engine and the
script are inside, and its policy forbids everything else.
"""

from functools import partial
from pathlib import Path

from markupsafe import Markup

from convscope.base.files import inside, write_text
from convscope.report import findings
from convscope.report.document import load_template, percent_interval, render_document, script_json
from convscope.report.figures import RunChart, run_charts
from convscope.report.folds import fold_findings, image_size
from convscope.report.layer_names import name_model_layers
from convscope.report.numbers import epoch_table, matrix_view
from convscope.report.page_bundle import load_bundle
from convscope.report.payload import RunContents
from convscope.report.records import PageFacts, Payload
from convscope.report.style import svg_element
from convscope.report.views import (
    comparison_view,
    curves_note,
    diagram_view,
    example_view,
    explanation_view,
    kernel_views,
    map_views,
    mistakes_view,
    run_view,
    runs_view,
    samples_view,
)
from convscope.texts import Sentence, glossary, say

_NOT_FOR_SCRIPT = ("evidence", "mistake_pictures", "explained_picture", "kernels", "feature_maps")
"""Parts of a payload that the page has as tables and pictures, and that its script does not need."""


def render_report(contents: RunContents) -> str:
    """Write the page of a run as one HTML document that works from a disk with no network."""
    shown, bundle, charts = contents.facts, load_bundle(), run_charts(contents)
    evaluation, comparison = shown.evaluation, shown.comparison
    layers = name_model_layers(shown.model)
    # Seeds stand with the comparison, since they say how far its result holds for other runs.
    seeds = [section for section in contents.evidence if section.topic == "seeds"]
    others = [section for section in contents.evidence if section.topic != "seeds"]
    # The chapters that are open come first, then the folded ones.
    chapters = [
        *((anchor, say(f"chapter.{anchor}")) for anchor in ("verdict", "training", "evaluation")),
        *([("comparison", say("chapter.comparison"))] if comparison else []),
        *((seed.section.anchor, seed.section.name) for seed in seeds),
        *((anchor, say(f"chapter.{anchor}")) for anchor in ("classes", "data", "model", "kernels", "maps")),
        *((section.section.anchor, section.section.name) for section in others),
        *((anchor, say(f"chapter.{anchor}")) for anchor in ("reproduce", "glossary")),
    ]
    return render_document(
        "page.html.jinja",
        bundle.policy,
        bench=bundle,
        contents=chapters,
        # Chapters with space above them: the first folded one, and the first of the appendix.
        apart=("seeds" if seeds else "classes", "reproduce"),
        names=dict(chapters),
        folds=fold_findings(shown, contents.explanation),
        terms=glossary(),
        # A chart depends on its title, which holds its numbers, and on its table: only a chart that changed is drawn
        # again.
        charts={
            name: contents.compute_once(("chart", name, chart.title, repr(chart.numbers)), partial(_chart, name, chart))
            for name, chart in charts.items()
            if chart.numbers is not None
        },
        run=run_view(shown),
        recipe=shown.recipe,
        search=shown.record.search or None,
        data=shown.data,
        image_size=image_size(shown.data.train.image_shape),
        model=shown.model,
        evaluation=evaluation,
        cautions=findings.caution_sentences(contents.evaluation),
        interval=percent_interval(evaluation.accuracy_interval),
        limits=_limits(shown, has_seeds=contents.seeds is not None),
        runs=runs_view(shown.model.architecture["name"], contents.seeds),
        example=contents.compute_once("example", lambda: example_view(shown)),
        samples=contents.compute_once("samples", lambda: samples_view(shown)),
        diagram=diagram_view(contents.trained.model.architecture),
        epoch=epoch_table(shown),
        curves_note=curves_note(shown),
        matrix=matrix_view(shown, charts["confusion-matrix"].title),
        mistakes=contents.compute_once("mistakes", lambda: mistakes_view(shown)),
        comparison=None if comparison is None else comparison_view(comparison),
        kernels=contents.compute_once("kernels", lambda: kernel_views(contents.explanation.kernels, layers)),
        explained=explanation_view(shown),
        maps=contents.compute_once("maps", lambda: map_views(contents.explanation, layers)),
        seeds=[seed.html for seed in seeds],
        evidence=[section.html for section in others],
        json=script_json(_for_script(contents.payload)),  # last: until then the engine may compute what it holds
    )


def load_parts() -> None:
    """Load the parts that the pages of all runs share, so that `render_report` has them in memory."""
    load_bundle()
    load_template("page.html.jinja")


def _chart(name: str, chart: RunChart) -> dict[str, object]:
    svg = svg_element(chart.draw(chart.title), name, chart.title)
    return {"title": chart.title, "svg": Markup(svg), "numbers": chart.numbers}


def write_report(folder: Path, contents: RunContents) -> Path:
    """Write the page of a run as `report.html` into `folder`, whole or not at all, and return its path.

    Raises:
        ConvscopeError: if the folder cannot be written to, the disk is full, or `report.html` is a symbolic link.
    """
    path = inside(folder, "report.html")
    write_text(path, render_report(contents))
    return path


def _for_script(payload: Payload) -> dict[str, object]:
    """Select the parts of the payload that the page's script needs."""
    value = payload.to_dict()
    data = {name: part for name, part in value["data"].items() if name not in ("example", "samples")}
    return {name: part for name, part in value.items() if name not in _NOT_FOR_SCRIPT} | {"data": data}


def _limits(page: PageFacts, *, has_seeds: bool) -> list[Sentence]:
    """Write the limits of the verdict in sentences."""
    images = page.evaluation.num_images
    if page.record.imported:
        return [say("limits.imported", images=images)]
    if page.record.members:
        return [say("limits.members", images=images)]
    others = say("limits.otherRuns" if has_seeds else "limits.oneRun", images=images)
    last = [] if page.choice else [say("limits.last")]
    return [others, findings.curves_sentence(page.history, page.recipe), *last, say("limits.sources")]
