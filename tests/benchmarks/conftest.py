"""Let these tests import the scripts of benchmarks/ by name, as the scripts import each other."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
