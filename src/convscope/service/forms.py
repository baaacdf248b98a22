"""Read the picture from a request of type multipart/form-data.

The body is complete and within the service's limit before it is read here, and only the picture is copied.
Source: RFC 7578 (forms) and RFC 2046, section 5.1: parts between boundaries, each with a header:

    --BOUNDARY CRLF  header CRLF CRLF  content  CRLF --BOUNDARY CRLF  ...  CRLF --BOUNDARY--
"""

import re
from email.message import Message

from convscope.service.refusal import RequestRefusedError

FORM_TYPE = "multipart/form-data"
FIELD = "image"
"""The form field that holds the picture."""

MAX_PARTS = 16  # fields of a form
_MAX_HEADER_BYTES = 8192  # limit for the headers of one part
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")  # RFC 2046, section 5.1.1


def read_picture_from_form(body: bytes, content_type: str) -> bytes:
    """Read the content of the field `image` of a form.

    Raises:
        RequestRefusedError: if the form is damaged, has several pictures or none, or has more than 16 fields.
    """
    message = Message()  # the class of an e-mail, whose headers have the same form
    message["content-type"] = content_type
    boundary = message.get_param("boundary")
    if not isinstance(boundary, str) or not _BOUNDARY.fullmatch(boundary):
        raise _form_error("its Content-Type has no valid boundary")
    delimiter = b"--" + boundary.encode()
    content: bytes | None = None
    # The offsets in each round of the loop:
    #
    #     --BOUNDARY CRLF header CRLF CRLF content CRLF --BOUNDARY
    #               ^start      ^head_end         ^end  ^the next delimiter, at end + 2
    #
    # Text before the first delimiter is to be ignored.
    start = 0 if body.startswith(delimiter) else _find_delimiter(body, delimiter, 0) + len(b"\r\n")
    for _ in range(MAX_PARTS):
        start += len(delimiter)  # as in the picture
        if body.startswith(b"--", start):  # the end of the form
            break
        head_end = body.find(b"\r\n\r\n", start, start + _MAX_HEADER_BYTES)
        if not body.startswith(b"\r\n", start) or head_end < 0:
            raise _form_error("the header of a field is damaged or too long")
        end = _find_delimiter(body, delimiter, head_end + 4)
        if _read_name(body[start + 2 : head_end]) == FIELD:
            if content is not None:
                raise _form_error("it has several pictures; send one request for each")
            content = body[head_end + 4 : end]
        start = end + len(b"\r\n")
    else:  # the loop ended without the end of the form
        raise _form_error(f"it has more than {MAX_PARTS} fields")
    if content is None:
        raise _form_error(f"it has no field {FIELD!r}")
    return content


def _find_delimiter(body: bytes, delimiter: bytes, start: int) -> int:
    """Find the line break before the next delimiter."""
    offset = body.find(b"\r\n" + delimiter, start)
    if offset < 0:
        raise _form_error("it is cut off")
    return offset


def _read_name(head: bytes) -> str | None:
    """Read the name of the field from its header."""
    for line in head.split(b"\r\n"):
        key, _, value = line.partition(b":")
        if key.strip().lower() == b"content-disposition":
            message = Message()
            message["content-disposition"] = value.strip().decode("utf-8", "replace")
            name = message.get_param("name", header="content-disposition")
            return name if isinstance(name, str) else None
    return None


def _form_error(reason: str) -> RequestRefusedError:
    return RequestRefusedError(
        400, f"the form cannot be read: {reason}; send the picture as the field {FIELD!r}, or as the body itself"
    )
