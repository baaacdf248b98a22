"""The JSON of requests and answers, as pydantic models, which check requests and describe both for OpenAPI."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from convscope.data.handwriting import Step
from convscope.evidence.explanation import Method

EXPLAINED_BY: Method = "gradient_times_input"
"""The attribution method of answers by default. On MNIST it orders pixels as well as `integrated_gradients` does
(docs/methods/attributions.md), in a tenth of the time."""


class Error(BaseModel):
    """Why a request was not answered."""

    error: str


class Ready(BaseModel):
    """That the service runs and all its models are loaded."""

    ready: bool


class ServedModel(BaseModel):
    """A model with what its answers mean."""

    name: str
    version: str
    architecture: str
    input_shape: list[int] = Field(description="Height, width, channels.")
    class_names: list[str]
    parameters: int
    weights_sha256: str
    temperature: float = Field(description="Divides the logits before the softmax; 1 if none was fitted.")
    can_reject: bool = Field(description="Whether the model can answer that an image is none of its classes.")
    handwriting: dict[str, Any] | None = Field(
        description="How a photo is converted to an image for the model; null if unknown."
    )
    report: str | None = Field(description="Path of its page; null if it has none.")


class ServedModels(BaseModel):
    """All models."""

    models: list[ServedModel]


class StringsQuery(BaseModel):
    """The query of a request on a picture of several characters; the routes list the models."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = None
    explain: bool = Field(default=True, description="Return the picture after each step, and the attribution.")
    method: Method = Field(default=EXPLAINED_BY, description="Attribution method.")


class PictureQuery(StringsQuery):
    """The query of a request on a picture."""

    steps: list[Step] = Field(default=[], description="Use these steps instead of the model's own.")
    without: list[Step] = Field(default=[], description="Omit these steps.")


class Answer(BaseModel):
    """A class and its probability."""

    label: int
    class_name: str
    probability: float


class StagePicture(BaseModel):
    """The picture after a step; `on` tells whether the step was taken."""

    name: str
    on: bool
    size: list[int] = Field(description="Height and width.")
    picture: str = Field(description="PNG, in base64.")


class Attribution(BaseModel):
    """The contribution of each pixel to the logit of the prediction: above zero for it, below against it."""

    method: Method
    label: int
    values: list[list[float]] = Field(description="One row per row of the prepared image.")
    picture: str = Field(
        description="The same as a transparent PNG in base64: orange supports the prediction, blue opposes it."
    )


class PictureAnswer(Answer):
    """The answer to a picture: what `convscope predict --json` prints of one, and with `explain` what it rests on."""

    model: str
    version: str
    file: None
    runner_up: Answer | None
    probabilities: list[float]
    is_calibrated: bool
    none_of_these: bool | None = Field(description="Whether the model's rule refuses it; null if it has no rule.")
    size: list[int]
    is_as_made: bool
    is_assumed: bool
    steps: list[str]
    hints: list[str]
    clipped: float
    stages: list[StagePicture] = []
    attribution: Attribution | None = None


class Digit(BaseModel):
    """One of the things that were found written, with its answer."""

    box: list[float] = Field(description="Left, top, right and bottom in pixels of the picture.")
    label: int
    class_name: str
    probability: float
    stages: list[StagePicture] = []
    attribution: Attribution | None = None


class StringAnswer(BaseModel):
    """The characters read in a picture, as `convscope predict --strings --json` prints them."""

    model: str
    version: str
    file: None
    lines: list[str] = Field(description="The recognised text.")
    digits: list[Digit] = Field(description="In reading order.")
