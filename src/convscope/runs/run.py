"""A run as a value: `cs.run` makes it, `open_run` opens it again, and its attributes are its measurements.

The command line and this module do the same jobs in the same folders, and each can continue the other's.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path

from convscope.base.arguments import checked
from convscope.base.errors import RunError
from convscope.base.figure_style import FigureFormat, FigureStyle, Theme
from convscope.base.files import read_bytes
from convscope.base.tables import html_table, percent_with_interval, text_table
from convscope.data.datasets import Splits
from convscope.evidence.comparison import Comparison
from convscope.evidence.evaluation import Evaluation
from convscope.experiment import RunResult
from convscope.runs.card import write_card
from convscope.runs.cautions import find_cautions
from convscope.runs.data import DataChoice, load_again
from convscope.runs.evidence import Evidence
from convscope.runs.jobs import baseline_job, check_index, open_with_data, read_options, resume_job
from convscope.runs.listeners import SILENT, make_listeners
from convscope.runs.pipeline import main_job, train_baseline, train_job
from convscope.runs.seeds import USUAL_SEEDS, train_seeds
from convscope.runs.steps import EvaluatedRun, compare_runs, load_baseline, load_run, measure_time
from convscope.runs.topics import MEASURED, Subject, measure_topics, open_topics, read_topics
from convscope.storage import RunFolder, open_run as open_folder, writing
from convscope.storage.records import JobOptions
from convscope.training import History, TrainingState
from convscope.training.model import Model

_WIDTH, _HEIGHT = 900, 700  # pixels of the page in a notebook


@dataclass(frozen=True, eq=False)
class Run:
    """A run folder: its model, its data, and its measurements.

    `model`, `history`, `evaluation` and `comparison` are the values that `train`, `evaluate` and `compare` return.
    `seeds`, `calibration` and each other topic of `convscope report` is an `Evidence`: a read-only mapping of the
    topic's JSON file. Evidence in the folder is read; missing evidence is measured on first access, and written there.
    That may train networks, which takes longer than the run itself (`calibration`, `rejection`, `audit`) or several
    times as long (`seeds`). In a notebook a run shows its page.

    Attributes:
        path: the folder.
        data: the data, for a run that was made from arrays; None loads the data that `run.json` names.

    Raises:
        RunError: by each attribute, if a file is missing or damaged, the data have changed, or the topic cannot be
            measured on this run.
    """

    path: Path
    data: DataChoice | None = field(default=None, repr=False)

    @property
    def folder(self) -> RunFolder:
        """The folder with the current `run.json`: `record`, `architecture`, `recipe`, `seed`, `is_finished`."""
        return open_folder(self.path)

    @cached_property
    def splits(self) -> Splits:
        """The data, checked against the digests that the run recorded."""
        return load_again(self.folder.record.dataset, self.path, self.data)

    @cached_property
    def model(self) -> Model:
        """The trained model."""
        return self.folder.load_model()

    @cached_property
    def history(self) -> History:
        """Loss, accuracy and seconds after each epoch."""
        return self.folder.load_history()

    @cached_property
    def evaluation(self) -> Evaluation:
        """The model's predictions for the test images."""
        folder = self.folder
        if folder.is_finished and folder.has("predictions.npz"):  # needs no data
            return folder.load_evaluation()
        return load_run(folder, self.splits).evaluation

    @cached_property
    def comparison(self) -> Comparison | None:
        """The comparison with the dense network, which is trained if it is missing; None for a dense network itself."""
        with writing(self.path):
            measured = self._load_measured_runs()
            if len(measured) == 1:
                return None
            comparison, folder = compare_runs(measured[0], measured[1], self.splits), self.folder
            if not folder.has("comparison.json"):
                folder.write("comparison.json", comparison.to_dict())
            return comparison

    @property
    def seeds(self) -> Evidence:
        """The same training from several seeds, also of the dense network if the run has this baseline.

        There are as many seeds as the run's options say, by default five.
        """
        folder = self.folder
        if not read_topics(folder, ("seeds",), self.model):
            options = read_options(folder) or JobOptions()
            # A run that was made with one seed gets the usual number here, since one shows nothing about other seeds.
            count = options.seeds if options.seeds is not None and options.seeds > 1 else USUAL_SEEDS
            comparison = self.comparison if options.baseline else None
            with writing(self.path):
                measured = self._load_measured_runs() if comparison is not None else [load_run(folder, self.splits)]
                seeds = train_seeds(measured, self.splits, comparison, count, {}, SILENT)
                assert seeds is not None, "there is more than one seed"
                folder.write_evidence("seeds", seeds.to_record(), self.model)
        return self._read_evidence("seeds")

    def __getattr__(self, name: str) -> Evidence:
        """Read the evidence on a topic, or measure it if it is missing."""
        # Python calls this only for names that are no attribute; so a new topic needs no property here.
        if name not in MEASURED:
            raise AttributeError(f"a run has no attribute {name!r}", name=name, obj=self)
        return self._read_or_measure(name)

    def __dir__(self) -> list[str]:
        """List also the topics, so that notebooks complete their names."""
        return [*super().__dir__(), *MEASURED]

    @property
    def cautions(self) -> tuple[str, ...]:
        """The limits of the recipe and the training images, in sentences; often none."""
        return tuple(find_cautions(self.folder, self.splits))

    def report(self, index: int | None = None) -> Path:
        """Write the page, after measuring missing topics that every run has, and return its path.

        Args:
            index: that of the test image whose feature maps are shown; by default that of the run's options.
        """
        from convscope.runs.page import complete_page, load_measured_run  # matplotlib takes its time to load

        folder, splits = self.folder, self.splits
        with writing(self.path):
            return complete_page(load_measured_run(folder, splits), splits, self._pick_index(index), {}).write()

    def figures(
        self,
        *names: str,
        format: FigureFormat = "png",
        theme: Theme = "light",
        dpi: int = 144,
        transparent: bool = False,
        out: str | Path | None = None,
        index: int | None = None,
    ) -> list[Path]:
        """Write the figures of the run, a file for each, and return their paths.

        The same run gives the same bytes. Nothing is measured: `report` or a topic does that.

        Args:
            names: the names of the figures, such as "confusion-matrix"; by default all.
            format: "png", "svg" or "pdf".
            theme: "light" or "dark"; dark suits slides with a dark background.
            dpi: dots per inch of a PNG, 18 to 1200; at 72 a figure is as wide as on the page.
            transparent: if true, the background is transparent.
            out: the folder; by default figures/ in the run folder.
            index: that of the test image whose feature maps are shown; by default that of the run's options.

        Raises:
            FigureError: if there is no figure of a name; this is a ValueError too.
            ValueError: if an argument is out of range.
            DatasetError: if there is no such test image.
            RunError: as the attributes do.
        """
        from convscope.runs.page import write_run_figures  # matplotlib takes its time to load

        folder, splits, style = self.folder, self.splits, FigureStyle(format, theme, dpi, transparent)
        index = self._pick_index(index)
        return write_run_figures(folder, splits, index, names, style, None if out is None else Path(out))

    def card(self, out: str | Path | None = None, *, licence: str | None = None, force: bool = False) -> Path:
        """Write the model card of the run for model hubs, and return its path.

        Nothing is measured, and the data are not needed. A card that you edited is kept.

        Args:
            out: the file; by default README.md in the run folder.
            licence: the model's licence, by its identifier at a hub, such as "apache-2.0"; None leaves it out.
            force: if true, replace an edited card or another file.

        Raises:
            ValueError: if `licence` is not an identifier.
            RunError: if the run is not finished, or a file of it is missing or damaged.
            ConvscopeError: if another file is in the way, or the card cannot be written.
        """
        return write_card(self.path, None if out is None else Path(out), licence, force=force)

    def _pick_index(self, requested: int | None) -> int:
        """Choose the test image whose feature maps are shown: the requested one, or that of the run's options."""
        index = (read_options(self.folder) or JobOptions()).index if requested is None else requested
        check_index(index, self.splits)
        return index

    def resume(
        self,
        *,
        threads: int | None = None,
        on_epoch: Callable[[TrainingState], None] | None = None,
        on_progress: Callable[[int, int, float, float], None] | None = None,
        on_result: Callable[[RunResult], None] | None = None,
    ) -> "Run":
        """Resume a run that was stopped, and return it; the result has the same bits as without the stop.

        Args:
            threads: by default as many as before; the number does not change the result.
            on_epoch, on_progress, on_result: as for `run`.

        Raises:
            RunError: if another process is writing to the folder, or a file in it is damaged.
            DivergedError: if the loss becomes infinite or NaN.
        """
        listeners, timings = make_listeners(on_epoch, on_progress, on_result), dict[str, float]()
        with ExitStack() as stack:
            with measure_time(timings, "load"):
                folder, splits = stack.enter_context(open_with_data(self.path, self.data, listeners))
                job = resume_job(folder, splits, read_options(folder), threads)
            work = train_job if job.options is None else main_job
            work(job, timings, listeners)
        return Run(self.path, self.data)

    @cached_property
    def _subject(self) -> Subject:
        """The subject of all topics, which share the networks that they train."""
        return Subject(self.folder, self.splits, self.model)

    def _load_measured_runs(self) -> list[EvaluatedRun]:
        """Load the run, and its dense baseline, which is trained if it is missing."""
        folder, splits = self.folder, self.splits
        run, baseline = load_run(folder, splits), load_baseline(folder, splits)
        if baseline is None:
            if folder.record.imported:
                raise RunError(
                    f"{self.path}: its network was trained elsewhere, so no dense network can be trained like it; "
                    "compare it with a run of yours: cs.compare"
                )
            if folder.record.members:
                raise RunError(f"{self.path}: is an ensemble and has no baseline; compare it with a run: cs.compare")
            job = baseline_job(folder, splits)
            if job is None:
                return [run]
            baseline = train_baseline(job, {}, SILENT)
        return [run, baseline]

    def _read_or_measure(self, name: str) -> Evidence:
        """Read the evidence on a topic, and measure it first if it is missing."""
        folder = self.folder
        if not read_topics(folder, (name,), self.model):
            with writing(self.path):
                topics, _ = open_topics(self._subject, (name,))  # raises if this run cannot have the topic
                measure_topics(self._subject, topics, {})
            self.__dict__.pop("model")  # calibration and rejection write to the model file, so it is loaded again
        return self._read_evidence(name)

    def _read_evidence(self, name: str) -> Evidence:
        return Evidence(name, read_topics(self.folder, (name,), self.model)[name])

    def _list_facts(self) -> list[tuple[str, str]]:
        folder = self.folder
        facts = [
            ("data", folder.record.dataset.name),
            ("architecture", folder.architecture.name),
            ("recipe", folder.recipe.name),
            ("seed", str(folder.seed)),
        ]
        if not folder.is_finished:
            return [*facts, ("state", "not finished; go on with resume()")]
        evaluation = self.evaluation
        accuracy = percent_with_interval(evaluation.accuracy, evaluation.accuracy_interval)
        return [*facts, ("accuracy", f"{accuracy} of {evaluation.num_images:,} {evaluation.split} images")]

    def __str__(self) -> str:
        return text_table(("Run", str(self.path)), self._list_facts(), left=2)

    def _repr_html_(self) -> str:
        """Show the page in a frame, or the facts of a run without a page."""
        # A sandboxed frame is a document of its own, so the page's script cannot reach the notebook.
        folder = self.folder
        if not folder.has("report.html"):
            return html_table(("Run", str(self.path)), self._list_facts(), left=2)
        page = read_bytes(folder.locate("report.html")).decode("utf-8", "replace")
        return (
            f'<iframe srcdoc="{escape(page)}" width="{_WIDTH}" height="{_HEIGHT}" sandbox="allow-scripts '
            f'allow-downloads" title="Report of {escape(str(self.path))}" style="border: 0; max-width: 100%"></iframe>'
        )


@checked
def open_run(path: str | Path, data: DataChoice | None = None) -> Run:
    """Open the run at `path`; raises `RunError` if there is none, or its `run.json` is damaged.

    Args:
        data: the arrays of a run that was made from arrays, compared by their digests when they are needed. Without
            them, `model`, `history`, `evaluation` and measured topics can still be read.
    """
    opened_run = Run(Path(path), data)
    _ = opened_run.folder  # raises the error of a missing or damaged run now, and not at the first attribute
    return opened_run
