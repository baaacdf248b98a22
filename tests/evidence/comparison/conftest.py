"""Candidates and groups of runs, made from the images that each classifies correctly."""

import numpy as np

import convscope as cs
from convscope.evidence.comparison import Candidate, RunGroup
from convscope.evidence.evaluating import evaluate_predictions


def make_candidate(name, is_correct, split="test", dataset_name="shapes", labels=None, **costs):
    """Make a candidate that classifies image i of two classes correctly where is_correct[i] is true."""
    is_correct = np.asarray(is_correct, bool)
    labels = np.zeros(len(is_correct), np.int64) if labels is None else np.asarray(labels)
    images = np.zeros((len(is_correct), 1, 1, 1), np.uint8)
    logits = 3 * np.eye(2, dtype=np.float32)[np.where(is_correct, labels, 1 - labels)]
    evaluation = evaluate_predictions(logits, cs.Dataset(images, labels, ("no", "yes"), dataset_name, split))
    return Candidate(name, evaluation, **{"parameters": 10, "macs": 20, "weights_bytes": 40, **costs})


def make_group(name, is_correct, seeds=None, labels=None, **changed):
    """Make a group whose model s classifies image i of two classes correctly where is_correct[s, i] is true."""
    is_correct = np.atleast_2d(np.asarray(is_correct, bool))
    labels = np.zeros(is_correct.shape[1], np.int64) if labels is None else np.asarray(labels)
    values = {"dataset_name": "shapes", "split": "test", "parameters": 10, "macs": 20, "weights_bytes": 40, **changed}
    seeds = tuple(range(len(is_correct))) if seeds is None else seeds
    return RunGroup(name, seeds, labels, np.where(is_correct, labels, 1 - labels), **values)


def draw_correct(seed, models, images, accuracy):
    """Draw (models, images), true where a model is correct; some images are harder than others for all models."""
    stream = np.random.default_rng(seed)
    return stream.random((models, images)) < accuracy + 0.1 * (stream.random(images) - 0.5)
