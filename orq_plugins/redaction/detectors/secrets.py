"""Private keys, tokens, and keys whose vendors gave them a shape of their own."""

from __future__ import annotations

import base64
import binascii
import json

from orq_plugins.redaction.detectors.detector import Detector

_WORD = r"(?<![A-Za-z0-9_-])"
_END = r"(?![A-Za-z0-9_-])"

_LABEL = "[A-Z0-9 ]{0,32}PRIVATE KEY(?: BLOCK)?-----"
_BREAK = r"(?:\s|\\[nr])"
# The second form is a key that was cut off: lines of base64 that nothing ends.
_BODIES = (
    rf"(?:[^-]{{1,1024}}-){{0,6}}[^-]{{1,16384}}-----END {_LABEL}",
    rf"{_BREAK}{{1,4}}(?:[A-Za-z0-9+/=]{{16,128}}{_BREAK}{{1,4}}){{0,120}}[A-Za-z0-9+/=]{{16,128}}",
)
PRIVATE_KEYS = tuple(Detector("PRIVATE_KEY", f"-----BEGIN {_LABEL}{body}") for body in _BODIES)


def _has_header(text: str) -> bool:
    header = text.partition(".")[0]
    try:
        decoded = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    except (binascii.Error, ValueError):
        return False
    return isinstance(decoded, dict) and "alg" in decoded


_PART = "[A-Za-z0-9_-]"
JWT = Detector(
    "JWT",
    rf"{_WORD}eyJ{_PART}{{10,2048}}\.(?:{_PART}{{1,4096}}\.{_PART}{{16,1024}}\.{_PART}{{1,4096}}"
    rf"\.{_PART}{{16,128}}|{_PART}{{2,8192}}\.{_PART}{{0,1024}})",
    _has_header,
)
"""Signed and encrypted tokens (RFC 7515, RFC 7516, compact form)."""


def _key(entity: str, *forms: str) -> Detector:
    return Detector(entity, f"{_WORD}(?:{'|'.join(forms)})")


def _has_digit(text: str) -> bool:
    return any(map(str.isdigit, text))


_AWS_NAME = r"aws_?secret_?(?:access_?)?key[\"'`]{0,2}[ \t]{0,4}(?:=>|=|:)[ \t]{0,4}[\"'`]?"

VENDORS = (
    _key("ANTHROPIC_KEY", r"sk-ant-[a-z0-9]{2,12}-[A-Za-z0-9_-]{20,200}"),
    _key("ORQ_KEY", r"sk-orq-[A-Za-z0-9_-]{16,250}"),
    _key(
        "OPENAI_KEY",
        r"sk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{20,250}",
        r"sk-[A-Za-z0-9-]{0,40}[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20,80}",
        rf"sk-(?:[a-f0-9]{{32}}|[A-Za-z0-9]{{48}}){_END}",
        r"sess-[A-Za-z0-9]{40}",
    ),
    _key(
        "GITHUB_TOKEN",
        r"gh[pousr]_[A-Za-z0-9_]{36,255}(?:\.[A-Za-z0-9_-]{20,512}){0,2}",
        r"github_pat_[A-Za-z0-9_]{36,255}",
    ),
    _key(
        "GITLAB_TOKEN",
        r"gl(?:pat|ptt|dt|rtr?|cbt|ft|imt|agent|oas|soat|ffct|wt)-[A-Za-z0-9_-]{16,300}"
        r"(?:\.[0-9a-z]{2}\.?[0-9a-z]{7,9})?",
        r"GR1348941[A-Za-z0-9_-]{20}",
    ),
    _key(
        "SLACK_TOKEN",
        r"xox[abceoprs](?:\.xox[bp])?-[A-Za-z0-9-]{10,250}",
        r"(?:xapp|xwfp)-[A-Za-z0-9-]{20,250}",
        r"https://hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/_-]{20,120}",
    ),
    _key(
        "STRIPE_KEY",
        r"[sr]k_(?:live|test|prod)_[A-Za-z0-9]{10,250}",
        r"whsec_[A-Za-z0-9+/=]{24,90}",
    ),
    _key(
        "AWS_KEY",
        r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}(?![A-Za-z0-9])",
        r"ABSK[A-Za-z0-9+/]{109,269}={0,2}",
        r"bedrock-api-key-[A-Za-z0-9+/=_-]{20,400}",
    ),
    Detector(
        "AWS_KEY",
        rf"{_AWS_NAME}[A-Za-z0-9/+]{{40}}(?![A-Za-z0-9/+=])",
        ignore_case=True,
        head=_AWS_NAME,
    ),
    _key(
        "GOOGLE_KEY",
        rf"AIza[A-Za-z0-9_-]{{35}}{_END}",
        rf"GOCSPX-[A-Za-z0-9_-]{{28}}{_END}",
        r"AQ\.Ab[A-Za-z0-9_-]{30,120}",
        r"ya29\.[A-Za-z0-9_-]{20,400}",
    ),
    Detector(
        "AZURE_KEY",
        r"(?<![A-Za-z0-9+/])(?:(?:AccountKey|SharedAccessKey)=[A-Za-z0-9+/]{43,86}={1,2}"
        r"|[A-Za-z0-9+/]{76}\+ASt[A-Za-z0-9+/]{6}=="
        r"|[A-Za-z0-9]{52}JQQJ9[A-Za-z0-9]{27}(?![A-Za-z0-9])"
        r"|[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}(?![A-Za-z0-9])"
        r"|sig=[A-Za-z0-9%+/]{43,63}(?:=|%3D))",
    ),
    Detector(
        "AZURE_KEY",
        r"(?<![\w~.-])[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}(?![\w~-])",
        _has_digit,
    ),
    # Vendors whose keys are known by their beginnings and go under no name of their own.
    _key(
        "SECRET",
        r"sk-or-v1-[a-f0-9]{64}",
        r"(?:hf|gsk|fw|key|pplx|npm|xai|r8|csk|nvapi|tgp_v1|dop_v1|shpat|lin_api|rpa)[_-][A-Za-z0-9_-]{30,120}",
        r"SG\.[A-Za-z0-9_-]{20,24}\.[A-Za-z0-9_-]{39,50}",
        r"pypi-AgE[A-Za-z0-9_-]{50,250}",
        r"AGE-SECRET-KEY-1[A-Z0-9]{58}",
    ),
)
