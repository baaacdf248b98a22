"""Convert a drawing or a photo to an image like those of a data set."""

from convscope.data.handwriting.pictures import Picture
from convscope.data.handwriting.prepare import LARGEST_FACTOR, Hint, Prepared, Stage, prepare
from convscope.data.handwriting.recipe import STEPS, Handwriting, Step, handwriting_of

__all__ = [
    "LARGEST_FACTOR",
    "STEPS",
    "Handwriting",
    "Hint",
    "Picture",
    "Prepared",
    "Stage",
    "Step",
    "handwriting_of",
    "prepare",
]
