"""What the commands print with `--json` where no result has a record of its own."""

from convscope.base.records import Record


class CardOutput(Record, kw_only=True):
    """The model card of a run, by its path."""

    run: str
    card: str


class FiguresOutput(Record, kw_only=True):
    """The figures of a run, by their paths."""

    run: str
    figures: tuple[str, ...]


class LogOutput(Record, kw_only=True):
    """The runs that were logged, and where."""

    runs: tuple[str, ...]
    trackers: tuple[str, ...]


class ServedModel(Record, kw_only=True):
    """A model that the service answers with."""

    name: str
    version: str


class ServeOutput(Record, kw_only=True):
    """A service that listens at an address."""

    address: str
    models: tuple[ServedModel, ...]
