from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orq_core._sse import Decoder
from orq_core.errors._body import NO_REASON, ErrorBody, describe, one_line
from orq_core.errors._from_status import status_error
from tests.shared import SHARED, needs_shared


def recorded(folder: str, pattern: str):
    return sorted((SHARED / folder).glob(pattern)) if SHARED.exists() else []


def refusals():
    for path in recorded("traffic/exchanges", "*.json"):
        answer = json.loads(path.read_text("utf-8"))["response"]
        if answer["status"] >= 400:
            yield pytest.param(answer, id=path.stem)


@needs_shared
@pytest.mark.parametrize("answer", list(refusals()))
def test_every_recorded_refusal_is_readable(answer):
    error = status_error(answer["status"], answer["headers"], answer["body"].encode())
    said = str(error).partition(": ")[2]
    assert len(said) > 8
    assert not said.startswith(("{", "["))
    assert len(str(error)) <= 500
    assert str(error).isprintable()
    inner = error.body.get("error")
    if isinstance(inner, dict) and inner.get("code") is not None and "metadata" not in inner:
        assert error.code == inner["code"]
    if isinstance(inner, dict) and "message" in inner and "metadata" not in inner:
        assert said[:400] == " ".join(inner["message"].split())[:400]


@needs_shared
@pytest.mark.parametrize(
    ("name", "message", "code"),
    [
        ("err_400_guardrail", "guardrail check failed: 01M2K9", "guardrail_error"),
        ("err_401_docs", "The key is invalid.", "invalid_api_key"),
        ("err_401_flat", "Token invalid.", "authentication_required"),
        ("err_401_string", "API key for openai is not configured in the workspace.", 401),
        ("err_403_grpc", "not authorized for this endpoint", 7),
        ("err_404_legacy", "Deployment with key 'x' was not found.", 404),
        (
            "err_429_budget",
            "Rate limit exceeded. Maximum requests allowed per minute.",
            "requests_per_minute_exceeded",
        ),
        ("err_500_hono", "Internal error", None),
    ],
)
def test_every_example_of_the_contract_is_read(name, message, code):
    body = json.loads((SHARED / "contract" / "examples" / f"{name}.json").read_text("utf-8"))
    told = describe(body)
    assert (told.message, told.code) == (message, code)


@needs_shared
def test_no_example_of_the_contract_is_left_out():
    assert len(recorded("contract/examples", "err_*.json")) == 8


@needs_shared
def test_every_documented_shape_is_read():
    documented = json.loads((SHARED / "contract" / "documented_errors.json").read_text("utf-8"))
    for shape in documented["shapes"]:
        body = shape.get("body")
        if body is not None:
            told = describe(body)
            assert told.message != NO_REASON, shape["name"]
            inner = body["error"] if isinstance(body.get("error"), dict) else body
            assert told.code == inner["code"]


@needs_shared
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "gpustack-stream-midstream-error-0cc39f",
            ErrorBody(
                "failed to decode, try again, increasing context size or reducing parallel",
            ),
        ),
        ("groq-stream-midstream-error-25e988", None),
        ("groq-stream-midstream-error-952e74", None),
        (
            "openrouter-stream-midstream-error-baafd4",
            ErrorBody("Token limit reached", code=400, status=400),
        ),
        ("azure-json-error-in-200-cb8150", None),
    ],
)
def test_errors_inside_a_200_are_read(name, expected):
    path = SHARED / "traffic" / "exchanges" / f"{name}.json"
    answer = json.loads(path.read_text("utf-8"))["response"]["body"].encode()
    told = list(carried(answer))
    assert told
    for each in told:
        assert each.message != NO_REASON
        assert expected is None or each == expected


def carried(answer: bytes):
    if answer.lstrip().startswith(b"{"):
        yield describe(json.loads(answer))
    for event in Decoder().feed(answer):
        if event.data is None:
            yield describe(event.fields["error"])
        elif event.event == "error" or b'"error":{' in event.data:
            yield describe(event.data)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"detail": "Not Found"}, ErrorBody("Not Found")),
        ({"detail": {"message": "no", "code": "c"}}, ErrorBody("no", code="c")),
        (
            {
                "detail": [
                    {"loc": ["body", "messages", 2, "content"], "msg": "none", "type": "t"},
                    {"loc": ["query", 1], "msg": "odd", "input": "private"},
                ],
            },
            ErrorBody(
                "messages[2].content: none; query[1]: odd",
                type="t",
                param="messages[2].content",
            ),
        ),
        (
            [{"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}}],
            ErrorBody("no", code=400, type="INVALID_ARGUMENT", status=400),
        ),
        ([1, "a", {"message": "b"}], ErrorBody("a; b")),
        ({"errors": [{"title": "no", "code": "c"}]}, ErrorBody("no", code="c")),
        ({"error": "no such model"}, ErrorBody("no such model")),
        (
            {"error": "Bad Request", "message": ["a", "b"], "statusCode": 400},
            ErrorBody("a; b", status=400),
        ),
        (
            {"error": "invalid_client", "error_description": "unknown"},
            ErrorBody("unknown", code="invalid_client"),
        ),
        ({"error": '{"message": "no", "code": 5}'}, ErrorBody("no", code=5)),
        ({"message": '{"error": {"message": "no"}}'}, ErrorBody("no")),
        ({"message": "{not json"}, ErrorBody("{not json")),
        ({"message": "[]"}, ErrorBody("[]")),
        ({"error": {"code": "401"}}, ErrorBody(code="401", status=401)),
        ({"code": True, "type": 1, "param": [], "message": 7}, ErrorBody()),
        (
            {"type": "error", "error": {"type": "busy", "message": "no"}, "request_id": "r"},
            ErrorBody("no", type="busy", request_id="r"),
        ),
        (
            {"error": {"message": "Provider error", "code": 400, "metadata": {"raw": "no"}}},
            ErrorBody("no", code=400, status=400),
        ),
        (
            {
                "error": {
                    "message": "Provider error",
                    "code": 400,
                    "metadata": {
                        "raw": '{"error": {"message": "no", "code": "c", "param": "p"}}',
                        "provider_name": "Made Up",
                    },
                },
            },
            ErrorBody("Provider error (Made Up): no", code="c", param="p", status=400),
        ),
        ({"message": "a", "metadata": {"raw": None}}, ErrorBody("a")),
        ({"message": "a", "metadata": "b"}, ErrorBody("a")),
        ('data: {"error": {"message": "no"}}\n\ndata: [DONE]\n\n', ErrorBody("no")),
        ("event: error", ErrorBody()),
        ("<?xml version='1.0'?><HTML><body>x", ErrorBody()),
        ("<Error><Code>no</Code></Error>", ErrorBody("<Error><Code>no</Code></Error>")),
        (bytearray(b"\xffplain"), ErrorBody("\ufffdplain")),
        (None, ErrorBody()),
        (5, ErrorBody()),
        ({}, ErrorBody()),
    ],
)
def test_shapes(body, expected):
    assert describe(body) == expected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "error",
                    "errors",
                    "message",
                    "detail",
                    "metadata",
                    "raw",
                    "loc",
                    "code",
                    "status",
                ],
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(json_values)
def test_anything_gives_a_short_printable_line(body):
    told = describe(body)
    assert 0 < len(told.message) <= 500
    assert told.message.isprintable()


def test_nesting_without_end_is_given_up():
    body: dict[str, object] = {"message": "deep"}
    for _ in range(500):
        body = {"error": body}
    assert describe(body).message == NO_REASON


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\r\n\tb\x00c\u2028d", "a b c d"),
        ("x" * 9, "xxxxxxxxx"),
        ("x" * 11, "xxxxxxxxx…"),
        (" " * 60 + "x", "…"),
        ("\ud800", ""),
    ],
)
def test_one_line(text, line):
    assert one_line(text, 10) == line
