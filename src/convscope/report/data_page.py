"""What is in a data set as one HTML file, without a script: from the document of `convscope data info` to text."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from msgspec.structs import asdict

from convscope.base.files import write_text
from convscope.base.sharing import without_folders
from convscope.base.tables import clip, printable
from convscope.data.inspection import DataInfo
from convscope.report.data_sections import data_sections
from convscope.report.document import render_document
from convscope.report.evidence import render_section
from convscope.report.evidence.section import Gallery, Section
from convscope.report.findings import percent

MOST_OPEN = 48
"""Cards of a gallery that are shown at once; the others are folded away."""


def render_data_page(data: DataInfo, command: str = "") -> str:
    """Return the page of a data set: one HTML document that works from a disk with no network.

    Args:
        data: what `convscope data info --json` prints.
        command: that makes the page again.
    """
    return render_document(
        "data.html.jinja",
        data=_view(data),
        sections=[_rendered(section) for section in data_sections(data.inspection)],
        command=printable(without_folders(command)),
    )


def write_data_page(path: Path, data: DataInfo, command: str = "") -> None:
    """Write the page of a data set to `path`, whole or not at all.

    Raises:
        ConvscopeError: if it cannot be written there or the disk is full.
    """
    write_text(path, render_data_page(data, command))


def _rendered(section: Section) -> dict[str, object]:
    """Return a section as HTML, and where its last gallery is long, all of that as HTML to be opened by a click."""
    rendered: dict[str, object] = {
        "anchor": section.anchor,
        "name": printable(section.name),
        "folded": None,
        "summary": "",
    }
    last = section.parts[-1] if section.parts else None
    if isinstance(last, Gallery) and len(last.cards) > MOST_OPEN:
        count = len(last.cards)
        whole = replace(section, anchor=f"{section.anchor}-all", parts=[replace(last, title=f"All {count:,}", look="")])
        look = f"{last.look} The first {MOST_OPEN} of {count:,} are shown."
        section = replace(section, parts=[*section.parts[:-1], replace(last, look=look, cards=last.cards[:MOST_OPEN])])
        rendered |= {"folded": render_section(whole), "summary": f"All {count:,}"}
    return rendered | {"html": render_section(section)}


def _view(data: DataInfo) -> dict[str, object]:
    found = data.inspection
    train, test = found.splits.train, found.splits.test
    height, width, channels = found.image_shape
    findings = [{name: _unbroken(text) for name, text in asdict(finding).items()} for finding in found.findings]
    about = [printable(f"{data.title}.")] if data.title else []
    about.append(f"Licence: {printable(data.licence or 'unknown; ask the provider of the files')}.")
    low, high = found.resolution.interval
    numbers = {severity: sum(one["severity"] == severity for one in findings) for severity in ("fault", "warning")}
    return {
        "name": clip(found.name, 60),
        "num_images": f"{train.num_images + test.num_images:,}",
        "num_classes": f"{len(found.class_names):,}",
        "headline": _headline(numbers),
        "about": " ".join(about),
        "findings": findings,
        "facts": [
            ("Training images", f"{train.num_images:,}"),
            ("Test images", f"{test.num_images:,}"),
            ("Size", f"{height} × {width}, {channels} {'channel' if channels == 1 else 'channels'}"),
            ("Values", f"{train.pixels.low} to {train.pixels.high}"),
            ("Polarity", train.polarity),
            ("Largest to smallest class", f"{train.balance.ratio:.2f}"),
            ("Chance accuracy", percent(found.guessing.chance, 1)),
            ("Accuracy of always choosing the largest class", percent(found.guessing.majority_accuracy, 1)),
            ("Test images that are also training images", f"{found.copies.num_leaked:,}"),
            ("Blank images", f"{train.num_blank + test.num_blank:,}"),
            (
                f"{found.resolution.num_correct:,} of {found.resolution.num_images:,} correct could truly be",
                f"{percent(low, 1)} to {percent(high, 1)}",
            ),
        ],
        "limits": (
            "No network was trained for these checks. They do not look for wrong labels: the audit of a run does. "
            "There may be faults that no check here detects, so look at the images too."
        ),
        "digests": _digests(data),
    }


def _unbroken(text: str) -> str:
    """Return a sentence as it may stand on the page, no number parted from its percent sign."""
    return printable(text.replace(" %", "\N{NO-BREAK SPACE}%"))


def _headline(numbers: Mapping[str, int]) -> str:
    faults, warnings = numbers["fault"], numbers["warning"]
    if faults:
        return f"{faults} {'fault' if faults == 1 else 'faults'} to fix before you train on this data"
    if warnings:
        return f"No faults found; {warnings} {'warning' if warnings == 1 else 'warnings'} to look at"
    return "No problems found: this data is ready for training"


def _digests(data: DataInfo) -> list[tuple[str, str]]:
    """Return (what, SHA-256) of the files, each once, and of both splits as such."""
    halves = (data.train, data.test)
    rows = [(clip(file.name, 60), file.sha256) for half in halves for file in half.source]
    return [*dict.fromkeys(rows), *((f"the {half.split} split", half.sha256) for half in halves)]
