"""Write the model card of a run, a README.md, from the files in its folder."""

import os
import re
from contextlib import nullcontext
from pathlib import Path

from convscope.base.errors import ConvscopeError, RunError
from convscope.base.files import read_bytes, write_text
from convscope.base.records import read
from convscope.evidence.comparison.records import ComparisonRecord
from convscope.runs.topics import read_topics
from convscope.storage import RunFolder, open_run, writing
from convscope.storage.stored_run import compute_sha256

CARD_FILE = "README.md"
"""The name of a card in its run folder; hubs show a file of this name."""

# By this last line, a card that nobody has edited is recognised and can be replaced.
_MARK = "\n<!-- Written by convscope; SHA-256 of the lines above: {} -->\n"
# As hubs and SPDX write identifiers. It stands in the YAML at the top of the card, so nothing else is let in.
_LICENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,63}")


def write_card(path: Path, out: Path | None = None, licence: str | None = None, *, force: bool = False) -> Path:
    """Write the model card of the finished run in the folder at `path`, and return its path.

    Nothing is measured, and the data are not needed. An earlier card is replaced unless it was edited.

    Args:
        out: the file; by default README.md in the run folder.
        licence: the model's licence, by its identifier at a hub, such as "apache-2.0"; None leaves it out.
        force: if true, replace any other file.

    Raises:
        ValueError: if `licence` is not an identifier.
        RunError: if there is no finished run, or a file of it is missing or damaged.
        ConvscopeError: if another file is in the way, or the card cannot be written.
    """
    if licence is not None and not _LICENCE.fullmatch(licence):
        raise ValueError(f"`licence` {licence!r}: must be an identifier such as apache-2.0 or cc-by-4.0")
    folder = open_run(path)
    if not folder.is_finished:
        raise RunError(f"{path}: is not finished; {folder.next_step}")
    # Locked only if the card is in the run folder.
    with writing(path) if out is None else nullcontext():
        target = folder.locate(CARD_FILE) if out is None else out
        # `lexists`, since a broken link is in the way too.
        if not force and os.path.lexists(target) and not _is_unedited_card(target):
            raise ConvscopeError(
                f"{target}: was not written by `convscope export --format card`, or was edited since; choose another "
                "`out`, or add `force` to replace it"
            )
        text = _render_card(folder, licence)
        write_text(target, text + _MARK.format(compute_sha256(text)))
    return target


def _render_card(folder: RunFolder, licence: str | None) -> str:
    from convscope.report.card import TRUST, CardContents, render_card  # matplotlib takes its time to load

    model = folder.load_model()
    evidence = read_topics(folder, ("seeds", *TRUST), model)
    contents = CardContents(folder.record, model, folder.load_evaluation(), evidence, _read_comparison(folder), licence)
    try:
        return render_card(contents)
    except RunError as error:
        raise RunError(f"{folder.path}: {error}") from error


def _read_comparison(folder: RunFolder) -> str:
    if not folder.has("comparison.json"):
        return ""
    record = read(folder.locate("comparison.json"), ComparisonRecord)
    return f"{record.verdict}. {record.sentence}"


def _is_unedited_card(path: Path) -> bool:
    """True if the file at `path` is a card that nobody has edited."""
    try:
        content = read_bytes(path)
    except OSError as error:
        raise ConvscopeError(f"{path}: cannot be read ({error.strerror}); choose another `out`") from error
    start, _, _ = _MARK.partition("{")  # the mark before its digest
    offset = content.rfind(start.encode())
    return offset >= 0 and content[offset:] == _MARK.format(compute_sha256(content[:offset])).encode()
