"""Every status in use with every kind of body but the usual one."""

from __future__ import annotations

from tests.faults.rows.statuses import CLASSES, NO_BODY, of, page
from tests.faults.scripts import IN_TIME, SHORT, limits
from tests.faults.table import JSON, Expect, Row, Script, answers, sends
from tests.raw_server import Connection, head

HTML = b"<!DOCTYPE html><html><head><title>Out of luck</title></head><body>cf-ray</body></html>"


def short(status: int) -> Script:
    """Promise more than is sent."""
    return sends(head("Content-Length: 900", status=f"{status} x"), b'{"error":{"message":"no')


def stalling(status: int) -> Script:
    def script(connection: Connection) -> None:
        short(status)(connection)
        connection.wait_for_client()

    return script


def fifty_megabytes(status: int) -> Script:
    def script(connection: Connection) -> None:
        connection.send(head(f"Content-Length: {50 * 2**20}", status=f"{status} x"))
        for _ in range(50):
            connection.send(b"x" * 2**20)

    return script


def page_of(status: int) -> Expect:
    # What to do about a redirect is more than what its page says.
    says = "Out of luck" if status >= 400 else "redirects are not followed"
    return Expect(CLASSES[status], attributes={"status_code": status}, says=says, hides="[<>]")


def rows_of(status: int) -> list[Row]:
    line, number = f"{status} x", str(status)
    binary = answers(bytes(range(256)), status=line, kind="application/octet-stream")
    latin = answers(b'{"error":{"message":"caf\xe9"}}', status=line)
    return [
        Row(f"{status} with a page", page(line, HTML), page_of(status)),
        Row(f"{status} with nothing", answers(b"", status=line), of(status, says=number), JSON),
        Row(f"{status} with binary", binary, of(status), JSON),
        Row(f"{status} with text that is not UTF-8", latin, of(status, says="caf|redirect"), JSON),
        Row(f"{status} with a body that is cut", short(status), of(status, says=number), JSON),
    ]


ROWS = [
    *(row for status in CLASSES if status not in NO_BODY for row in rows_of(status)),
    *(
        Row(f"{status} with 50 MB", fifty_megabytes(status), of(status), JSON, within=10)
        for status in (400, 404, 429, 500, 502, 999)
    ),
    *(
        Row(
            f"{status} with a body that stalls",
            stalling(status),
            of(status),
            JSON,
            timeout=limits(first_event=SHORT, idle=SHORT),
            within=IN_TIME,
        )
        for status in (400, 401, 404, 429, 500, 502, 503, 504, 529, 999)
    ),
]
