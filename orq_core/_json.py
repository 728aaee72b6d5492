"""JSON in and out: fast where it is proper JSON, forgiving where a server's is not quite."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from typing import TypeGuard

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def is_list(value: Any) -> TypeGuard[list[Any]]:
    """Tell whether a JSON value is a list."""
    return isinstance(value, list)


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    """Tell whether a JSON value is an object."""
    return isinstance(value, dict)


def loads(data: bytes | bytearray | str) -> Any:
    """Read one JSON value.

    Beyond the standard it takes a byte order mark, NaN and infinities, lone surrogates in escapes,
    and bytes that are not UTF-8 (they become U+FFFD). Integers stay exact; one with more digits
    than Python reads (4,300) stays the text it was.

    Raises ValueError when the data is not JSON, or nested too deeply to be read; the data is not
    kept in it.
    """
    try:
        return _decode(data)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    except (msgspec.MsgspecError, UnicodeError):
        text = data if isinstance(data, str) else data.decode("utf-8", "replace")
    try:
        return json.loads(text.removeprefix("\ufeff"), parse_int=_integer)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    except json.JSONDecodeError as error:
        # Errors are passed on to where what was said must not be.
        error.doc = ""
        raise


def _integer(digits: str) -> int | str:
    try:
        return int(digits)
    except ValueError:
        return digits


def loads_object(data: bytes | bytearray | str) -> dict[str, Any]:
    """Read one JSON object; raises ValueError also when the data is JSON of another kind."""
    value = loads(data)
    if is_object(value):
        return value
    raise ValueError(f"expected a JSON object, got {type(value).__name__}")


def dumps(value: Any) -> bytes:
    """Write one JSON value, compact, as UTF-8; lone surrogates are written as escapes.

    NaN and infinities, which JSON lacks, become null: requests are checked for them before.

    Raises TypeError or ValueError for what JSON can't hold.
    """
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()
    except (msgspec.MsgspecError, OverflowError) as error:
        raise ValueError(str(error)) from error
    except RecursionError:
        raise ValueError("the value is nested too deeply") from None
