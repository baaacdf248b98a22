"""Classify users' own pictures and strings of characters with a model."""

from convscope.prediction.prediction import (
    METHOD as METHOD,
    Prediction as Prediction,
    map_predictions as map_predictions,
    predict as predict,
    predict_images as predict_images,
    prepare_picture as prepare_picture,
    reading_side as reading_side,
)
from convscope.prediction.preparation import is_as_made as is_as_made, preparation_of as preparation_of
from convscope.prediction.ranking import rank_by_learning as rank_by_learning
from convscope.prediction.records import Answer as Answer
from convscope.prediction.strings import read_strings as read_strings
from convscope.prediction.strings.result import ReadCharacter as ReadCharacter, StringReading as StringReading
