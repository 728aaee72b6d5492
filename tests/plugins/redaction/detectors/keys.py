"""Keys of random characters, joined to their beginnings only here, so that no scanner takes this
file for a leak.
"""

from __future__ import annotations

import base64
import json
import random
import string
from typing import TYPE_CHECKING

from tests.plugins.redaction.detectors.values import ALNUM, BASE64, HEX, WORD, pick

if TYPE_CHECKING:
    from collections.abc import Callable


def of(prefix: str, alphabet: str, count: int, suffix: str = "") -> Callable[[random.Random], str]:
    """Return a maker of keys of one shape."""
    return lambda rng: prefix + pick(rng, alphabet, count) + suffix


def _pem(rng: random.Random) -> str:
    kind = rng.choice(["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED ", "DSA "])
    size = rng.choice([160, 900, 3200])
    body = pick(rng, BASE64, size)
    header = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,0A0B\n\n" if kind == "RSA " else ""
    lines = "\n".join(body[i : i + 64] for i in range(0, size, 64))
    label = f"{kind}PRIVATE KEY" + "-----"
    text = f"-----BEGIN {label}\n{header}{lines}\n-----END {label}"
    return text if rng.random() < 0.7 or header else text.replace("\n", "\\n")


def _cut_pem(rng: random.Random) -> str:
    lines = "\n".join(pick(rng, BASE64, 64) for _ in range(9))
    return f"-----BEGIN PRIVATE KEY{'-----'}\n{lines}"


def _encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _jwt(rng: random.Random) -> str:
    header = _encoded({"alg": rng.choice(["HS256", "RS256"]), "typ": "JWT"})
    claims = _encoded({"sub": pick(rng, string.digits, 10), "name": "Example Person"})
    if rng.random() < 0.2:
        header = _encoded({"alg": "RSA-OAEP", "enc": "A256GCM"})
        parts = [pick(rng, WORD, size) for size in (342, 16, 90, 22)]
        return ".".join((header, *parts))
    return f"{header}.{claims}.{pick(rng, WORD, rng.choice([43, 342]))}"


KEYS: tuple[tuple[str, Callable[[random.Random], str]], ...] = (
    ("AWS_KEY", of("AK" + "IA", string.ascii_uppercase + "234567", 16)),
    ("AWS_KEY", of("AS" + "IA", string.ascii_uppercase + "234567", 16)),
    ("AWS_KEY", of("aws_secret_access_key" + " = ", ALNUM, 40)),
    ("AWS_KEY", of("AB" + "SK", ALNUM, 132)),
    ("GOOGLE_KEY", of("AI" + "za", WORD, 34, "0")),
    ("GOOGLE_KEY", of("GOC" + "SPX-", WORD, 27, "0")),
    ("GOOGLE_KEY", of("ya" + "29.", WORD, 120, "0")),
    ("AZURE_KEY", of("Account" + "Key=", BASE64, 86, "==")),
    ("AZURE_KEY", of("Shared" + "AccessKey=", BASE64, 43, "=")),
    ("AZURE_KEY", lambda rng: pick(rng, ALNUM, 3) + "8" + "Q~" + pick(rng, ALNUM, 34)),
    ("AZURE_KEY", lambda rng: pick(rng, ALNUM, 52) + "JQQ" + "J99" + pick(rng, ALNUM, 26)),
    ("AZURE_KEY", lambda rng: pick(rng, ALNUM, 76) + "AZ" + "DO" + pick(rng, ALNUM, 4)),
    ("GITHUB_TOKEN", of("gh" + "p_", ALNUM, 36)),
    ("GITHUB_TOKEN", of("gh" + "s_", ALNUM, 36)),
    ("GITHUB_TOKEN", of("gh" + "o_", ALNUM, 36)),
    ("GITHUB_TOKEN", of("github" + "_pat_", ALNUM + "_", 82)),
    ("GITLAB_TOKEN", of("gl" + "pat-", WORD, 20)),
    ("GITLAB_TOKEN", of("gl" + "pat-", ALNUM, 44, ".01.0a1b2c3d4")),
    ("GITLAB_TOKEN", of("gl" + "rt-", WORD, 20)),
    ("SLACK_TOKEN", of("xo" + "xb-1234567890123-1234567890123-", ALNUM, 24)),
    ("SLACK_TOKEN", of("xo" + "xp-123456789012-123456789012-", HEX, 32)),
    ("SLACK_TOKEN", of("xa" + "pp-1-A0EXAMPLE0-1234567890123-", HEX, 64)),
    ("SLACK_TOKEN", of("https://hooks." + "slack.com/services/T0EXAMPLE/B0EXAMPLE/", ALNUM, 24)),
    ("STRIPE_KEY", of("sk_" + "live_", ALNUM, 24)),
    ("STRIPE_KEY", of("sk_" + "test_", ALNUM, 99)),
    ("STRIPE_KEY", of("rk_" + "live_", ALNUM, 24)),
    ("STRIPE_KEY", of("wh" + "sec_", ALNUM, 32)),
    ("OPENAI_KEY", of("sk" + "-proj-", WORD, 155, "A")),
    ("OPENAI_KEY", of("sk" + "-svcacct-", WORD, 155, "A")),
    ("OPENAI_KEY", of("sk" + "-", ALNUM, 48)),
    ("OPENAI_KEY", lambda rng: f"sk-{pick(rng, ALNUM, 20)}T3Blbk{'FJ'}{pick(rng, ALNUM, 20)}"),
    ("ANTHROPIC_KEY", of("sk" + "-ant-api03-", WORD, 93, "AA")),
    ("ANTHROPIC_KEY", of("sk" + "-ant-admin01-", WORD, 93, "AA")),
    ("ORQ_KEY", lambda rng: f"sk-{'orq'}-{pick(rng, ALNUM, 12)}-{pick(rng, ALNUM, 43)}"),
    ("SECRET", of("hf" + "_", ALNUM, 34)),
    ("SECRET", of("gs" + "k_", ALNUM, 52)),
    ("SECRET", of("sk" + "-or-v1-", HEX, 64)),
)

TOKENS = (("PRIVATE_KEY", _pem, 40), ("PRIVATE_KEY", _cut_pem, 10), ("JWT", _jwt, 60))
"""Entities, what makes them up, and how many of each."""
