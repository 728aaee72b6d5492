from __future__ import annotations

import re
from random import Random

import pytest

from orq_plugins.redaction import DEFAULT
from orq_plugins.redaction._regex import parse, width
from orq_plugins.redaction.closure import context
from orq_plugins.redaction.matcher import Matcher
from tests.benchmarks.detection import corpus, score
from tests.plugins.redaction.detectors.corpus import cases
from tests.plugins.redaction.detectors.keys import KEYS

MATCHER = Matcher.of(DEFAULT)

ALLOWED = {
    "LITERAL",
    "NOT_LITERAL",
    "ANY",
    "IN",
    "BRANCH",
    "SUBPATTERN",
    "MAX_REPEAT",
    "MIN_REPEAT",
    "ASSERT",
    "ASSERT_NOT",
}

ENTITIES = (
    "EMAIL PHONE IBAN CREDIT_CARD US_SSN IPV4 IPV6 MAC URL_CREDENTIALS PRIVATE_KEY JWT AWS_KEY "
    "GOOGLE_KEY AZURE_KEY GITHUB_TOKEN GITLAB_TOKEN SLACK_TOKEN STRIPE_KEY OPENAI_KEY "
    "ANTHROPIC_KEY ORQ_KEY SECRET"
)

# «» stand around what is found.
FOUND = [
    ("EMAIL", "write to «bob.b+x@mail.example.com», please"),
    ("EMAIL", "'«o'neil@example.com»' or <«BOB@EXAMPLE.ORG»>."),
    ("EMAIL", "mailto:«jörg@bücher.example»?x - «a@b.test»_1"),
    ("PHONE", "«+1 (202) 555-0143» or «+442079460018»;«+49 (0)30 23125 000»"),
    ("PHONE", "(202) 555-0143x7 is «202.555.0143», not 202.555.0143.9"),
    ("PHONE", "«07700 900123», «01 99 00 12 34» and «555-0143»"),
    ("PHONE", "«0639980123», «07700900123» or «015799901234»."),
    ("PHONE", "call «0044 20 7946 0018» or «001-202-555-0143»"),
    ("IBAN", "«GB82 WEST 1234 5698 7654 32» then, «de89370400440532013000»."),
    ("IBAN", "«NO93-8601-1117-947», «MT84MALT011000012345MTLCAST001S»"),
    ("CREDIT_CARD", "«4111 1111 1111 1111» 123 and «378282246310005»"),
    ("CREDIT_CARD", "x=«5555-5555-5555-4444». «3782-822463-10005»"),
    ("US_SSN", "«123-45-6789», «123 45 6789»."),
    ("IPV4", "from «192.0.2.17»:8080, http://«203.0.113.9»/x, «10.0.0.1»."),
    ("IPV6", "[«2001:db8::8a2e:370:7334»]:443 and «2001:db8:0:1:1:1:1:1»: ok"),
    ("IPV6", "«fe80::1%eth0», «::ffff:192.0.2.1», «2001:DB8::»/32"),
    ("MAC", "«00:53:00:aa:bb:cc» «00-53-00-AA-BB-CC» «0053.00aa.bbcc»."),
    ("URL_CREDENTIALS", "at «postgres://app:p@ss@db.example.com:5432»/x"),
    ("URL_CREDENTIALS", "«redis://:fakefake@cache.test»/0"),
    ("SECRET", "DB_PASSWORD=«hunter2!X» # x"),
    ("SECRET", '{"password": "«hunter2!X»", "user": 1}'),
    ("SECRET", '{"apiKey": "«f4k3a1b2c3d4e5z6»"}'),
    ("SECRET", "?token=«f4k3abc9Def7ghi1»&page=2"),
    ("SECRET", "Authorization: Bearer «f4k3abc9Def7ghi1jk»"),
    ("SECRET", "my password is «Tr0ub4dor&3» ok"),
]

LEFT_ALONE = [
    "a@b, @decorator, a @ b.com, git@github.com:example/x, user@localhost, x@1.2.3",
    "2024-01-15 10:30:45.123456, 15-06-2021, 1705314645, 1705314645123, 12:34:56, 2019 2020",
    "01 02 03 04 05",
    "0912345678 061234567 06123456789 x0639980123 0.0639980123 0666666666",
    "1 000 000, 10 000 000 000, 1,234,567.89, 2147483647, 2560 1440, 512 1024, 12-3456789",
    "4111 1111 1111 1112, 5555555555555555, 0.4111111111111111, x4111111111111111",
    "GB82WEST12345698765433 XX89370400440532013000 DE8937040044053201300",
    "000-12-3456 666-12-3456 900-12-3456 123-00-4567 123-45-0000 1-123-45-6789",
    "127.0.0.1 0.0.0.0 255.255.255.0 256.1.1.1 1.2.3 v1.2.3.4 1.2.3.4.5",
    "std::vector x[1::2] x[::2] :: ::1 a::b 12:34:56 00:00:00:00:00:00 1:2:3:4:5:6:7",
    "https://example.com:443/a?b=c@d http://u@localhost/ https://u:${PASSWORD}@h/",
    "password: bytes)",
    "password: str, password=None, password = get_password(user), password: ${DB_PASSWORD}",
    'api_key=os.environ["KEY_1"], token="string", "token": " the", max_tokens: 4096, secret=***',
    "token=<your-token-1> secret: {{ vault.x_1 }} api_key=YOUR_API_KEY_HERE token: abcdefghijklmno",
    "The password is required; a token is about four characters. Basic understanding, bearer bonds",
    "sk-learn sk_live_ ghp_short AKIA eyJ xoxb-1 glpat- AIzaShort risk-free task-force-one",
    "eyJhbGciOiJIUzI1NiJ9, eyJub3QgaGVhZGVyIn0.eyJub3QgaGVhZGVyIn0.x, abc.def.ghi",
    "-----BEGIN CERTIFICATE-----\nZmFrZQ==\n-----END CERTIFICATE-----",
    "-----BEGIN PRIVATE KEY----- is how they begin",
    "550e8400-e29b-41d4-a716-446655440000 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
]


def marked(text: str, entity: str | None = None) -> str:
    out, at = [], 0
    for match in MATCHER.all(text):
        assert entity in {None, match.entity}, match
        out += [text[at : match.start], "«", text[match.start : match.end], "»"]
        at = match.end
    return "".join(out) + text[at:]


@pytest.mark.parametrize(("entity", "text"), FOUND)
def test_found(entity, text):
    text = text.replace("(202) 555-0143x7", "«(202) 555-0143x7»")
    assert marked(text.replace("«", "").replace("»", ""), entity) == text


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_left_alone(text):
    assert marked(text) == text


@pytest.mark.parametrize("case", [c for c in cases() if c.spans and c.spans[0][2] in dict(KEYS)])
def test_keys_are_found_whole_and_by_their_vendor(case):
    assert [(m.start, m.end, m.entity) for m in MATCHER.all(case.text)] == list(case.spans)


@pytest.mark.parametrize(("entity", "make"), KEYS)
def test_vendors_know_their_keys_when_they_are_assigned(entity, make):
    key = make(Random(1))
    found = MATCHER.all(f'export API_KEY="{key}"\n')
    assert [match.entity for match in found] == [entity]


def test_precision_and_recall_on_the_corpus():
    result = score(corpus())
    for entity, wanted in result.wanted.items():
        assert result.masked[entity] / wanted >= 0.99, (entity, result.missed)
        assert result.right[entity] / result.found[entity] >= 0.97, (entity, result.wrong)


def test_each_entity_is_there():
    assert {each.entity for each in DEFAULT} == set(ENTITIES.split())


@pytest.mark.parametrize("detector", DEFAULT, ids=lambda each: each.entity)
def test_patterns_can_be_followed_through_a_stream(detector):
    re.compile(detector.pattern)
    for name, low, high in _operations(parse(detector.pattern)):
        assert name in ALLOWED
        assert low <= high < 20000
    assert width(detector.pattern) < 32768
    before, after = context(detector.pattern)
    assert before <= 4
    assert after <= 16


def _operations(nodes):
    for operation, value in nodes:
        name = str(operation)
        low, high, bodies = 0, 0, []
        if name in {"MAX_REPEAT", "MIN_REPEAT"}:
            low, high, bodies = value[0], int(value[1]), [value[2]]
        elif name == "BRANCH":
            bodies = value[1]
        elif name == "SUBPATTERN":
            bodies = [value[3]]
        elif name in {"ASSERT", "ASSERT_NOT"}:
            bodies = [value[1]]
        yield name, low, high
        for body in bodies:
            yield from _operations(body)
