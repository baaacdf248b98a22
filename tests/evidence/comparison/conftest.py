"""Candidates and groups made from which images each answers rightly."""

import numpy as np

import convscope as cs
from convscope.evidence.comparison import Candidate, RunGroup
from convscope.evidence.evaluating import evaluate_predictions


def make_candidate(name, right, split="test", dataset_name="shapes", labels=None, **costs):
    """A candidate that answers image i rightly where right[i] is true, for two classes."""
    right = np.asarray(right, bool)
    labels = np.zeros(len(right), np.int64) if labels is None else np.asarray(labels)
    images = np.zeros((len(right), 1, 1, 1), np.uint8)
    logits = 3 * np.eye(2, dtype=np.float32)[np.where(right, labels, 1 - labels)]
    evaluation = evaluate_predictions(logits, cs.Dataset(images, labels, ("no", "yes"), dataset_name, split))
    return Candidate(name, evaluation, **{"parameters": 10, "macs": 20, "weights_bytes": 40, **costs})


def make_group(name, right, seeds=None, labels=None, **changed):
    """A group whose model s answers image i rightly where right[s, i] is true, for two classes."""
    right = np.atleast_2d(np.asarray(right, bool))
    labels = np.zeros(right.shape[1], np.int64) if labels is None else np.asarray(labels)
    values = {"dataset_name": "shapes", "split": "test", "parameters": 10, "macs": 20, "weights_bytes": 40, **changed}
    seeds = tuple(range(len(right))) if seeds is None else seeds
    return RunGroup(name, seeds, labels, np.where(right, labels, 1 - labels), **values)


def draw_right(seed, models, images, accuracy):
    """Which of the images each model gets right; some images are harder than others."""
    stream = np.random.default_rng(seed)
    return stream.random((models, images)) < accuracy + 0.1 * (stream.random(images) - 0.5)
