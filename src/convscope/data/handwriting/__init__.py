"""Convert a drawing or a photo to an image like those of a data set."""

from convscope.data.handwriting.pictures import Picture as Picture
from convscope.data.handwriting.prepare import (
    LARGEST_FACTOR as LARGEST_FACTOR,
    Hint as Hint,
    Prepared as Prepared,
    Stage as Stage,
    prepare as prepare,
)
from convscope.data.handwriting.recipe import (
    STEPS as STEPS,
    Handwriting as Handwriting,
    Step as Step,
    handwriting_of as handwriting_of,
)
