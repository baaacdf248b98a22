"""Make TensorBoard's events with its own package, without TensorFlow."""

import io
import struct
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, types_pb2
from tensorboard.plugins.hparams import api_pb2, metadata as hparams, plugin_data_pb2, summary_v2
from tensorboard.plugins.image import metadata as images
from tensorboard.plugins.scalar import metadata as scalars
from tensorboard.plugins.text import metadata as texts
from tensorboard.summary.writer.record_writer import RecordWriter


def start() -> list[bytes]:
    """Make the first events of a file; they make a running TensorBoard forget the file that this one replaces."""
    now, begin = time.time(), event_pb2.SessionLog(status=event_pb2.SessionLog.START)
    return [
        _serialize(event_pb2.Event(wall_time=now, file_version="brain.Event:2")),  # the first event of any file
        _serialize(event_pb2.Event(wall_time=now, step=0, session_log=begin)),
    ]


def scalar(tag: str, value: float, step: int, seconds: float) -> bytes:
    """Make a point of a curve; TensorBoard keeps float32. `seconds` since 1970."""
    tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, float_val=[value])
    return _event(tag, tensor, scalars.create_summary_metadata("", ""), step, seconds)


def text(tag: str, markdown: str, step: int, seconds: float) -> bytes:
    """Make a text in Markdown."""
    tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, string_val=[markdown.encode()])
    tensor.tensor_shape.dim.add(size=1)  # a list of one text
    return _event(tag, tensor, texts.create_summary_metadata("", ""), step, seconds)


def image(tag: str, png: bytes, step: int, seconds: float) -> bytes:
    """Make a picture from the bytes of a PNG file."""
    width, height = struct.unpack(">II", png[16:24])  # after the signature (8) and the length and type of IHDR (4 + 4)
    values = [str(width).encode(), str(height).encode(), png]  # the form of TensorFlow's image summaries
    tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, string_val=values)
    tensor.tensor_shape.dim.add(size=len(values))
    return _event(tag, tensor, images.create_summary_metadata("", ""), step, seconds)


def hyperparameters(values: Mapping[str, str | int | float | bool], group: str, seconds: float) -> bytes:
    """Make the event for the tab HPARAMS; runs with the same `group` are shown as one."""
    summary = summary_v2.hparams_pb(dict(values), trial_id=group, start_time_secs=seconds)
    return _serialize(event_pb2.Event(wall_time=seconds, step=0, summary=summary))


def session_end(is_finished: bool, seconds: float) -> bytes:
    """Make the event for the final status of a run in the tab HPARAMS."""
    status = api_pb2.STATUS_SUCCESS if is_finished else api_pb2.STATUS_FAILURE
    end = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=seconds)
    metadata = hparams.create_summary_metadata(plugin_data_pb2.HParamsPluginData(session_end_info=end))
    return _event(hparams.SESSION_END_INFO_TAG, hparams.NULL_TENSOR, metadata, 0, seconds)


def append(path: Path, events: Sequence[bytes]) -> None:
    """Append `events` to the file at `path`, in one write: TensorBoard may read it meanwhile."""
    buffer = io.BytesIO()
    writer = RecordWriter(buffer)  # adds the length and checksums of each event
    for event in events:
        writer.write(event)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(buffer.getvalue())


def _event(tag: str, tensor: Any, metadata: Any, step: int, seconds: float) -> bytes:
    value = summary_pb2.Summary.Value(tag=tag, tensor=tensor, metadata=metadata)
    summary = summary_pb2.Summary(value=[value])
    return _serialize(event_pb2.Event(wall_time=seconds, step=step, summary=summary))


def _serialize(event: Any) -> bytes:
    return bytes(event.SerializeToString())
