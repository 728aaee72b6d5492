"""Addresses and numbers, made up from what is set aside for examples."""

from __future__ import annotations

import random
import string

ALNUM = string.ascii_letters + string.digits
WORD = ALNUM + "_-"
BASE64 = ALNUM + "+/"
HEX = "0123456789abcdef"


def pick(rng: random.Random, alphabet: str, count: int) -> str:
    """Draw characters, at least one digit, one letter among them."""
    drawn = [rng.choice(alphabet) for _ in range(count)]
    if count > 8 and "7" in alphabet and "a" in alphabet:
        drawn[count // 2 : count // 2 + 2] = "7a"
    return "".join(drawn)


def _email(rng: random.Random) -> str:
    first, last = rng.choice(NAMES), rng.choice(NAMES)
    local = rng.choice(
        [
            f"{first}.{last}",
            f"{first}{rng.randrange(99)}",
            f"{first[0]}{last}+news",
            f"O'{last}",
            f"{first}_{last}",
            f"{first}-{last}",
            "jörg.müller",
            f"{first.upper()}",
        ],
    )
    domain = rng.choice(
        [
            "example.com",
            "mail.example.org",
            "example.co.test",
            "a.b.c.example.net",
            "EXAMPLE.COM",
            "bücher.example",
            "sub-domain.example.com",
        ],
    )
    return f"{local}@{domain}"


def _iban(rng: random.Random) -> str:
    country, form = rng.choice(list(ACCOUNTS.items()))
    body = "".join(
        pick(rng, {"n": string.digits, "a": string.ascii_uppercase}[kind], 1) for kind in form
    )
    remainder = int("".join(str(int(c, 36)) for c in f"{body}{country}00")) % 97
    account = f"{country}{98 - remainder:02}{body}"
    grouped = " ".join(account[i : i + 4] for i in range(0, len(account), 4))
    return rng.choice([account, grouped, account.lower(), grouped.replace(" ", "-")])


def _card(rng: random.Random) -> str:
    number = rng.choice(CARDS)
    cuts = (4, 10) if len(number) in {14, 15} else tuple(range(4, len(number), 4))
    pieces = [number[a:b] for a, b in zip((0, *cuts), (*cuts, len(number)), strict=True)]
    if len(number) == 13:
        return number
    return rng.choice([number, " ".join(pieces), "-".join(pieces)])


def _ssn(rng: random.Random) -> str:
    area = rng.choice([*range(1, 666), *range(667, 900)])
    joint = rng.choice("-- ")
    return f"{area:03}{joint}{rng.randrange(1, 100):02}{joint}{rng.randrange(1, 10000):04}"


def _ipv4(rng: random.Random) -> str:
    network = rng.choice(["192.0.2", "198.51.100", "203.0.113", "10.0.17", "192.168.1"])
    return f"{network}.{rng.randrange(256)}"


def _ipv6(rng: random.Random) -> str:
    group = [f"{rng.randrange(1, 65536):x}" for _ in range(6)]
    return rng.choice(
        [
            f"2001:db8:{':'.join(group)}",
            f"2001:db8::{group[0]}",
            f"2001:DB8:{group[0]}::{group[1]}:{group[2]}".upper(),
            f"fe80::{group[0]}:{group[1]}%eth0",
            f"::ffff:192.0.2.{rng.randrange(256)}",
            f"fd00:{group[0]}::1",
            "2001:db8::",
        ],
    )


def _mac(rng: random.Random) -> str:
    pairs = ["00", "53", *(f"{rng.randrange(256):02x}" for _ in range(4))]
    text = rng.choice([":".join(pairs), "-".join(pairs)])
    dotted = ".".join("".join(pairs[i : i + 2]) for i in (0, 2, 4))
    return rng.choice([text, text.upper(), dotted])


def _credentials(rng: random.Random) -> str:
    scheme = rng.choice(["https", "postgresql", "redis", "amqp", "mongodb+srv", "ftp", "socks5"])
    user = rng.choice(["app", "", "svc-reader", "oauth2"])
    password = rng.choice([pick(rng, ALNUM, 12), pick(rng, ALNUM, 5) + "@" + pick(rng, ALNUM, 4)])
    host = rng.choice(["db.example.com", "203.0.113.9:5432", "cache.test:6379"])
    return f"{scheme}://{user}:{password}@{host}"


NAMES = ("alice", "bob", "carol", "dmitri", "erin", "faythe", "grace", "heidi", "ivan", "judy")

# Published by payment processors for testing.
CARDS = (  # noqa: SIM905
    "4111111111111111 4242424242424242 4012888888881881 4222222222222 5555555555554444 "
    "5105105105105100 2223003122003222 378282246310005 371449635398431 6011111111111117 "
    "6011000990139424 30569309025904 38520000023237 3530111333300000 3566002020360505 "
    "6200000000000005 4000056655665556 5200828282828210 6759649826438453"
).split()

ACCOUNTS = {
    "GB": "aaaa" + "n" * 14,
    "DE": "n" * 18,
    "FR": "n" * 23,
    "NL": "aaaa" + "n" * 10,
    "NO": "n" * 11,
    "BE": "n" * 12,
    "ES": "n" * 20,
    "IT": "a" + "n" * 22,
    "PL": "n" * 24,
    "CH": "n" * 17,
    "MT": "aaaa" + "n" * 23,
    "AT": "n" * 16,
    "SE": "n" * 20,
    "UA": "n" * 25,
}

PHONES = (
    "+1-202-555-01##x45",
    "+1 (202) 555-01##",
    "+1 202 555 01##",
    "+120255501##",
    "(202) 555-01##",
    "(202)555-01## ext 12",
    "202-555-01##",
    "202.555.01##",
    "20255501##",
    "1-800-555-01##",
    "001-202-555-01##",
    "555-01##",
    "+44 20 7946 0###",
    "+44 (0)20 7946 0###",
    "+447700900###",
    "+44 7700 900###",
    "020 7946 0###",
    "07700 900###",
    "07700 900 ###",
    "07700900###",
    "06399801##",
    "01579990####",
    "(020) 7946 0###",
    "+33 1 99 00 ## ##",
    "01 99 00 ## ##",
    "01.99.00.##.##",
    "+33 (0)6 39 98 ## ##",
    "+49 30 23125 ###",
    "030 23125 ###",
    "030/23125###",
    "+49 (0)171 39200 ##",
    "0171-39200##",
    "+31 20 555 01##",
    "020-55501##",
    "+61 2 5550 ####",
    "(02) 5550 ####",
    "0491 570 1##",
    "+46 (0)8 465 004 ##",
    "08-465 004 ##",
    "+34 600 000 1##",
    "+48 22 555 01 ##",
    "+358 40 555 01##",
    "+41 44 555 01 ##",
    "044 555 01 ##",
    "+39 06 5550 1###",
    "+91 98765 43###",
    "+86 138 0013 8###",
    "+81 3-5555-01##",
    "03-5555-01##",
    "+55 11 95555-01##",
    "(11) 5555-01##",
    "+353 1 555 01##",
    "+27 82 555 01##",
    "082 555 01##",
    "+90 212 555 01 ##",
    "0212 555 01 ##",
)


def _phone(rng: random.Random) -> str:
    form = rng.choice(PHONES)
    return "".join(rng.choice("2346789") if c == "#" else c for c in form)


VALUES = (
    ("EMAIL", _email, 120),
    ("PHONE", _phone, 400),
    ("IBAN", _iban, 160),
    ("CREDIT_CARD", _card, 160),
    ("US_SSN", _ssn, 80),
    ("IPV4", _ipv4, 80),
    ("IPV6", _ipv6, 100),
    ("MAC", _mac, 60),
    ("URL_CREDENTIALS", _credentials, 80),
)
"""Entities, what makes them up, and how many of each."""
