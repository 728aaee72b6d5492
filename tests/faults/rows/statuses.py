"""Answers that are no success, with every kind of body."""

from __future__ import annotations

import json

from orq_core import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    UnprocessableEntityError,
)
from tests.faults.table import Expect, Row, Script, answers, sends
from tests.raw_server import chunked, head

KINDS: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableEntityError,
    429: RateLimitError,
}
# Those of RFC 9110 and its like, of nginx, of Cloudflare, of clouds; and one that is of nobody.
IN_USE = (
    *(300, 304, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414),
    *(415, 416, 417, 418, 420, 421, 422, 423, 424, 425, 426, 428, 429, 431, 444, 449, 451, 460),
    *(463, 494, 495, 496, 497, 498, 499, 500, 501, 502, 503, 504, 505, 506, 507, 508, 509, 510),
    *(511, 520, 521, 522, 523, 524, 525, 526, 527, 529, 530, 561, 598, 599, 999),
)
CLASSES: dict[int, type[APIStatusError]] = {
    status: KINDS.get(status) or (InternalServerError if status >= 500 else APIStatusError)
    for status in IN_USE
}
ERROR = {"error": {"message": "no, thanks", "type": "kind", "code": "told", "param": "model"}}
TOLD = {"code": "told", "type": "kind", "param": "model"}
NO_BODY = {304}  # by RFC 9110, whatever its length says


def of(status: int, says: str = "", **attributes: object) -> Expect:
    return Expect(CLASSES[status], attributes={"status_code": status, **attributes}, says=says)


def told(status: int) -> Row:
    """Make a row of the usual body."""
    if status in NO_BODY:
        return Row(str(status), sends(head(status=f"{status} x")), of(status))
    # What to do about a redirect is more than what its body says.
    says = "redirects are not followed" if status < 400 else "no, thanks"
    return Row(
        f"{status} with an error object",
        answers(json.dumps(ERROR).encode(), status=f"{status} x"),
        of(status, says=says, body=ERROR, **TOLD),
        repeated=status in {429, 503},
    )


def page(status: str, html: bytes) -> Script:
    return answers(html, status=status, kind="text/html")


HTML = b"<html><head><title>Bad  gateway</title></head><body><h1>nginx</h1></body></html>"

ROWS = [
    *map(told, CLASSES),
    Row(
        "429 with Retry-After in seconds",
        answers(json.dumps(ERROR).encode(), "Retry-After: 0", status="429 x"),
        of(429, retry_after=0.0),
        repeated=True,
    ),
    Row(
        "429 with Retry-After that is no number",
        answers(json.dumps(ERROR).encode(), "Retry-After: soon", status="429 x"),
        of(429, retry_after=None),
    ),
    Row(
        "502 with a page, repeated", page("502 x", HTML), of(502, says="Bad gateway"), repeated=True
    ),
    Row("403 with a page without a title", page("403 x", b"<p>No</p>"), of(403, says="403")),
    Row("404 with a page of a megabyte", page("404 x", b"<p>" + b"x" * 2**20), of(404)),
    Row(
        "500 with plain text", answers(b"it\r\nfailed", status="500 x", kind="text/plain"), of(500)
    ),
    Row("500 with no length", sends(head(status="500 x")), of(500, says="500")),
    Row("401 with white space", answers(b" \r\n ", status="401 x"), of(401, says="401")),
    Row("400 with null", answers(b"null", status="400 x"), of(400, says="400")),
    Row("400 with a list", answers(b'[{"error":{"message":"no"}}]', status="400 x"), of(400)),
    Row("400 with a string", answers(b'"just no"', status="400 x"), of(400, says="just no")),
    Row("400 with a number", answers(b"42", status="400 x"), of(400)),
    Row(
        "400 with an error that is a string",
        answers(b'{"error":"just no"}', status="400 x"),
        of(400, says="just no"),
    ),
    Row(
        "422 with a list of details",
        answers(
            b'{"detail":[{"loc":["body","model"],"msg":"field required","type":"missing"}]}',
            status="422 x",
        ),
        of(422, says="field required"),
    ),
    Row(
        "400 with fields of the wrong types",
        answers(b'{"error":{"message":{"a":1},"code":[1],"type":7}}', status="400 x"),
        of(400),
    ),
    Row(
        "400 with a message of a megabyte",
        answers(json.dumps({"error": {"message": "x" * 2**20}}).encode(), status="400 x"),
        of(400),
    ),
    Row(
        "400 with line feeds and escapes in its message",
        answers(
            json.dumps({"error": {"message": "a\r\nb\x1b[31m\u2028c"}}).encode(), status="400 x"
        ),
        Expect(BadRequestError, says="a.*b", hides="[\r\n\x1b\u2028]"),
    ),
    Row(
        "500 with 100,000 nested brackets",
        answers(b"[" * 100_000, status="500 x"),
        of(500),
    ),
    Row(
        "503 as an event stream",
        answers(
            b'data: {"error":{"message":"busy now","code":"busy"}}\n\n',
            status="503 x",
            kind="text/event-stream",
        ),
        of(503, says="busy now", code="busy"),
    ),
    Row(
        "500 with a page that stops short",
        sends(
            head("Content-Type: text/html", "Content-Length: 900", status="500 x"),
            b"<title>Out of luck</title>",
        ),
        of(500, says="Out of luck"),
    ),
    Row(
        "500 whose body stops short",
        sends(head("Content-Length: 900", status="500 x"), b'{"error":'),
        of(500),
    ),
    Row(
        "500 whose chunks stop short",
        sends(head("Transfer-Encoding: chunked", status="500 x"), chunked(b'{"error":')),
        of(500),
    ),
    Row(
        "500 that says gzip and is none",
        answers(b"not compressed", "Content-Encoding: gzip", status="500 x"),
        of(500),
    ),
    Row(
        "a reason that is not ASCII",
        sends("HTTP/1.1 500 Erreur générale\r\nContent-Length: 0\r\n\r\n".encode()),
        of(500),
    ),
    Row("no reason", sends(b"HTTP/1.1 500\r\nContent-Length: 0\r\n\r\n"), of(500)),
]
