"""Read an exported program of PyTorch (`.pt2`) as layers, without PyTorch: nothing in it is run or unpickled."""

from dataclasses import replace
from pathlib import Path

from convscope.interchange.archive import Archive
from convscope.interchange.imported import Imported
from convscope.interchange.refusal import ModelFileError, open_model_file
from convscope.interchange.torch_files.archives import ProgramArchive
from convscope.interchange.torch_files.graph import read_graph
from convscope.interchange.translation.image import Size
from convscope.interchange.translation.network import build_network

_DAMAGE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)  # what damaged JSON can cause


def read_torch(path: Path | str, *, image_shape: Size | None = None, output: str | None = None) -> Imported:
    """Read the network in a file of `torch.export.save`; arguments and errors as of `read_network`."""
    path = Path(path)
    with open_model_file(path) as file:
        return read_program(ProgramArchive(Archive(file, "file of torch.export.save")), image_shape, output)


def read_program(program: ProgramArchive, image_shape: Size | None, output: str | None = None) -> Imported:
    """Read the network of an open program; raises `ModelFileError` where `read_torch` raises InterchangeError."""
    try:
        graph = read_graph(program)
    except _DAMAGE as error:
        raise ModelFileError(
            f"its description of the program is damaged, or of another version ({error!r:.80}); export it again"
        ) from error
    network = build_network(graph, image_shape, output)
    version = str(program.document.get("torch_version", ""))[:20]
    return replace(
        network,
        class_names=program.read_class_names(network.architecture.num_classes),
        program=f"PyTorch {version}" if version[:1].isdigit() else "PyTorch",
    )
