"""The head of an answer, read without the mail parser that `http.client` has for it.

That parser takes a tenth of a blocking call. What has nothing but plain lines is read here in a few
steps for all of them; anything else still goes through it.
"""

from __future__ import annotations

import http.client
import io
import re
from types import FunctionType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import BufferedIOBase

_LONGEST_LINE = 65536  # bytes; as `http.client` has it, like the next
_MOST_FIELDS = 100  # the blank line among them
_FIELD = r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n]*)\r?\n"
_FIELDS = re.compile(_FIELD)
_PLAIN = re.compile(f"(?:{_FIELD})*\r?\n")


def parse_headers(fp: BufferedIOBase) -> http.client.HTTPMessage:
    """Read fields up to the blank line, as `http.client.parse_headers` does.

    Raises `http.client.HTTPException` for a line that is too long, or for too many.
    """
    lines: list[bytes] = []
    while True:
        line = fp.readline(_LONGEST_LINE + 1)
        if len(line) > _LONGEST_LINE:
            raise http.client.LineTooLong("header line")
        lines.append(line)
        if len(lines) > _MOST_FIELDS:
            raise http.client.HTTPException(f"got more than {_MOST_FIELDS} headers")
        if line in {b"\r\n", b"\n", b""}:
            break
    whole = b"".join(lines)
    text = whole.decode("iso-8859-1")
    if _PLAIN.fullmatch(text) is None:
        return http.client.parse_headers(io.BytesIO(whole))
    message = http.client.HTTPMessage()
    for name, value in _FIELDS.findall(text):
        message.set_raw(name, value)
    message.set_payload("")
    return message


_names: Any = {**vars(http.client), "parse_headers": parse_headers}
# What `http.client` does with a head, except for how it reads the fields.
begin: Callable[[http.client.HTTPResponse], None] = FunctionType(
    http.client.HTTPResponse.begin.__code__, _names
)
