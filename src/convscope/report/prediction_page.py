"""Predictions for the user's own pictures as one HTML file without a script.

It shows the photo, each preparation step, the image, the prediction and the attribution. `PredictionPage` takes one
picture after another and keeps only what the page shows, so that memory stays small. File and class names are data and
never markup.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from convscope.base.sharing import last_part, without_folders
from convscope.base.tables import printable
from convscope.prediction import Prediction, StringReading
from convscope.report.document import render_document
from convscope.report.prediction_views import picture_view, strings_view

MAX_PICTURES = 100
"""The most on one page; each takes about 50 kB."""

MAX_DIGITS = 400
"""The most characters that one page shows one by one; a photo has the boxes of all its characters."""


@dataclass
class PredictionPage:
    """The content of a page of predictions: the first 100 pictures that are added, and counts of all.

    Attributes:
        model_name: the name of the run folder.
        class_names: K names.
        pictures: for each picture the values of the template.
    """

    model_name: str
    class_names: Sequence[str]
    pictures: list[dict[str, object]] = field(default_factory=list)
    num_pictures: int = 0
    num_digits: int = 0
    num_digits_left: int = MAX_DIGITS
    num_refused: int = 0
    is_calibrated: bool = True
    is_assumed: bool = False
    has_rule: bool = True
    true_names: dict[str, str] = field(default_factory=dict)  # by the file of a picture, where its class is known

    @property
    def is_full(self) -> bool:
        return len(self.pictures) >= MAX_PICTURES

    def add(self, prediction: Prediction, photo: NDArray[np.uint8], attribution: NDArray[np.float64]) -> None:
        """Add a picture; if the page is full, it is only counted.

        Args:
            photo: (h, w, 1) or (h, w, 3) uint8, as in the file.
            attribution: (H, W), the contribution of each pixel to the answer.
        """
        self.count(prediction)
        if not self.is_full:
            view = picture_view(prediction, photo, attribution, self.class_names)
            self.pictures.append(view | {"file": prediction.file})

    def add_strings(self, reading: StringReading, photo: NDArray[np.uint8], attributions: NDArray[np.float64]) -> None:
        """Add a picture of several characters; if the page is full, it is only counted.

        Args:
            photo: (h, w, 1) or (h, w, 3) uint8, as in the file.
            attributions: (n, H, W), for the first n characters, which are shown one by one.
        """
        self.num_pictures += 1
        self.num_digits += len(reading.digits)
        for digit in reading.digits:
            self._note(digit.prediction)
        if not self.is_full:
            self.pictures.append(strings_view(reading, photo, attributions))
            self.num_digits_left -= len(attributions)

    def count(self, prediction: Prediction) -> None:
        """Count a picture that is not shown."""
        self.num_pictures += 1
        self._note(prediction)

    def _note(self, prediction: Prediction) -> None:
        # None stands for a model without a rule.
        self.num_refused += prediction.none_of_these is True
        self.is_calibrated &= prediction.is_calibrated
        self.is_assumed |= prediction.is_assumed
        self.has_rule &= prediction.none_of_these is not None


def render_prediction_page(page: PredictionPage, command: str = "") -> str:
    """Write the page as one HTML document that works from a disk with no network.

    Args:
        command: the command line that writes the page again.
    """
    return render_document(
        "prediction.html.jinja",
        model=printable(last_part(page.model_name)),
        finding=_finding(page),
        notes=_notes(page),
        pictures=page.pictures,
        has_rule=page.has_rule,
        true_names={file: printable(name) for file, name in page.true_names.items()},
        score=f"{page.num_pictures:,}",
        command=printable(without_folders(command)),
    )


def _finding(page: PredictionPage) -> str:
    # Pictures with boxes were read for several characters; no box means no ink.
    if page.num_digits == 0 and any("boxes" in picture for picture in page.pictures):
        return "No writing was found"
    if page.num_digits:
        refused = f", {page.num_refused:,} refused as none of the classes" if page.has_rule and page.num_refused else ""
        return f"{page.num_digits:,} {'character' if page.num_digits == 1 else 'characters'} found{refused}"
    if page.num_pictures == 0:
        return "No picture could be read"
    is_single = page.num_pictures == 1
    if not page.has_rule:
        return "The prediction" if is_single else "The predictions"
    if page.num_refused == 0:
        return "Not refused" if is_single else "No picture is refused"
    if page.num_refused == page.num_pictures:
        return "Refused as none of the classes" if is_single else "All are refused as none of the classes"
    verb = "is" if page.num_refused == 1 else "are"
    return f"{page.num_refused:,} of {page.num_pictures:,} {verb} refused as none of the classes"


def _notes(page: PredictionPage) -> list[str]:
    notes = [
        "A network predicts one of its classes for every picture, even if the picture shows none of them. Accuracy on "
        "test images says nothing about pictures from other sources."
    ]
    if not page.is_calibrated:
        notes.append(
            Markup(
                "The probabilities are not calibrated, so they may be too high or too low. "
                "<code>convscope report RUN calibration</code> measures by how much."
            )
        )
    if page.is_assumed:
        notes.append(
            "This model does not say how its images were made, so the format was guessed. Train it again to be certain."
        )
    if page.num_pictures > len(page.pictures):
        notes.append(f"The first {len(page.pictures):,} of {page.num_pictures:,} pictures are shown.")
    return notes
