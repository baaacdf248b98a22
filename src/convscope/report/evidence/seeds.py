"""The section on many runs: the accuracy of every run, and the mean and interval of each group."""

from collections.abc import Sequence
from dataclasses import replace

from convscope.base.tables import clip
from convscope.data.datasets import evenly
from convscope.evidence.comparison.words import format_coverage, format_p_value
from convscope.experiment import DivergedRun
from convscope.experiment.records import GroupRecord, RunRecord, RunsRecord, SeedsRecord
from convscope.report.evidence.comparison import comparison_chart
from convscope.report.evidence.section import Chart, Section, Table, heads, topic_section
from convscope.report.experiment_charts import draw_strips, group_names
from convscope.report.findings import format_interval, percent
from convscope.texts import join_sentences, say

_MAX_RUNS = 400  # shown as dots and in the table, over all groups


def experiment_section(experiment: RunsRecord) -> Section:
    """Make the section of an experiment, or of the seeds of a run."""
    groups = experiment.table
    runs = [
        [run for run in experiment.runs if (run.architecture, run.recipe, run.name) == group.key] for group in groups
    ]
    parts: list[Table | Chart] = [_strips(experiment, runs), _table(groups, runs)]
    if experiment.diverged:
        parts.append(divergence_table(experiment.diverged))
    # The group with the fewest runs has the interval that covers least reliably.
    fewest = min((group.num_runs for group in groups if group.num_runs > 1), default=0)
    covered = format_coverage(fewest) if fewest else ""
    counts = {"trainings": len(experiment.runs), "images": experiment.num_images}
    shows = say("evidence.seeds.shows", data=clip(experiment.dataset, 40), **counts)
    return topic_section(
        "seeds", parts, shows=shows, does_not_show=join_sentences(say("evidence.seeds.doesNotShow"), covered)
    )


def seeds_section(seeds: SeedsRecord) -> Section:
    """Make the section of a run's own experiment and, where there are two networks, of their comparison."""
    section, comparison = experiment_section(seeds), seeds.comparison
    parts = [*section.parts, *([] if comparison is None else [comparison_chart(comparison)])]
    return replace(section, shows=join_sentences(section.shows, say("evidence.seeds.more")), parts=parts)


def seeds_finding(experiment: RunsRecord) -> str:
    """Name the group with the highest mean and say whether it differs from the next, or how one group spreads."""
    groups, lead = experiment.table, experiment.lead
    best = max(groups, key=lambda group: group.mean)
    first, mean = _title(best, groups), percent(best.mean)
    if lead is None:
        if best.num_runs == 1:
            return say("evidence.seeds.oneRun", first=first, mean=mean)
        minimum, maximum = percent(best.minimum), percent(best.maximum)
        return say("evidence.seeds.spread", first=first, mean=mean, seeds=best.num_runs, least=minimum, most=maximum)
    second = max((group for group in groups if group is not best), key=lambda group: group.mean)
    second_title = (
        _title(second, groups) if len(groups) == 2 else say("evidence.seeds.second", other=_title(second, groups))
    )
    if best.mean == second.mean:
        return say("evidence.seeds.equal", first=first, other=second_title, mean=mean)
    key = "single" if 1 in (best.num_runs, second.num_runs) else "higher"
    key = key if lead.is_distinguishable else "unclear"
    p = format_p_value(lead.decisive_p_value)
    return say(f"evidence.seeds.{key}", first=first, mean=mean, other=second_title, p=p)


def _title(group: GroupRecord, groups: Sequence[GroupRecord]) -> str:
    """Title a group by the parts of its name that differ from those of the others."""
    name, recipe = group_names(group)
    # The recipe is named only where networks of one name differ by it.
    is_unique = len({group_names(group)[0] for group in groups}) == len(groups)
    return clip(name, 26) if is_unique else say("evidence.seeds.group", name=clip(name, 26), recipe=clip(recipe, 18))


def _strips(experiment: RunsRecord, runs: Sequence[Sequence[RunRecord]]) -> Chart:
    groups, title = experiment.table, seeds_finding(experiment)
    # As many for each group, so that no group looks denser than it is.
    shown = max(1, _MAX_RUNS // len(groups))
    rows = [
        [
            *group_names(group),
            f"{run.seed}",
            percent(run.accuracy),
            f"{run.loss:.4f}",
            f"{run.seconds:.2f} s",
            run.weights_sha256[:12],
        ]
        for group, members in zip(groups, runs, strict=True)
        for run in members[:shown]
    ]
    is_all = all(len(members) <= shown for members in runs)
    drawn = "" if is_all else say("evidence.seeds.drawn", drawn=len(rows), n=len(experiment.runs))
    header = heads("seeds", "architecture", "recipe", "seed", "accuracy", "loss", "training", "weightsHash")
    look = join_sentences(say("evidence.seeds.compare"), drawn)
    drawing = draw_strips(groups, [_evenly([run.accuracy for run in members], shown) for members in runs], title)
    return Chart("seeds", title, look, drawing, Table("", "", header, rows, left=2), is_wide=True)


def _evenly(values: Sequence[float], max_values: int) -> list[float]:
    """Select at most `max_values` of the values, evenly spaced in their order of size."""
    ordered = sorted(values)
    return [ordered[index] for index in evenly(len(values), max_values)]


def _table(groups: Sequence[GroupRecord], runs: Sequence[Sequence[RunRecord]]) -> Table:
    rows = []
    for group, members in zip(groups, runs, strict=True):
        seconds = sum(run.seconds for run in members) / len(members)
        rows.append(
            [
                *group_names(group),
                f"{group.num_runs:,}",
                percent(group.mean, 3),
                say("evidence.comparison.none") if group.sd is None else f"{100 * group.sd:.3f}",
                _interval(group.interval),
                _interval(group.interval_with_images),
                percent(group.minimum),
                percent(group.maximum),
                f"{seconds:.2f} s",
                f"{members[0].parameters:,}",
            ]
        )
    single = any(group.num_runs == 1 for group in groups)
    look = join_sentences(say("evidence.seeds.sd"), say("evidence.seeds.noInterval") if single else "")
    header = [*heads("seeds", "architecture", "recipe", "runs", "mean"), say("evidence.comparison.sd")]
    header += heads("seeds", "seeds", "both", "least", "most", "training", "parameters")
    return Table(say("evidence.seeds.groups"), look, header, rows, left=2)


def divergence_table(diverged: Sequence[DivergedRun]) -> Table:
    """Make the table of the runs whose training diverged, with the reasons."""
    rows = [[*group_names(run), f"{run.seed}", run.reason] for run in diverged]
    title, header = (
        say("evidence.seeds.diverged", n=len(diverged)),
        heads("seeds", "architecture", "recipe", "seed", "why"),
    )
    return Table(title, say("evidence.seeds.noModel"), header, rows, left=4)


def _interval(interval: Sequence[float] | None) -> str:
    return say("evidence.comparison.none") if interval is None else format_interval(interval, 3)
