"""Numbers that states give to people."""

from __future__ import annotations

from orq_plugins.redaction.detectors.detector import Detector


def _is_issued(text: str) -> bool:
    area, group, serial = text[:3], text[4:6], text[7:]
    return not (area in {"000", "666"} or area >= "900" or group == "00" or serial == "0000")


US_SSN = Detector(
    "US_SSN",
    r"(?<![\w.+-])(?:[0-9]{3}-[0-9]{2}-|[0-9]{3} [0-9]{2} )[0-9]{4}(?!\w|[.-][0-9])",
    _is_issued,
)
"""Social security numbers; areas, groups and serial numbers never issued are left alone."""
