"""`explain`: everything that ``create`` does before it sends, and nothing of what it does then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import asdict

from orq_core._hook_calls import HookFailedError, call_hook
from orq_core._http_request import http_request
from orq_core.config import resolve_key
from orq_core.errors import ConfigurationError, OrqError
from orq_core.explain.changes import is_shown
from orq_core.explain.explanation import Explanation, LayerReport
from orq_core.explain.private import HIDDEN, Private, shown_url
from orq_core.explain.resolve import placed_layers
from orq_core.explain.run import DryRun, DryRuntime
from orq_core.explain.worst import Loop, router_policy, warnings_of, worst_case
from orq_core.limits import Timeout
from orq_core.models import to_dict
from orq_core.models.base import UNSET

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pluggy

    from orq_core._core import Core
    from orq_core.call import Call
    from orq_core.config import ApiKey
    from orq_core.explain.explanation import Outcome


async def explain(core: Core, call: Call, api_key: ApiKey) -> Explanation:
    """Explain a call, which is used up by that."""
    problems: list[str] = []
    key = await _key(call, api_key, problems)
    headers = call.options.http_headers
    private = Private([call._key or "", *headers.values()])  # noqa: SLF001 - the key is hidden from plugins; this package needs it, here to keep it out of the report
    call.runtime = DryRuntime(call.runtime)
    run = DryRun(call, core.manager, private)
    layers = await _layers(run, core, call, private)
    names = dict.fromkeys(each.plugin for each in layers)
    aside = [
        await _aside(run, private, call, name)
        for name, _ in reversed(core.manager.list_name_plugin())
        if name not in names
    ]
    sent = _Sent(core, call, run, private)
    problems += [f"{each.plugin}: {each.problem}" for each in [*layers, *aside] if each.problem]
    problems += [*run.problems, *sent.problems]
    body = to_dict(call.request if run.sent is None else run.sent)
    router = router_policy(body)
    timeout = Timeout.of(call.options.timeout)
    loops = [_loop(run.told_by(name)) for name in names]
    worst = worst_case(timeout, loops, router, stream=call.stream)
    refused = bool(run.problems or sent.problems) or key == "missing"
    return Explanation(
        url=shown_url(call.url),
        model=_shown_model(body.get("model")),
        stream=call.stream,
        key=key,
        outcome="refused" if refused else _outcome(run, layers),
        body_bytes=sent.size,
        layers=tuple(layers),
        aside=tuple(aside),
        headers=sent.headers,
        timeout=timeout,
        retries=_setting(call.options.retries),
        router=router,
        worst_case=worst,
        problems=(*problems, *warnings_of(timeout, router, worst)),
    )


async def _key(call: Call, api_key: ApiKey, problems: list[str]) -> str:
    try:
        key = await resolve_key(api_key, call.url)
    except ConfigurationError as error:
        problems.append(str(error))
        return "missing"
    call._key = key  # noqa: SLF001 - the key is hidden from plugins, which get a digest of it; this package sets it
    return "not needed" if key is None else "given"


async def _layers(run: DryRun, core: Core, call: Call, private: Private) -> list[LayerReport]:
    try:
        placed = placed_layers(_called(core.manager.hook.orq_wrap_create), {"call": call})
    except HookFailedError as failed:
        problem = private.problem(failed.__cause__ or failed)
        return [LayerReport(failed.plugin, "orq_wrap_create", "failed", problem=problem)]
    await run(placed)
    return run.reports()


def _called(hook: pluggy.HookCaller) -> list[pluggy.HookImpl]:
    """Return a hook's implementations in the order in which they are called."""
    return list(reversed(hook.get_hookimpls()))


async def _aside(run: DryRun, private: Private, call: Call, name: str) -> LayerReport:
    try:
        told = await run.ask(name, call.request)
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything; the report shows it in place of an answer
        return LayerReport(name, "", "failed", problem=private.problem(error))
    if told is None:
        return LayerReport(name, "", "run")
    return LayerReport(name, "", "asked", facts=run.facts(told))


class _Sent:
    """What the request looks like on the wire: size, names of headers, and what went wrong."""

    def __init__(self, core: Core, call: Call, run: DryRun, private: Private) -> None:
        self.headers: dict[str, str] = {}
        self.size: int | None = None
        self.problems: list[str] = []
        if run.sent is None:
            return
        try:
            http = http_request(call, run.sent, core.converter, call._key)  # noqa: SLF001 - the key is hidden from plugins; this package writes the request with it
        except OrqError as error:
            self.problems.append(private.problem(error))
            return
        self.size = len(http.body)
        for name in http.headers:
            self.headers[name] = "caller" if name in call.options.http_headers else "client"
        before = dict(http.headers)

        def seen(plugin: str, _: list[Any]) -> None:
            nonlocal before
            for name in before.keys() - http.headers.keys():
                del self.headers[name]
            for name, value in http.headers.items():
                if before.get(name) != value:
                    self.headers[name] = plugin
            before = dict(http.headers)

        implementations = [
            each
            for each in _called(core.manager.hook.orq_prepare_request)
            if not run.is_asked(each.plugin_name)
        ]
        try:
            call_hook(implementations, {"call": call, "http": http}, seen)
        except HookFailedError as failed:
            problem = private.problem(failed.__cause__ or failed)
            self.problems.append(f"{failed.plugin}: {problem}")
        given = {name.lower() for name in self.headers}
        for plugin, told in run.answers():
            for name in told.get("headers", ()):
                if str(name).lower() not in given:
                    self.headers[str(name)] = plugin


def _outcome(run: DryRun, layers: list[LayerReport]) -> Outcome:
    for each in layers:
        if each.problem:
            return "refused"
        if each.state == "answers" or run.told_by(each.plugin).get("answers") is True:
            return "answered"
    return "sent"


def _loop(told: Mapping[str, Any]) -> Loop:
    attempts = told.get("attempts", 1)
    return Loop(
        attempts if isinstance(attempts, int) else None,
        _seconds(told.get("pauses", 0.0)),
        _seconds(told.get("elapsed")),
    )


def _seconds(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _shown_model(model: Any) -> str | None:
    if model is None:
        return None
    return model if isinstance(model, str) and is_shown(("model",), model) else HIDDEN


def _setting(retries: Any) -> Any:
    if retries is UNSET:
        return "default"
    if retries is None or isinstance(retries, int):
        return retries
    return {"kind": type(retries).__name__, **asdict(retries)}
