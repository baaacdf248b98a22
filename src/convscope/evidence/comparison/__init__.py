"""Compare models and groups of models on the same images: fewer errors, by how much, and whether chance explains it.

`__init__.pyi` lists the names. Each is imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
