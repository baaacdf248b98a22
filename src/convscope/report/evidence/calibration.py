"""The page's section on calibration: reliability diagrams before and after a temperature, and what refusing buys."""

from convscope.evidence.calibration import Calibration
from convscope.report.calibration_charts import draw_reliability, draw_risk, sure_text
from convscope.report.evidence.section import Chart, Section, Table, heads, topic_section
from convscope.report.findings import between, format_interval, percent, points
from convscope.texts import Sentence, figure, find_text, format_rounded, join_sentences, say, translate_name

_NUMBERS = {  # by figure: the factor that its values are multiplied by, and their digits
    "ece_by_width": (100, 2),
    "ece_by_mass": (100, 2),
    "brier": (1, 4),
    "negative_log_likelihood": (1, 4),
    "aurc": (1000, 3),
}
_MAX_SIBLINGS = 20  # networks that predicted the images of the fit, in a sentence of the record


def calibration_section(value: Calibration) -> Section:
    """Make the section of a calibration."""
    look = join_sentences(
        say("sentence", text=confidence_finding(value)), say("evidence.calibration.reliability", n=value.num_bins)
    )
    reliability = Chart("reliability", error_finding(value), look, draw_reliability(value), _bins_table(value))
    look = say("evidence.calibration.risk")
    refusing = Chart("risk-coverage", refusal_finding(value), look, draw_risk(value), _refusal_table(value))
    return topic_section("calibration", (reliability, _figures_table(value), refusing))


def error_finding(value: Calibration) -> str:
    """Say how the temperature changes the calibration error, and whether the rest is more than chance."""
    before, after = value.before, value.after
    first, second = percent(before.ece_by_width.value), percent(after.ece_by_width.value)
    low, high = value.changes.ece_by_width.interval
    # The strongest true statement: the temperature is undetermined; no significant change; worse; better, down to
    # chance; better.
    key = "lowers"
    if value.is_at_bound:
        key = "bound"
    elif low <= 0 <= high:
        key = "same"
    elif low > 0:
        key = "raises"
    elif after.ece_by_width.value <= after.chance_by_width.limit:
        key = "lowersToChance"
    return say(f"evidence.calibration.{key}", temperature=figure(value.temperature, 2), before=first, after=second)


def confidence_finding(value: Calibration) -> str:
    """Say whether the trained network is overconfident, and which error chance gives a calibrated one."""
    before, chance = value.before, value.before.chance_by_mass
    return say(
        f"evidence.calibration.{value.fault or 'matches'}",
        confidence=percent(before.mean_confidence),
        accuracy=percent(value.accuracy),
        error=percent(before.ece_by_mass.value),
        chance=say("within", value=percent(chance.mean), low=percent(chance.low or 0.0), high=percent(chance.limit)),
    )


def refusal_finding(value: Calibration) -> str:
    """Say how many of the errors are left when the least sure images are refused."""
    whole, *others = value.after.risk_coverage.refusals
    if not whole.num_errors_left:
        return say("evidence.calibration.noErrors", images=whole.num_left)
    # The smallest refusal that halves the errors, or else the largest of all.
    chosen = next(
        (refusal for refusal in others if refusal.num_errors_left <= whole.num_errors_left / 2), [whole, *others][-1]
    )
    share = format_rounded(100 * chosen.fraction, 6)
    left, errors = chosen.num_errors_left, whole.num_errors_left
    return say("evidence.calibration.refusing", share=share, left=left, errors=errors)


def _figures_table(value: Calibration) -> Table:
    """Make the table of the figures before and after, and of their change.

    A row for a calibrated network follows each calibration error:

        figure                     before | interval      after | interval       change | interval
        ECE, equal width             1.91 | [1.70, 2.13]   0.42 | [0.30, 0.61]    -1.49 | [-1.72, -1.27]
          of a calibrated network    0.31 | [0.15, 0.52]   0.32 | [0.15, 0.54]          |
    """
    sides, rows = (value.before, value.after), list[list[str]]()
    for name, (factor, digits) in _NUMBERS.items():
        key = f"evidence.calibration.figure.{name}"
        row: list[str] = [say(key, bins=value.num_bins) if name.startswith("ece") else say(key)]
        for estimate in (*(getattr(side, name) for side in sides), getattr(value.changes, name)):
            number, low, high = (_number(factor * part, digits) for part in (estimate.value, *estimate.interval))
            row += [number, f"[{low}, {high}]"]
        rows.append(row)
        if name.startswith("ece"):
            binning = name.removeprefix("ece_")
            calibrated: list[str] = [say("evidence.calibration.chance")]
            for side in sides:
                chance = getattr(side, f"chance_{binning}")
                calibrated += [_number(100 * chance.mean, 2), format_interval((chance.low or 0.0, chance.limit))]
            rows.append([*calibrated, "", ""])
    header = list[str]()
    for name in ("before", "after", "change"):
        header += [say(f"evidence.calibration.head.{name}"), say("head.interval")]
    figures = [say("evidence.calibration.head.figure"), *header]
    return Table(_temperature_sentence(value), _figures_look(value), figures, rows)


def _temperature_sentence(value: Calibration) -> Sentence:
    interval, left_out = value.temperature_interval, value.num_fitted_left_out
    temperature: str = figure(value.temperature, 2)
    if interval:
        temperature = say("within", value=temperature, low=figure(interval[0], 2), high=figure(interval[1], 2))
    # The record names the images in English, such as "out-of-fold training images of 5 sibling networks". The key of
    # this text is found by trying the numbers.
    siblings = (say("evidence.calibration.siblings", n=count) for count in range(2, _MAX_SIBLINGS))
    images = find_text(value.fitted_on, [*siblings, translate_name("evidence.calibration.on", value.fitted_on)])
    values = {"temperature": temperature, "images": images}
    if left_out:
        return say("evidence.calibration.fittedLeftOut", n=value.num_fitted, leftOut=left_out, **values)
    return say("evidence.calibration.fitted", n=value.num_fitted, **values)


def _figures_look(value: Calibration) -> str:
    images = say(f"counted.{value.split}", n=value.num_images)
    errors = value.before.risk_coverage.refusals[0].num_errors_left
    return join_sentences(
        say("evidence.calibration.atBound") if value.is_at_bound else "",
        say("evidence.calibration.figures", images=images),
        say("evidence.calibration.fewErrors", n=errors) if errors < 10 else "",
    )


def _number(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text.replace("-", "\N{MINUS SIGN}")


def _refusal_table(value: Calibration) -> Table:
    """Make the table of the errors left, a row for each share of refused images, the first of them 0."""
    refusals = value.after.risk_coverage.refusals
    rows = [
        [
            format_rounded(100 * refusal.fraction, 6, "%"),
            f"{refusal.num_left:,}",
            say("ofTotal", n=refusal.num_errors_left, total=refusals[0].num_errors_left),
            percent(refusal.risk),
            format_interval(refusal.interval),
        ]
        for refusal in refusals
    ]
    header = heads("calibration", "refused", "left", "errors", "rate", "interval")
    return Table("", "", header, rows)


def _bins_table(value: Calibration) -> Table:
    """Make the table of the bins, first before the temperature, then after it."""
    rows = list[list[str]]()
    for side, figures in value.sides:
        bins = figures.by_width
        columns = (bins.low, bins.high, bins.num_images, bins.confidence, bins.accuracy)
        for low, high, images, confidence, accuracy, lowest, highest in zip(
            *columns, bins.accuracy_low, bins.accuracy_high, strict=True
        ):
            rows.append(
                [
                    say(f"evidence.calibration.side.{side}"),
                    between((low, high), sure_text),
                    f"{images:,}",
                    sure_text(confidence),
                    percent(accuracy),
                    f"[{100 * lowest:.2f}, {100 * highest:.2f}]",
                    points(accuracy - confidence),
                ]
            )
    header = heads("calibration", "when", "confidence", "images", "mean", "accuracy", "interval", "gap")
    return Table("", "", header, rows, left=2)
