"""Pictures that a browser or `curl -F` sends as a field of a multipart form."""

import pytest
from tests.shared import encode_picture

from convscope.service.forms import read_picture_from_form
from convscope.service.refusal import RequestRefusedError

from .conftest import Client
from .test_pictures import stroke

TYPE = "multipart/form-data; boundary=xy"


def form(*parts: bytes, end: bytes = b"--xy--\r\n") -> bytes:
    return b"".join(b"--xy\r\n" + part + b"\r\n" for part in parts) + end


def field(content: bytes, name: bytes = b"image") -> bytes:
    return b'Content-Disposition: form-data; name="' + name + b'"; filename="a.png"\r\n\r\n' + content


@pytest.mark.parametrize("content", [b"", b"\r\n--x\r\n\0\xff", bytes(range(256)) * 50, b"--xy", b"\r\n"])
def test_the_picture_is_read_from_a_form_unchanged(content: bytes):
    note = field(b"hello", b"note")
    assert read_picture_from_form(form(note, field(content)), TYPE) == content
    with_preamble, quoted_type = b"preamble\r\n" + form(field(content), note), 'multipart/form-data; boundary="xy"'
    assert read_picture_from_form(with_preamble, quoted_type) == content


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (form(field(b"a")), "multipart/form-data", "its Content-Type has no valid boundary"),
        (form(field(b"a")), "multipart/form-data; boundary=" + "x" * 71, "no valid boundary"),
        (b"", TYPE, "it is cut off"),
        (form(field(b"a"), end=b""), TYPE, "it is cut off"),
        (form(field(b"a", b"photo")), TYPE, "it has no field 'image'"),
        (form(field(b"a"), field(b"b")), TYPE, "it has several pictures"),
        (form(*[field(b"a", b"x")] * 17), TYPE, "it has more than 16 fields"),
        (form(b"x" * 9000 + b"\r\n\r\n"), TYPE, "the header of a field is damaged or too long"),
        (b"--xyz\r\n", TYPE, "the header of a field is damaged or too long"),
    ],
)
def test_a_form_that_cannot_be_read_is_refused_with_the_reason(body: bytes, kind: str, reason: str):
    with pytest.raises(RequestRefusedError, match=reason) as caught:
        read_picture_from_form(body, kind)
    assert caught.value.status == 400


def test_a_form_is_answered_as_the_picture_alone(client: Client):
    picture = encode_picture(stroke())
    without_form = client.post("/v1/predict?explain=false", content=picture)
    with_form = client.post("/v1/predict?explain=false", files={"image": ("a.png", picture, "image/png")})
    assert (with_form.status_code, with_form.json()) == (200, without_form.json())
    wrong = client.post("/v1/predict", files={"photo": ("a.png", picture)})
    assert wrong.status_code == 400
    assert "send the picture as the field 'image'" in wrong.json()["error"]
