"""On whose behalf a call is made."""

from __future__ import annotations

import re
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from attrs import asdict, define, evolve

from orq_core import OrqError, hookimpl, transform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orq_core import Call, ChatCompletionRequest, Layer
    from orq_core.transports import HttpRequest

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class TenancyError(OrqError):
    """A call has no tenant, or a name that could not stand in a header; nothing was sent."""


@define(frozen=True)
class Attribution:
    """Who pays for a call, and which feature made it."""

    tenant: str
    feature: str


_current: ContextVar[Attribution | None] = ContextVar("acme_attribution", default=None)


@contextmanager
def acting_for(tenant: str, *, feature: str = "unknown") -> Iterator[None]:
    """Attribute the calls of this block, in this thread or task, to a tenant.

    Raises TenancyError for a name of anything but lower-case letters, digits and hyphens.
    """
    token = _current.set(_checked(tenant, feature))
    try:
        yield
    finally:
        _current.reset(token)


class Tenancy:
    """Sends ``X-Acme-Tenant`` and ``X-Acme-Feature``, and the same as metadata of the request.

    The tenant is ``plugin_options={"acme-tenancy": {"tenant": …, "feature": …}}``, or else that of
    `acting_for`. A call without one is refused with TenancyError. What was sent is noted in
    ``info.notes["acme-tenancy"]``.
    """

    name = "acme-tenancy"

    @hookimpl
    def orq_wrap_create(self, call: Call) -> Layer:
        """Find the tenant while the caller's context is current; a stream may be read elsewhere."""
        given = call.options_for(self.name)
        who = _current.get()
        if "tenant" in given:
            who = _checked(given["tenant"], given.get("feature", "unknown"))
        if who is None:
            raise TenancyError("this call has no tenant: use acting_for or plugin_options")
        call.note(self.name, **asdict(who))

        def attributed(request: ChatCompletionRequest) -> ChatCompletionRequest:
            return evolve(request, metadata={**(request.metadata or {}), **asdict(who)})

        return transform(request=attributed)

    @hookimpl
    def orq_prepare_request(self, call: Call, http: HttpRequest) -> None:
        """Name the tenant on every attempt."""
        who = call.info.notes[self.name]
        http.headers["X-Acme-Tenant"] = who["tenant"]
        http.headers["X-Acme-Feature"] = who["feature"]


def _checked(*names: object) -> Attribution:
    for name in names:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise TenancyError("tenant and feature are lower-case letters, digits and hyphens")
    return Attribution(*map(str, names))
