from __future__ import annotations

import copy
import pickle
import time
from email.utils import formatdate

import pytest

from orq_core import errors
from orq_core.call import Attempt, CallInfo
from orq_core.errors._from_status import retry_after, status_error
from orq_core.models import ChatCompletion

KEY = "sk-made-up-0123456789"
ATTEMPTS = (Attempt(1, 0.5, status=503, request_id="req-1"), Attempt(2, 0.25, error="ConnectError"))
KNOWN = {"request_id": "req-1", "trace_id": "trace-1", "attempts": ATTEMPTS}
TOLD = {"code": "made_up", "type": "invalid", "param": "model", "body": {"error": {"n": 1}}}

EXAMPLES = [
    errors.OrqError("m", **KNOWN),
    errors.ConfigurationError("m", **KNOWN),
    errors.RequestError("m", path="messages[2].content", **KNOWN),
    errors.APIConnectionError("m", **KNOWN),
    errors.ConnectError("m", **KNOWN),
    errors.APITimeoutError("m", kind="idle", seconds=2.5, **KNOWN),
    *(
        kind(
            "m",
            status_code=400,
            headers={"x-made-up": "1"},
            retry_after=1.5,
            **TOLD,
            **KNOWN,
        )
        for kind in [errors.APIStatusError, *errors.APIStatusError.__subclasses__()]
    ),
    errors.StreamError("m", delivered=3, **KNOWN),
    errors.StreamInterruptedError("m", delivered=3, **KNOWN),
    errors.StreamTruncatedError("m", delivered=3, **KNOWN),
    errors.APIStreamError("m", status_code=429, delivered=3, **TOLD, **KNOWN),
    errors.ResponseDecodeError("m", status_code=200, headers={"a": "b"}, body=b"<", **KNOWN),
    errors.PluginError("m", plugin="made-up", **KNOWN),
    errors.SuspendedError("m", plugin="made-up", **KNOWN),
]


def tree(kind: type) -> set[type]:
    return {kind}.union(*map(tree, kind.__subclasses__()))


def test_the_examples_are_all_there_is():
    own = {kind for kind in tree(errors.OrqError) if kind.__module__ == "orq_core.errors"}
    assert {type(error) for error in EXAMPLES} == own


def test_the_documentation_draws_every_error():
    assert errors.__doc__ is not None
    for error in EXAMPLES:
        assert type(error).__name__ in errors.__doc__


@pytest.mark.parametrize(
    "again",
    [
        *(
            pytest.param(lambda e, p=p: pickle.loads(pickle.dumps(e, p)), id=f"pickle{p}")
            for p in range(pickle.HIGHEST_PROTOCOL + 1)
        ),
        copy.copy,
        copy.deepcopy,
    ],
)
@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_copies_and_pickles_keep_everything_but_the_cause(error, again):
    error.__cause__ = OSError("backend")
    back = again(error)
    assert type(back) is type(error)
    assert str(back) == "m"
    assert repr(back) == repr(error) == f"{type(error).__name__}('m')"
    assert vars(back) == vars(error)
    assert back.__cause__ is None


def test_a_stream_error_takes_its_partial_answer_along():
    partial = ChatCompletion(id="made-up", choices=[])
    partial.info = CallInfo(status=200)
    error = errors.StreamTruncatedError("m", partial=partial, delivered=1)
    back = pickle.loads(pickle.dumps(error))
    assert back.partial == partial
    assert back.partial.info.status == 200


def test_a_subclass_with_a_constructor_of_its_own_can_be_pickled():
    back = pickle.loads(pickle.dumps(Strict(1, 2)))
    assert (str(back), back.left, back.right) == ("1 2", 1, 2)


class Strict(errors.PluginError):
    def __init__(self, left, right):
        super().__init__(f"{left} {right}")
        self.left, self.right = left, right


def test_attributes_are_there_without_being_given():
    error = errors.OrqError()
    assert (str(error), error.request_id, error.trace_id, error.attempts) == ("", None, None, ())


def test_a_timeout_is_a_builtin_timeout():
    assert isinstance(errors.APITimeoutError("m", kind="total"), TimeoutError)


def test_the_body_of_an_undecodable_answer_is_kept_whole_and_not_shown():
    error = errors.ResponseDecodeError("not JSON", body=b"private" * 20_000)
    assert error.body == b"private" * 20_000
    assert "private" not in str(error) + repr(error)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.BadRequestError),
        (401, errors.AuthenticationError),
        (402, errors.APIStatusError),
        (403, errors.PermissionDeniedError),
        (404, errors.NotFoundError),
        (408, errors.APIStatusError),
        (409, errors.ConflictError),
        (422, errors.UnprocessableEntityError),
        (429, errors.RateLimitError),
        (500, errors.InternalServerError),
        (503, errors.InternalServerError),
        (529, errors.InternalServerError),
        (777, errors.InternalServerError),
        (304, errors.APIStatusError),
        (100, errors.APIStatusError),
    ],
)
def test_a_status_chooses_the_class(status, kind):
    error = status_error(status, {}, b'{"error": {"message": "no", "code": "c"}}')
    assert type(error) is kind
    assert error.status_code == status
    assert error.code == "c"
    assert str(error).startswith(str(status))


def test_a_status_error_says_status_reason_and_message():
    body = b'{"error": {"message": "slow\\n down", "type": "t", "param": "p", "code": 7}}'
    error = status_error(429, {"Retry-After": "2", "X-Other": "y"}, body)
    assert str(error) == "429 Too Many Requests: slow down"
    assert (error.code, error.type, error.param, error.retry_after) == (7, "t", "p", 2.0)
    assert error.body["error"]["message"] == "slow\n down"
    assert error.headers == {"retry-after": "2", "x-other": "y"}


@pytest.mark.parametrize(
    ("status", "body", "message", "kept"),
    [
        (500, b"", "500 Internal Server Error", None),
        (502, b" \n", "502 Bad Gateway", None),
        (503, b"no\x1b[31m\r\nserver\x00", "503 Service Unavailable: no [31m server", ...),
        (502, b"<html><title>502 Bad  Gateway</title><h1>x</h1>", "502 Bad Gateway", ...),
        (502, b"<!DOCTYPE html><body><h1>no <b>up&amp;stream</b></h1>", "no up&stream", ...),
        (500, b"<html>" + b"secret stuff " * 999, "500 Internal Server Error", ...),
        (500, b"\xff\xfe", "500 Internal Server Error: \ufffd\ufffd", "\ufffd\ufffd"),
        (529, b"{}", "529 Overloaded", {}),
        (599, b"[]", "599", []),
        (400, b"null", "400 Bad Request", None),
        (500, b"x" * 999, "500 Internal Server Error: " + "x" * 472 + "…", "x" * 999),
    ],
)
def test_a_body_that_says_little_gives_a_short_line(status, body, message, kept):
    error = status_error(status, {}, body)
    assert str(error) in {message, f"{status} Bad Gateway: {message}"}
    if kept is not ...:
        assert error.body == kept


def test_a_text_body_is_bounded():
    assert status_error(500, {}, b"y" * 100_000).body == "y" * 64 * 1024


@pytest.mark.parametrize(
    ("location", "ending"),
    [
        ("https://other.invalid/path?token=private", " (this one leads to other.invalid)"),
        ("//user:private@other.invalid:8443/", " (this one leads to other.invalid)"),
        ("/private", ""),
        ("http://[private", ""),
        (None, ""),
    ],
)
def test_a_redirect_is_refused_by_name_of_its_host(location, ending):
    headers = {} if location is None else {"Location": location}
    error = status_error(301, headers, b"<html><title>Moved</title>")
    assert str(error) == f"301 Moved Permanently: redirects are not followed{ending}"
    assert type(error) is errors.APIStatusError


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ({"X-Request-ID": "a", "x-orq-request-id": "b"}, b'{"request_id": "c"}', "a"),
        ({"x-orq-request-id": "b", "cf-ray": "d"}, b'{"request_id": "c"}', "b"),
        ({"cf-ray": "d"}, b'{"request_id": "c", "error": {"message": "no"}}', "c"),
        ({"cf-ray": "d"}, b"{}", "d"),
        ({}, b"", None),
    ],
)
def test_the_request_is_named_by_whoever_names_it(headers, body, expected):
    error = status_error(500, {**headers, "X-Orq-Trace-Id": "t"}, body)
    assert error.request_id == expected
    assert error.trace_id == "t"


DATE = "Wed, 01 Jan 2020 00:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": " 0 "}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "0"}, 0.0),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"date": DATE, "retry-after": "Wed, 01 Jan 2020 00:00:07 GMT"}, 7.0),
        ({"date": DATE, "retry-after": "Wed Jan  1 00:00:07 2020"}, 7.0),
        ({"date": DATE, "retry-after": "Tue, 31 Dec 2019 23:59:59 GMT"}, None),
        ({"retry-after": DATE}, None),
        ({"retry-after": "Wed, 99 Jan 2020 00:00:00 GMT"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e3"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "٣"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_or_ignored(headers, seconds):
    assert retry_after(headers) == seconds


def test_retry_after_as_a_date_needs_no_date_header():
    wait = retry_after({"retry-after": formatdate(time.time() + 100, usegmt=True)})
    assert wait is not None
    assert 90 < wait <= 100


@pytest.mark.parametrize(
    "body",
    [
        f'{{"error": {{"message": "bad key {KEY}", "code": "{KEY}", "type": "{KEY}"}}}}',
        f'{{"{KEY}": ["{KEY}"], "detail": "no {KEY}"}}',
        f'{{"error": {{"metadata": {{"raw": "{{\\"message\\": \\"{KEY}\\"}}"}}}}}}',
        f"bad key {KEY}",
        f"<html><title>{KEY}</title>",
        f'{{"error": {{"message": "{"x" * 460}{KEY}"}}}}',
    ],
)
def test_the_key_is_nowhere_in_the_error(body):
    headers = {"x-echo": f"Bearer {KEY}", "Set-Cookie": "a=b", "Authorization": "private"}
    error = status_error(401, headers, body.encode(), (KEY,))
    shown = f"{error!s} {error!r} {vars(error)!r}".encode() + pickle.dumps(error)
    assert KEY[:12].encode() not in shown
    assert b"***" in shown
    assert error.headers == {"x-echo": "Bearer ***"}


def test_a_key_that_json_escapes_is_found_all_the_same():
    key = 'made"up\\key'
    error = status_error(401, {}, b'{"error": {"message": "key made\\"up\\\\key!"}}', (key,))
    assert str(error) == "401 Unauthorized: key ***!"
    nested = b'{"error": {"metadata": {"raw": "text made\\\\\\"up\\\\\\\\key!"}}}'
    assert str(status_error(401, {}, nested, (key,))) == "401 Unauthorized: text ***!"


def test_too_short_a_secret_does_not_garble_the_message():
    assert str(status_error(400, {}, b'{"message": "an error"}', ("e", ""))).endswith("an error")


def test_numbers_and_nulls_of_a_body_pass_the_scrubbing():
    body = b'{"a": [1, 1.5, null, true], "b": {"c": "x"}}'
    expected = {"a": [1, 1.5, None, True], "b": {"c": "x"}}
    assert status_error(400, {}, body, (KEY,)).body == expected


def test_a_body_nested_too_deeply_is_kept_as_text():
    body = b"[" * 200 + b"]" * 200
    assert status_error(400, {}, body, (KEY,)).body == body.decode()
