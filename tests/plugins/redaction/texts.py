"""Texts that detectors find things in, and nearly find things in; all made up."""

from __future__ import annotations

from random import Random

from attrs import evolve

from orq_plugins.redaction import Detector
from orq_plugins.redaction.matcher import Matcher

ATOMS = (
    "joe.fake@example.com",
    "a@b.example.org",
    "x@y",
    "@",
    " ",
    "\n",
    "123-45-6789",
    "12",
    "-",
    "4111 1111 1111 1111",
    "5500-0000-0000-0004",
    "sk-fakefakefake1234",
    "-----BEGIN RSA PRIVATE KEY-----",
    "-----END RSA PRIVATE KEY-----",
    "ZmFrZQ==",
    "password=",
    "Token: ",
    "hunter2hunter2",
    ".",
    "é",
    "👩‍🚀",
    "the rest",
    "<EMAIL_1>",
)

# Each stands for a kind of pattern: looks around itself, a validator, priorities at one place, a
# long lazy body, ignored case, a word boundary.
SMALL = (
    Detector(
        "EMAIL",
        r"(?<![\w.+-])[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,4}[A-Za-z]{2,24}(?![\w-])",
    ),
    Detector("SSN", r"\b\d{3}-\d{2}-\d{4}\b"),
    Detector(
        "CARD",
        r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)",
        lambda text: sum(int(c) for c in text if c.isdigit()) % 2 == 0,
    ),
    Detector("NUMBER", r"\d{4} \d{4}"),
    Detector("KEY", r"sk-[A-Za-z0-9]{8,40}"),
    Detector(
        "PEM",
        r"-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----[\s\S]{1,2000}?"
        r"-----END [A-Z ]{0,32}PRIVATE KEY-----",
    ),
    Detector("SECRET", r"(?:password|token)\s{0,2}[=:]\s{0,2}[^\s,;]{6,40}", None, True),
)
MATCHER = Matcher.of(SMALL)
# They find nothing, but hold everything back as the others do.
NEVER = tuple(evolve(each, accept=lambda _: False) for each in SMALL)


def random_text(random: Random, atoms: tuple[str, ...] = ATOMS) -> str:
    return "".join(random.choice(atoms) for _ in range(random.randint(1, 9)))


def random_cuts(random: Random, text: str) -> list[int]:
    places = range(len(text) + 1)
    return sorted(random.sample(places, min(len(places), random.randint(1, 12))))


def pieces(text: str, cuts: list[int]) -> list[str]:
    """Cut a text at these places."""
    ends = [*cuts, len(text)]
    return [text[start:end] for start, end in zip([0, *cuts], ends, strict=True)]
