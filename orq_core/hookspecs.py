"""The hooks a plugin may implement. Each docstring is the hook's reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from cattrs import Converter

    from orq_core.call import Call, Layer
    from orq_core.client import AsyncOrq, Orq
    from orq_core.models import ChatCompletionRequest
    from orq_core.transports import HttpRequest

PROJECT = "orq"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a plugin's method as the implementation of a hook."""


class Hooks:
    """The specifications; an implementation may leave out arguments that it does not need."""

    @hookspec
    def orq_wrap_create(self, call: Call) -> Layer | None:
        """Return a layer around this call and each of its events, or None to stay out.

        Called once per ``create``, in the thread or task and with the context variables of the
        caller, before the key is asked for and before anything is sent. An exception ends the call.
        No I/O: this runs on the event loop under asyncio.

        Order: the first plugin that is called becomes the outermost layer. ``tryfirst`` moves a
        layer outwards, ``trylast`` inwards; a wrapper (``hookimpl(wrapper=True)``) may edit the
        list of layers.

        :param call: the call about to start.
        :returns: a layer, or None.

        Example::

            @hookimpl
            def orq_wrap_create(self, call):
                return observe(end=print) if call.stream else None
        """

    @hookspec
    def orq_prepare_request(self, call: Call, http: HttpRequest) -> None:
        """Change the headers of a request about to be sent.

        Called once per attempt, after every layer, before the transport: not at all for a cache
        hit, and again for each repeat. An exception ends the attempt, and so does a header that
        can't be sent (ConfigurationError). No I/O: this runs on the event loop under asyncio.

        Order: the outermost plugin first, so that an inner one has the last word.

        :param call: the call this attempt belongs to.
        :param http: the request; its ``headers`` may be changed in place. Its ``body`` is bytes
            already: a layer changes the request before.
        :returns: nothing.

        Example::

            @hookimpl
            def orq_prepare_request(self, call, http):
                http.headers["X-Tenant"] = call.options_for("tenancy").get("tenant", "none")
        """

    @hookspec
    def orq_explain(
        self, call: Call, request: ChatCompletionRequest
    ) -> Mapping[str, Any] | Awaitable[Mapping[str, Any] | None] | None:
        """Tell what this plugin would do with a call that is only explained; may be ``async``.

        Called once per ``explain``, in both modes, in place of the plugin's layer and of its
        ``orq_prepare_request``, which are then not run. Without this hook, or when it returns None,
        they are: the layer up to ``proceed``, within which the caller then leaves (GeneratorExit).
        There ``call.dry_run`` is True.

        Implement it if your layer stores, counts, logs, waits or repeats: nothing of that may
        happen here. ``orq_wrap_create`` is called before, to know which layers there are. An
        exception says that the call would end here. Blocking I/O goes through ``call.run``.

        Order: the outermost layer first; plugins without a layer in this call come last.

        :param call: the call; its ``dry_run`` is True.
        :param request: what the layers outside of yours hand inwards. Don't change it.
        :returns: facts that JSON can hold, without content: no prompt, no key, no secret. Some
            names have a meaning. ``request``: the ChatCompletionRequest that your layer would hand
            inwards. ``headers``: a list of the names that your ``orq_prepare_request`` would add.
            ``answers``: True if your layer would answer by itself. ``attempts``: how often it asks
            what is within it at most; ``pauses``: for how many seconds it pauses in all at most;
            None for no bound. ``elapsed``: seconds after which it asks no more.

        Example::

            @hookimpl
            def orq_explain(self, call, request):
                return {"headers": ["X-Tenant"], "tenancy": call.options_for("tenancy")}
        """

    @hookspec
    def orq_configure_converter(self, converter: Converter) -> None:
        """Teach the converter fields and types of your own.

        Called once per client, before its first call.

        Order: the outermost plugin first, so that an inner one has the last word.

        :param converter: the cattrs converter that reads answers and writes requests. Hooks of
            yours for the models of an answer cost the shortcut for events that repeat each other.
        :returns: nothing.

        Example::

            @hookimpl
            def orq_configure_converter(self, converter):
                converter.register_unstructure_hook(Decimal, float)
        """

    @hookspec
    def orq_client_opened(self, client: Orq | AsyncOrq) -> None:
        """Set up what lives as long as the client.

        Called once, at the end of the client's constructor, and not for clients derived by
        ``with_options``, which share the plugins. Under asyncio there may be no event loop yet. An
        exception ends the constructor with PluginError; the plugins that were called before get
        their ``orq_client_closed``.

        Order: the outermost plugin first.

        :param client: the new client.
        :returns: nothing.

        Example::

            @hookimpl
            def orq_client_opened(self, client):
                self.audit = Path("audit.jsonl").open("a", encoding="utf-8")
        """

    @hookspec
    def orq_client_closed(self, client: Orq | AsyncOrq) -> Awaitable[Any] | None:
        """Release what ``orq_client_opened`` set up; may be ``async``.

        Called once, when the client is closed, and awaited in both modes, so a coroutine must not
        suspend when the client is a blocking one. An exception is raised after the others were
        told and the connections were released.

        Order: the innermost plugin first, the reverse of ``orq_client_opened``.

        :param client: the client that closes; its ``runtime`` has ``run`` for blocking I/O.
        :returns: nothing, or something to await.

        Example::

            @hookimpl
            async def orq_client_closed(self, client):
                await client.runtime.run(self.audit.close)
        """
