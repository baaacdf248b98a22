"""Train a small convolutional network in seconds on a CPU, measure it honestly, and see through every part of it."""

from convscope import recipes
from convscope.ablation import Ablation, FilterLesion, ablate
from convscope.architecture import (
    Add,
    Architecture,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    Input,
    MaxPooling2D,
    presets,
)
from convscope.audit import Audit, audit, find_duplicates, label_suspects
from convscope.calibration import Calibration, fit_temperature, measure_calibration
from convscope.checkpoint import load_model, save_model
from convscope.comparison import Candidate, Comparison, compare
from convscope.crossfit import CrossFit, crossfit
from convscope.datasets import Dataset, Splits, load_dataset
from convscope.errors import ConvscopeError
from convscope.evaluation import Evaluation, evaluate
from convscope.explanation import AttributionChecks, Explanation, attribute, check_attributions, explain
from convscope.model import Model
from convscope.recipes import SGD, Adam, Augmentation, EarlyStopping, Recipe, Schedule
from convscope.rejection import Rejection, RejectionRule, fit_rejection, measure_rejection
from convscope.robustness import Attacks, Robustness, corrupt, measure_attacks, measure_robustness
from convscope.training import History, train

__all__ = [
    "SGD",
    "Ablation",
    "Adam",
    "Add",
    "Architecture",
    "Attacks",
    "AttributionChecks",
    "Audit",
    "Augmentation",
    "AveragePooling2D",
    "BatchNormalization",
    "Calibration",
    "Candidate",
    "Comparison",
    "Conv2D",
    "ConvscopeError",
    "CrossFit",
    "Dataset",
    "Dense",
    "DepthwiseConv2D",
    "Dropout",
    "EarlyStopping",
    "Evaluation",
    "Explanation",
    "FilterLesion",
    "Flatten",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "History",
    "Input",
    "MaxPooling2D",
    "Model",
    "Recipe",
    "Rejection",
    "RejectionRule",
    "Robustness",
    "Schedule",
    "Splits",
    "ablate",
    "attribute",
    "audit",
    "check_attributions",
    "compare",
    "corrupt",
    "crossfit",
    "evaluate",
    "explain",
    "find_duplicates",
    "fit_rejection",
    "fit_temperature",
    "label_suspects",
    "load_dataset",
    "load_model",
    "measure_attacks",
    "measure_calibration",
    "measure_rejection",
    "measure_robustness",
    "presets",
    "recipes",
    "save_model",
    "train",
]
