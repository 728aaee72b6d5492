"""The tables of the migration guides have every argument, and say what is true of each."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from orq_core import Orq, errors, parameters

GUIDES = Path(__file__).resolve().parent.parent / "docs" / "migrating"


def words(text):
    return text.split()


# The signatures of the compared versions: openai 3.57.0 and orq-ai-sdk 4.17.13.
OPENAI = words(
    """
    messages model audio frequency_penalty function_call functions logit_bias logprobs
    max_completion_tokens max_tokens metadata modalities moderation n parallel_tool_calls
    prediction presence_penalty prompt_cache_key prompt_cache_options prompt_cache_retention
    reasoning_effort response_format safety_identifier seed service_tier stop store stream
    stream_options temperature tool_choice tools top_logprobs top_p user verbosity
    web_search_options extra_headers extra_query extra_body timeout
    """
)
OPENAI_CLIENT = words(
    """
    api_key admin_api_key workload_identity organization project webhook_secret provider
    base_url data_residency websocket_base_url timeout max_retries default_headers default_query
    http_client
    """
)
OPENAI_CALLS = words(
    """
    create stream parse with_raw_response with_streaming_response list retrieve update delete
    messages
    """
)
OPENAI_ERRORS = words(
    """
    APIConnectionError APIError APIResponseValidationError APIStatusError APITimeoutError
    AuthenticationError BadRequestError ConflictError ContentFilterFinishReasonError
    InternalServerError LengthFinishReasonError NotFoundError OpenAIError PermissionDeniedError
    RateLimitError UnprocessableEntityError
    """
)
SDK = words(
    """
    messages model metadata name audio frequency_penalty max_tokens max_completion_tokens
    logprobs top_logprobs n presence_penalty response_format reasoning_effort verbosity seed
    stop stream_options thinking temperature top_p top_k tools tool_choice parallel_tool_calls
    modalities guardrails plugins fallback_on_codes fallbacks retry cache load_balancer timeout
    variables cache_control prompt_cache_key orq stream retries server_url
    accept_header_override timeout_ms http_headers
    """
)
SDK_CLIENT = words(
    """
    api_key server_idx url_params server_url client async_client retry_config timeout_ms
    debug_logger
    """
)
OURS = {*parameters.BodyFields.__optional_keys__, "stream", "request"}


def rows(guide, heading):
    """Return the rows of the table under a heading: left and right cells."""
    text = (GUIDES / guide).read_text("utf-8")
    section = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    cells = re.findall(r"^\| (.+?) \| (.+?) \|$", section, re.MULTILINE)[2:]
    assert cells
    return cells


def named(guide, heading):
    said = {}
    for left, right in rows(guide, heading):
        for name in re.findall(r"`\.?(\w+)", left):
            said[name] = right
    return said


@pytest.mark.parametrize(
    ("guide", "heading", "names"),
    [
        ("openai.md", "Arguments of `create`", OPENAI),
        ("openai.md", "Constructor", OPENAI_CLIENT),
        ("openai.md", "Calls", OPENAI_CALLS),
        ("openai.md", "Errors", OPENAI_ERRORS),
        ("orq-ai-sdk.md", "Arguments of `create`", SDK),
        ("orq-ai-sdk.md", "Constructor", SDK_CLIENT),
        ("orq-ai-sdk.md", "Calls", ["client", "await", "with"]),
    ],
)
def test_nothing_is_left_out(guide, heading, names):
    assert set(names) - set(named(guide, heading)) == set()


@pytest.mark.parametrize("guide", ["openai.md", "orq-ai-sdk.md"])
def test_arguments_that_are_the_same_exist_and_the_others_do_not(guide):
    for name, said in named(guide, "Arguments of `create`").items():
        if said.startswith("the same"):
            assert name in OURS, name
        elif said.startswith("in `extra_body`"):
            assert name not in OURS, name
        for here in re.findall(r"`(\w+)`", said):
            assert here in OURS | {"UNSET"}, here


@pytest.mark.parametrize("guide", ["openai.md", "orq-ai-sdk.md"])
def test_constructor_arguments_exist(guide):
    ours = set(inspect.signature(Orq).parameters)
    for name, said in named(guide, "Constructor").items():
        if said.startswith("the same"):
            assert name in ours, name
        for here in re.findall(r"`(\w+)=`", said):
            assert here in ours, here


def test_errors_that_are_the_same_exist():
    for name, said in named("openai.md", "Errors").items():
        if name.endswith("Error") and said.startswith("the same"):
            assert hasattr(errors, name)
