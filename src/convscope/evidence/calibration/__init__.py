"""Calibration: whether 90 % of the predictions with a probability of 90 % are correct, and what refusals improve.

`__init__.pyi` lists the names. Each is imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
