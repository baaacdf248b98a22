"""A classifier for scikit-learn: `CNNClassifier`, which needs the extra `sklearn`."""

from convscope.base.errors import MissingPackageError

try:
    from convscope.classifier.estimator import CNNClassifier
except ImportError as error:
    if (error.name or "").partition(".")[0] != "sklearn":
        raise
    raise MissingPackageError(
        "CNNClassifier needs scikit-learn 1.6 or later; pip install 'convscope[sklearn]'", name="sklearn"
    ) from error

__all__ = ["CNNClassifier"]
