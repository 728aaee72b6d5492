"""Reading a body to its end, but not for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orq_core.errors import ResponseDecodeError

if TYPE_CHECKING:
    from orq_core.transports import Response


async def read_all(response: Response, max_bytes: int) -> bytes:
    """Join what ``receive`` returns; raises ResponseDecodeError past ``max_bytes``."""
    pieces: list[bytes] = []
    size = 0
    while data := await response.receive():
        pieces.append(data)
        size += len(data)
        if size > max_bytes:
            raise ResponseDecodeError(
                f"the answer is larger than {max_bytes} bytes",
                status_code=response.status,
            )
    return b"".join(pieces)
