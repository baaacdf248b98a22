"""scikit-learn's own checks of an estimator, with no failure expected."""

import json
import os
import subprocess
import sys

import pytest

# 30 epochs, because by default such small data are trained for up to 500 epochs, and the checks do so 80 times.
# A process of its own, because SciPy reads SCIPY_ARRAY_API, which permits other libraries' arrays, when it is imported.
PROGRAM = """
import json
from sklearn.utils.estimator_checks import check_estimator
from convscope import CNNClassifier
results = check_estimator(CNNClassifier(epochs=30), on_skip=None, on_fail=None)
print(json.dumps([[check["check_name"], check["status"], str(check["exception"])] for check in results]))
"""


@pytest.mark.slow
def test_scikit_learn_finds_nothing_wrong():
    completed = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        env={**os.environ, "SCIPY_ARRAY_API": "1"}, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert completed.returncode == 0, completed.stderr
    results = json.loads(completed.stdout)
    assert len(results) > 50
    assert [check for check in results if check[1] != "passed"] == []
