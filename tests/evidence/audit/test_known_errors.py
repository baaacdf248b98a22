"""The published list of wrong labels, checked against MNIST itself.

Five people looked at each of 100 images and voted for the label of the data set, for another label, or for neither.
"""

import numpy as np

import convscope as cs
from convscope.evidence.audit import known_errors


def test_mnist_has_the_15_errors_that_the_paper_counts_among_10_000(mnist: cs.Splits):
    review = known_errors(mnist.test)
    assert review is not None
    assert (len(review.errors), review.num_reviewed) == (15, 100)
    assert 1 - len(review.errors) / len(mnist.test) == 0.9985


def test_each_erroneous_label_is_in_the_file_and_lost_the_vote(mnist: cs.Splits):
    review = known_errors(mnist.test)
    assert review is not None
    for error in review.errors:
        assert int(mnist.test.labels[error.index]) == error.given_label != error.alternative_label
        assert error.votes_given + error.votes_alternative + error.votes_neither == 5
        assert error.votes_given < 3  # no majority
    indices = [error.index for error in review.errors]
    assert indices == sorted(set(indices))


def test_a_label_is_agreed_only_where_most_people_chose_it(mnist: cs.Splits):
    review = known_errors(mnist.test)
    assert review is not None
    agreed = {error.index: error.agreed_label for error in review.errors}
    assert agreed[947] == 9
    assert agreed[2597] == 3
    assert agreed[2654] is None  # the other label has 2 of 5 votes
    assert agreed[2130] is None  # as many votes for the other label as for the given one
    assert sum(label is not None for label in agreed.values()) == 10


def test_other_data_have_no_known_errors(mnist: cs.Splits):
    labels = mnist.test.labels.copy()
    labels[0] = (labels[0] + 1) % 10
    changed = cs.Dataset(mnist.test.images, labels, mnist.test.class_names, mnist.test.name, "test")
    assert known_errors(changed) is None
    assert known_errors(mnist.test.take(np.arange(9999))) is None
    assert known_errors(mnist.train) is None


def test_the_name_of_a_data_set_does_not_matter(mnist: cs.Splits):
    renamed = cs.Dataset(mnist.test.images, mnist.test.labels, mnist.test.class_names, "my digits", "validation")
    assert known_errors(renamed) == known_errors(mnist.test)
