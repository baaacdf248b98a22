"""Choose pictures to label next, and copy them into a folder for each suggested class, in which a person moves them."""

import shlex
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from convscope.base.errors import ConvscopeError, ImageFileError, RunError
from convscope.base.files import fill_folder, write_text
from convscope.data.handwriting import Step
from convscope.data.image_files import read_picture
from convscope.evidence.rejection.distance import distance_layer, hidden_features
from convscope.prediction import prepare_picture, rank_by_learning
from convscope.runs.predicting import STDIN, Suggestion, format_path, read_batches
from convscope.storage import open_run
from convscope.training.model import Model

PAGE = "label.html"
# Characters that some system allows in no name of a folder.
_FORBIDDEN = frozenset('<>:"/\\|?*') | {chr(code) for code in range(32)}


def choose_next(model: Model, paths: Sequence[Path], number: int, steps: tuple[Step, ...] | None) -> list[Path]:
    """Choose at most `number` pictures whose labels would teach the network most; see `rank_by_learning`.

    Pictures that cannot be read follow at the end, where their errors are reported.

    Raises:
        ImageFileError: for standard input, which can be read only once.
    """
    if STDIN in paths:
        raise ImageFileError("-: the pictures to label next must be files; name them or their folder")
    layer = distance_layer(model.architecture)
    readable, unreadable = list[Path](), list[Path]()
    probabilities, features = list[NDArray[np.float64]](), list[NDArray[np.float32]]()
    for batch in read_batches(paths):
        images = list[NDArray[np.uint8]]()
        for path, content in batch:
            if isinstance(content, str):
                unreadable.append(path)
                continue
            readable.append(path)
            images.append(prepare_picture(model, content, steps).prepared.image)
        if images:
            probabilities.append(model.calibrated_probabilities(np.stack(images)))
            features.append(hidden_features(model, np.stack(images), layer))
    if not readable:
        return unreadable
    ranked = rank_by_learning(np.concatenate(probabilities), np.concatenate(features), number)
    return [readable[index] for index in ranked] + unreadable


def check_new_folder(folder: Path, arguments: Sequence[Path]) -> None:
    """Raise `ConvscopeError` unless a folder for copies is new or empty, and outside the folders of the pictures."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConvscopeError(f"{folder}: already exists and is not empty; choose a new folder")
    for argument in arguments:
        if argument.is_dir() and folder.resolve().is_relative_to(argument.resolve()):
            raise ConvscopeError(
                f"{folder}: lies in {argument}, so its copies would count as new pictures; choose a folder elsewhere"
            )


def copy_by_class(
    paths: Sequence[Path], suggestions: Sequence[Suggestion | None], class_names: Sequence[str], folder: Path
) -> int:
    """Copy pictures into a folder for each predicted class, all or none; return the number of copies.

    Beside the folders, label.html shows them one after another, and saves their labels as a table.

    Args:
        suggestions: the prediction for each path; None for a picture that could not be read.

    Raises:
        ConvscopeError: if a class is no name for a folder, or a file cannot be copied.
    """
    pairs = [(path, made) for path, made in zip(paths, suggestions, strict=True) if made is not None]
    if unusable := next(
        (class_names[made.label] for _, made in pairs if not _is_folder_name(class_names[made.label])), None
    ):
        raise ConvscopeError(
            f"{folder}: the class {unusable!r} cannot be the name of a folder; label the pictures in the list of --csv"
        )
    if not pairs:
        return 0
    copies = dict[str, Suggestion]()
    taken = set[str]()
    with fill_folder(folder) as new:
        for path, made in pairs:
            name, number = PurePosixPath(class_names[made.label], path.name), 1
            while str(name).lower() in taken:  # as systems compare that ignore capitals
                number += 1
                name = name.with_name(f"{path.stem}-{number}{path.suffix}")
            taken.add(str(name).lower())
            copies[str(name)] = made
            (new / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(path, new / name)
        _write_page(new, folder, copies, class_names)
    return len(pairs)


def _write_page(new: Path, folder: Path, copies: Mapping[str, Suggestion], class_names: Sequence[str]) -> None:
    # Imported here, since matplotlib takes its time to load.
    from convscope.report.labelling_page import PictureToLabel, render_labelling_page

    pictures = (
        PictureToLabel(read_picture(new / name), name, "", 0, None, made.label, made.probability)
        for name, made in copies.items()
    )
    command = shlex.join(["convscope", "data", "info", format_path(folder / "labels.csv")])
    write_text(new / PAGE, render_labelling_page(format_path(folder), class_names, pictures, len(copies), command))


def _is_folder_name(name: str) -> bool:
    """True if a folder of this name can be made on any system, and is found again as a class."""
    return bool(name) and name == name.strip() and name[0] != "." and name[-1] != "." and not _FORBIDDEN & set(name)


def describe_next_step(folder: Path, number: int, run: Path) -> str:
    """Say what to do with the `number` copies in `folder`, and the command that trains with them."""
    data = "TRAINING_FOLDER"
    with suppress(RunError):  # a model file has no data
        argument = open_run(run).record.dataset.argument
        data = argument if argument and Path(argument).is_dir() else data
    return (
        f"Copied {number:,} pictures to {format_path(folder)}, into a folder for each predicted class.\n"
        "Move each wrong one into the folder of its class, and copy these folders into those of your training "
        f"pictures; or label them in {format_path(folder / PAGE)}, which saves a table.\n"
        f"Then run: {shlex.join(['convscope', 'run', '--dataset', data])}"
    )
