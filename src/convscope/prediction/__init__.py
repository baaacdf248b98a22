"""Classify users' own pictures and strings of characters with a model."""

from convscope.prediction.prediction import (
    METHOD,
    Prediction,
    map_predictions,
    predict,
    predict_images,
    prepare_picture,
    reading_side,
)
from convscope.prediction.preparation import is_as_made, preparation_of
from convscope.prediction.ranking import rank_by_learning
from convscope.prediction.records import Answer
from convscope.prediction.strings import read_strings
from convscope.prediction.strings.result import ReadCharacter, StringReading

__all__ = [
    "METHOD",
    "Answer",
    "Prediction",
    "ReadCharacter",
    "StringReading",
    "is_as_made",
    "map_predictions",
    "predict",
    "predict_images",
    "preparation_of",
    "prepare_picture",
    "rank_by_learning",
    "read_strings",
    "reading_side",
]
