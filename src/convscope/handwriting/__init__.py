"""From a drawing or a photo to the pixels that a network sees, as the images of a data set were made."""

from convscope.handwriting.prepare import (
    STEPS,
    THRESHOLD,
    Handwriting,
    Hint,
    Picture,
    Prepared,
    Stage,
    Step,
    average,
    handwriting_of,
    prepare,
)

__all__ = [
    "STEPS",
    "THRESHOLD",
    "Handwriting",
    "Hint",
    "Picture",
    "Prepared",
    "Stage",
    "Step",
    "average",
    "handwriting_of",
    "prepare",
]
