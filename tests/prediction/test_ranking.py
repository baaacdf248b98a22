"""`rank_by_learning`: uncertain images first, and no two that ask the same question."""

import numpy as np

from convscope.prediction import rank_by_learning


def compute_gradients(probabilities, features):
    """Write the K × F numbers of each gradient down."""
    errors = probabilities - np.eye(probabilities.shape[1])[probabilities.argmax(axis=1)]
    return (errors[:, :, None] * features[:, None, :]).reshape(len(errors), -1)


def make_case(num_images=60, num_classes=5, num_features=7):
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.full(num_classes, 0.5), num_images)
    return probabilities, random.random((num_images, num_features), np.float32)


def test_each_image_is_the_farthest_from_those_before_and_from_certainty():
    probabilities, features = make_case()
    gradients = compute_gradients(probabilities, features.astype(np.float64))
    ranked = rank_by_learning(probabilities, features, 20).tolist()
    assert ranked[0] == np.linalg.norm(gradients, axis=1).argmax()
    for position in range(1, 20):
        known = np.concatenate([np.zeros((1, gradients.shape[1])), gradients[ranked[:position]]])
        distances = np.linalg.norm(gradients[:, None] - known, axis=2).min(axis=1)
        distances[ranked[:position]] = -1
        assert ranked[position] == distances.argmax()


def test_copies_come_last_and_each_image_once():
    probabilities, features = make_case(num_images=10)
    twice = np.concatenate([probabilities, probabilities]), np.concatenate([features, features])
    ranked = rank_by_learning(*twice, 100).tolist()
    assert sorted(ranked) == list(range(20))
    assert {index % 10 for index in ranked[:10]} == set(range(10))


def test_certain_images_are_ranked_all_the_same():
    probabilities = np.eye(3)[[0, 1, 2, 2]]
    assert rank_by_learning(probabilities, np.ones((4, 2), np.float32), 2).tolist() == [0, 1]


def test_asking_for_none_gives_none():
    assert rank_by_learning(*make_case(), 0).tolist() == []
