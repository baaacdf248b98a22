"""A classifier for scikit-learn: `CNNClassifier`, which needs the extra `sklearn`."""

from convscope.base.errors import MissingPackageError
from convscope.base.versions import install_command

try:
    from convscope.classifier.estimator import CNNClassifier
except ImportError as error:
    if (error.name or "").partition(".")[0] != "sklearn":  # another import fails, whose own message helps more
        raise
    raise MissingPackageError(
        f"CNNClassifier needs scikit-learn 1.6 or later; run {install_command('sklearn')}", name="sklearn"
    ) from error

__all__ = ["CNNClassifier"]
