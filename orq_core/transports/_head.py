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
# No white space can belong to two of its parts, or a head that is not plain would be tried in
# twice as many ways with each line.
_FIELD = r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(?![ \t])([^\r\n]*)\r?\n"
_FIELDS = re.compile(_FIELD)
_PLAIN = re.compile(f"(?:{_FIELD})*\r?\n")


def parse_headers(fp: BufferedIOBase) -> http.client.HTTPMessage:
    """Read fields up to the blank line, as `http.client.parse_headers` does.

    White space at the end of a value is no part of it, RFC 9112 section 5.1; with it ``chunked`` is
    no coding that `http.client` knows.

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
        message = http.client.parse_headers(io.BytesIO(whole))
        fields = [*message.raw_items()]
        for name, _ in fields:
            del message[name]
    else:
        message = http.client.HTTPMessage()
        message.set_payload("")
        fields = _FIELDS.findall(text)
    for name, value in fields:
        message.set_raw(name, value.rstrip(" \t"))
    return message


_names: Any = {**vars(http.client), "parse_headers": parse_headers}
# What `http.client` does with a head, except for how it reads the fields.
begin: Callable[[http.client.HTTPResponse], None] = FunctionType(
    http.client.HTTPResponse.begin.__code__, _names
)
