"""`Redaction`: the plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import evolve, fields

from orq_core import ConfigurationError, OrqError, hookimpl
from orq_plugins.redaction.assembly import answer_rewriter
from orq_plugins.redaction.detectors import DEFAULT, CallableDetector
from orq_plugins.redaction.failures import redact_error
from orq_plugins.redaction.literals import Literals
from orq_plugins.redaction.matcher import Matcher
from orq_plugins.redaction.request import RequestRewriter
from orq_plugins.redaction.rewriting import AnswerRedactor, Redactor, Restorer, Tally
from orq_plugins.redaction.settings import Settings, digest_of
from orq_plugins.redaction.vault import LITERAL, Vault, placeholder_detectors, placeholders

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping

    from orq_core import Call, Items, Layer, Proceed
    from orq_core.models import ChatCompletionRequest
    from orq_plugins.redaction.detectors import Detector

_PER_CALL = frozenset({"vault", "mode"})


class Redaction:
    """Takes private values out of requests, and puts them back into answers.

    Its outer layer stands outside of all others and its inner one inside of them, so no log, cache
    or other plugin meets a value that it knows. What the model itself writes is looked through too.

    ``detectors``: what to look for, in order of priority; default `DEFAULT`. ``action``: what is
    done with a match in a request, ``actions`` by entity: "placeholder" (``<EMAIL_1>``, put back in
    the answer), "mask" (``[EMAIL]``), "hash" (``[EMAIL:…]``, keyed by ``hash_key``), "drop",
    "block" (ContentBlockedError, nothing is sent). ``answer_action``, ``answer_actions``: the same
    for what a model writes; a placeholder in an answer is put back too, but only while its value is
    known, which it is not when a cache answers. ``mode``: "enforce", "audit" (count, change
    nothing) or "off". ``images``, ``audio``, ``files``: "allow", "block", "strip", or a function
    from a part to the part to send. ``max_hold_chars``: how many characters of a stream may be held
    back; ``on_overflow``: "mask_tail" masks the rest of that text, "block" ends the call, "release"
    lets it out.

    Per call, ``plugin_options={"redaction": {"vault": Vault(), "mode": "audit"}}``.

    Raises ConfigurationError for an argument that can't be used. A detector that raises ends the
    call with PluginError before anything is sent.
    """

    name = "redaction"

    def __init__(
        self, *, detectors: Iterable[Detector | CallableDetector] = DEFAULT, **settings: Any
    ) -> None:
        """Compile the detectors."""
        known = {attribute.name for attribute in fields(Settings)}
        for name in settings:
            if name not in known:
                raise ConfigurationError(f"Redaction: {name}: not an argument; known are {known}")
        self._settings = Settings(**settings)
        given = tuple(detectors)
        self._answers = Matcher.of(given)
        self._digest = digest_of(self._settings, given)
        # A text that looks like a placeholder is taken out first, so that nobody can forge one.
        entities = {each.entity for each in given} | {LITERAL}
        literal = [evolve(each, entity=LITERAL) for each in placeholder_detectors(sorted(entities))]
        self._literals = Literals(entities)
        if self._answers.callables:
            given = (CallableDetector(LITERAL, self._literals.find), *given)
        self._requests = Matcher.of([*literal, *given])

    def __repr__(self) -> str:
        return f"<Redaction mode={self._settings.mode}>"

    @hookimpl(wrapper=True, tryfirst=True)
    def orq_wrap_create(self, call: Call) -> Generator[None, list[Layer], list[Layer]]:
        """Stand at both ends of the list of layers."""
        layers = yield
        options = call.options_for(self.name)
        settings = self._for_this_call(options)
        if settings.mode == "off":
            return layers
        # A cache is told, so that nobody gets what others would have masked.
        call.note(self.name, mode=settings.mode, settings=self._digest)
        passage = self._passage(settings, options.get("vault"))
        return [passage.outer, *layers, passage.inner]

    @hookimpl
    def orq_explain(self, call: Call, request: ChatCompletionRequest) -> dict[str, Any]:
        """Tell how many values of which kind would be taken out; the vault stays as it is."""
        options = call.options_for(self.name)
        settings = self._for_this_call(options)
        if settings.mode == "off":
            return {"mode": "off"}
        vault: Vault | None = options.get("vault")
        trial = None if vault is None else vault.trial()
        return self._passage(settings, trial).explain(request)

    def _passage(self, settings: Settings, vault: Vault | None) -> _Passage:
        return _Passage(self._requests, self._answers, self._literals, settings, vault)

    def _for_this_call(self, options: Mapping[str, Any]) -> Settings:
        unknown = set(options) - _PER_CALL
        if unknown:
            raise ConfigurationError(
                f"plugin_options: redaction: {', '.join(sorted(unknown))}: unknown; "
                f"known are {', '.join(sorted(_PER_CALL))}",
            )
        vault = options.get("vault")
        if vault is not None and not isinstance(vault, Vault):
            raise ConfigurationError("plugin_options: redaction: vault: expected a Vault")
        return evolve(self._settings, mode=options.get("mode", self._settings.mode))


class _Passage:
    """One call's way through both layers."""

    def __init__(
        self,
        requests: Matcher,
        answers: Matcher,
        literals: Literals,
        settings: Settings,
        vault: Vault | None,
    ) -> None:
        self._requests = requests
        self._answers = answers
        self._literals = literals
        self._settings = settings
        self._vault = Vault() if vault is None else vault
        self._asked = Tally()
        self._answered = Tally()
        self._sent: set[tuple[str, str]] = set()
        self._restorer = Restorer(self._vault)

    def explain(self, request: ChatCompletionRequest) -> dict[str, Any]:
        """Tell what `outer` would do with a request."""
        rewritten = self._rewritten(request)
        return {
            "mode": self._settings.mode,
            "redacted": self._asked.counts,
            "request": rewritten if self._settings.mode == "enforce" else None,
        }

    def _rewritten(self, request: ChatCompletionRequest) -> ChatCompletionRequest:
        rewritten = self._rewritten_once(request)
        if self._answers.callables and self._literals.learn(self._vault.entities):
            self._asked = Tally()
            rewritten = self._rewritten_once(request)
        return rewritten

    def _rewritten_once(self, request: ChatCompletionRequest) -> ChatCompletionRequest:
        redactor = Redactor(self._settings, self._vault, self._asked, self._sent)
        return RequestRewriter(self._requests, redactor, self._settings)(request)

    def outer(self, call: Call, request: ChatCompletionRequest, proceed: Proceed) -> Items:
        """Send what may be sent; put back what was taken out, if anything was."""
        rewritten = self._rewritten(request)
        enforced = self._settings.mode == "enforce"
        self._note(call)
        entities = self._vault.entities | self._put_back_at_once()
        if enforced and entities:
            return self._restored(call, rewritten, proceed, placeholders(entities))
        return proceed(rewritten if enforced else request)

    def _put_back_at_once(self) -> frozenset[str]:
        """Return the entities of which an answer may have placeholders that no request had."""
        settings = self._settings
        if "placeholder" not in (settings.answer_action, *settings.answer_actions.values()):
            return frozenset()
        entities = {each.entity for each in self._answers.detectors}
        entities |= {each.entity for each in self._answers.callables}
        actions = settings.answer_actions
        return frozenset(
            entity
            for entity in entities
            if actions.get(entity, settings.answer_action) == "placeholder"
        )

    async def _restored(
        self, call: Call, request: ChatCompletionRequest, proceed: Proceed, matcher: Matcher
    ) -> Items:
        answer = answer_rewriter(matcher, self._settings, self._restorer)
        try:
            items = proceed(request)
            async for item in items:
                for begun in answer.begin(item):
                    yield begun
                if answer.began:
                    break
            async for item in items:
                yield answer.item(item)
            if (rest := answer.rest()) is not None:
                yield rest
        except OrqError:
            if (rest := answer.rest()) is not None:
                yield rest
            raise
        finally:
            self._note(call)

    async def inner(self, call: Call, request: ChatCompletionRequest, proceed: Proceed) -> Items:
        """Look through what the model wrote."""
        del call
        redactor = AnswerRedactor(self._settings, self._vault, self._answered, self._sent)
        answer = answer_rewriter(self._answers, self._settings, redactor)
        rewrite = answer.item
        enforced = self._settings.mode == "enforce"
        try:
            items = proceed(request)
            async for item in items:
                begun = answer.begin(item)
                for each in begun if enforced else [item]:
                    yield each
                if answer.began:
                    break
            async for item in items:
                rewritten = rewrite(item)
                yield rewritten if enforced else item
            if (rest := answer.rest()) is not None and enforced:
                yield rest
        except OrqError as error:
            if (rest := answer.rest()) is not None and enforced:
                yield rest
            if enforced:
                redact_error(error, self._answers, self._settings, redactor)
            raise

    def _note(self, call: Call) -> None:
        call.note(
            Redaction.name,
            mode=self._settings.mode,
            request=self._asked.counts,
            answer=self._answered.counts,
            restored=self._restorer.restored,
        )
