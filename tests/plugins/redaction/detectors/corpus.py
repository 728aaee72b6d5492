"""Texts with known values in them, put together as they are asked for."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

from tests.plugins.redaction.detectors.keys import KEYS, TOKENS
from tests.plugins.redaction.detectors.values import ALNUM, VALUES, pick

if TYPE_CHECKING:
    from collections.abc import Iterator

PER_FORM = 12


class Case(NamedTuple):
    """A text and what is to be found in it: start, end, entity."""

    text: str
    spans: tuple[tuple[int, int, str], ...]


_DIRECT = (
    "{}|Here it is: {}.|({})|see {}, please|\n{}\n|“{}”|- {}\n- next|<{}>|`{}`|value={} end|{}; ok"
)
TEMPLATES: tuple[str, ...] = tuple(_DIRECT.split("|"))

MAKERS = (*VALUES, *TOKENS, *((entity, maker, PER_FORM) for entity, maker in KEYS))

# Names and what they are given, which alone is found.
ASSIGNMENTS = (
    "password={}",
    'password: "{}',
    "passwd = '{}",
    'PASSWORD="{}',
    "pwd:{}",
    'api_key": "{}',
    "apikey={}",
    "API-Key: {}",
    "secret := {}",
    "secret_key = '{}",
    "access_key={}",
    "token: {}",
    "token={}",
    'private_key": "{}',
    "Bearer {}",
)


def _secrets(rng: random.Random) -> Iterator[Case]:
    for form in ASSIGNMENTS:
        for _ in range(PER_FORM):
            value = pick(rng, ALNUM, rng.choice([20, 32, 40]))
            before = rng.choice(["", "export DB_", "{'x_", "my ", "curl -H "])
            after = rng.choice(["", "\n", '"', "', 1)", " # note", "&page=2"])
            start = len(before) + form.index("{}")
            span = (start, start + len(value), "SECRET")
            yield Case(before + form.format(value) + after, (span,))
    for value in ("hunter2!X", "Tr0ub4dor&3", "c0rrect-h0rse!", "P@ssw0rd123"):
        yield Case(f"My password is {value} for now", ((15, 15 + len(value), "SECRET"),))


NOTHING = (
    "On 2024-01-15 at 10:30:45.123456 the build 2024.01.15.3 took 12:34:56 hours.",
    "2024-01-15T10:30:45Z 1705314645 1705314645123 1705314645.123456",
    "Chapter 3.14.15.9 of 1.2.3 and v1.2.3.4 and pi is 3.1415926535897932",
    "id 550e8400-e29b-41d4-a716-446655440000, sha 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
    "chatcmpl-9aBcDeFgHiJkLmNoPqRsTuVwXyZ01 and call_abc123DEF456ghi789JKL012",
    "4111111111111112 and 1234567812345678 and 5555 5555 5555 5555 are no cards",
    "GB82WEST12345698765433 and DE00370400440532013000 are no accounts",
    "000-12-3456, 666-12-3456, 900-12-3456, 123-00-4567, 123-45-0000",
    "localhost 127.0.0.1:8080, 0.0.0.0, mask 255.255.255.0, 256.1.1.1, 1.2.3",
    "std::vector<int> a; x[1::2]; x[::2]; 10:30; 12:34:56; a::b::c",
    "password: str, password=None, password = get_password(), password: ${DB_PASSWORD}",
    'api_key = os.environ["API_KEY_2"], token: string, "token": " the", max_tokens: 4096',
    "token=<your-token-1>, secret: {{ vault.secret_1 }}, api_key=YOUR_API_KEY, key=value",
    "The password is required. Passwords expire. A token is about four characters long.",
    "git@github.com:example/repo.git and user@localhost and @decorator and a @ b.com",
    "https://example.com:443/path?x=1 and https://example.com/a:b@c and http://host",
    "postgres://user:${PASSWORD}@db.example.com and https://user@example.com/x",
    "Prices: $1,234,567.89, 1 000 000, 10 000 000 EUR, 12.5 %, 3-4 days, 100 200",
    "scores 10 20 30 40 50; range 2019 2020; years 1999-2003; 15.06.2021; 06/15/2021",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
    "sk-learn, sk-based, sk_live_, ghp_short, AKIA, eyJ, xoxb-1, a risk-free task-force",
    "eyJhbGciOiJIUzI1NiJ9 alone is a header; abc.def.ghi is not; www.example.com/a.b.c",
    "tracking 1Z999AA10123456784, ISBN 978-3-16-148410-0, order 12-3456789, room 204",
    "logprob -0.4111111111111111, 0.000000123456789, 1e-10, 6.02214076e23",
    "00:00:00:00:00:00 and 12:34 and ratio 1:2:3:4:5",
    "matrix [[1, 2, 3], [4, 5, 6]] and 1-2-3-4-5-6-7-8 and 01-02-03",
    "width: 1920 1080, at 2560 1440 pixels, 3840x2160, 44100 48000 Hz",
)


def cases() -> tuple[Case, ...]:
    """Return all cases, the same each time."""
    rng = random.Random(20250117)
    made = []
    for entity, maker, count in MAKERS:
        for _ in range(count):
            before, _, after = rng.choice(TEMPLATES).partition("{}")
            value = maker(rng)
            # A name that comes with a value is not part of it.
            start = len(before) + value.rfind(" = ") + (3 if " = " in value else 1)
            span = (start, len(before) + len(value), entity)
            made.append(Case(before + value + after, (span,)))
    made.extend(_secrets(rng))
    made.extend(Case(text, ()) for text in NOTHING)
    return tuple(made)
