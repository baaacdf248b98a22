"""`rank_by_learning`: uncertain images first, and few that ask the same question."""

import numpy as np

from convscope.prediction import rank_by_learning


def make_case(num_images=60, num_classes=5, num_features=7):
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.full(num_classes, 0.5), num_images)
    return probabilities, random.random((num_images, num_features), np.float32)


def test_images_are_drawn_in_proportion_to_their_squared_distance():
    probabilities, features = make_case(num_images=6)
    errors = probabilities - np.eye(5)[probabilities.argmax(axis=1)]
    gradients = (errors[:, :, None] * features[:, None, :]).reshape(6, -1).astype(np.float64)
    first = np.linalg.norm(gradients, axis=1).argmax()
    known = np.stack([np.zeros(gradients.shape[1]), gradients[first]])
    expected = (np.linalg.norm(gradients[:, None] - known, axis=2) ** 2).min(axis=1)
    draws = np.array([rank_by_learning(probabilities, features, 2, seed) for seed in range(2000)])
    assert set(draws[:, 0]) == {first}
    shares = np.bincount(draws[:, 1], minlength=6) / len(draws)
    np.testing.assert_allclose(shares, expected / expected.sum(), atol=0.05)  # 4.5 standard deviations at most


def test_copies_come_last_and_each_image_once():
    probabilities, features = make_case(num_images=10)
    twice = np.concatenate([probabilities, probabilities]), np.concatenate([features, features])
    ranked = rank_by_learning(*twice, 100).tolist()
    assert sorted(ranked) == list(range(20))
    assert {index % 10 for index in ranked[:10]} == set(range(10))


def test_the_choice_is_the_same_each_time_and_follows_the_seed():
    case = make_case()
    assert rank_by_learning(*case, 10).tolist() == rank_by_learning(*case, 10).tolist()
    assert rank_by_learning(*case, 10).tolist() != rank_by_learning(*case, 10, seed=1).tolist()


def test_certain_images_are_chosen_only_if_none_are_uncertain():
    probabilities = np.eye(3)[[0, 1, 2, 2]]
    assert rank_by_learning(probabilities, np.ones((4, 2), np.float32), 2).tolist() == [0, 1]
    probabilities[2] = [0.2, 0.3, 0.5]
    assert rank_by_learning(probabilities, np.ones((4, 2), np.float32), 2).tolist() == [2, 0]


def test_asking_for_none_gives_none():
    assert rank_by_learning(*make_case(), 0).tolist() == []
