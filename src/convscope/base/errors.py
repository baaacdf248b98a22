"""Errors that a user can meet and fix.

Every error that comes from a file, a folder, a configuration or a command is a `ConvscopeError`: its message names the
file or the value and the next step. The command line prints it as one line, or as a list with a line for each item. A
wrong argument in Python code is a `ValueError` or `TypeError`; the configuration errors are both, since an
architecture, a recipe or an instruction set may come from either side.
"""


class ConvscopeError(Exception):
    """The root of all errors that name something the user can change: a message, and items that it lists."""

    def __str__(self) -> str:
        return "\n  ".join(map(str, self.args))


class ArchitectureError(ConvscopeError, ValueError):
    """An architecture that no network can have: a shape below 1, an unknown layer, a missing output."""


class RecipeError(ConvscopeError, ValueError):
    """A recipe with a value out of its range."""


class DivergedError(RecipeError):
    """Training, or the network it left, gave a number that is not finite: mostly, the learning rate is too high."""


class EngineError(ConvscopeError, ValueError):
    """An instruction set that this processor does not have, or that cannot compute in the precision asked for."""


class ExecutorError(ConvscopeError, ValueError):
    """An executor that is not known, not installed or does not answer, or workers that die again and again."""


class DatasetError(ConvscopeError):
    """A data file that is damaged, missing or does not hold what it says."""


class ImageFileError(ConvscopeError):
    """A picture that is damaged, too large or of a format that is not read."""


class RunError(ConvscopeError):
    """A run folder or model file that is damaged, incomplete, of a newer format, or in the way."""


class InterchangeError(ConvscopeError):
    """A file of another program that cannot be read, or a model that cannot be written as one."""


class FigureError(ConvscopeError, ValueError):
    """A figure that a run does not have."""


class MissingPackageError(ConvscopeError, ImportError):
    """A package that this part of convscope needs is not installed, or too old."""


class TrackerError(ConvscopeError, ValueError):
    """A tracker that is not known, not installed, or does not take what is logged to it."""


def first_line(error: Exception) -> str:
    """Shorten another program's error message to one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
