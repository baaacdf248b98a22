"""Import matplotlib without its warning about a home that cannot be written to; it then uses a temporary folder."""

import logging

_LOGGER = logging.getLogger("matplotlib")
_level = _LOGGER.level
_LOGGER.setLevel(logging.ERROR)
try:
    from matplotlib import get_cachedir, get_configdir

    get_configdir()
    get_cachedir()
finally:
    _LOGGER.setLevel(_level)
