"""scikit-learn's own checks of an estimator, with no failure expected."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from convscope import CNNClassifier


@parametrize_with_checks([CNNClassifier()])
def test_scikit_learn_finds_nothing_wrong(estimator, check):
    check(estimator)
