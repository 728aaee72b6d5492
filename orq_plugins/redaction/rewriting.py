"""What stands in place of a match, on the way out, in the answer, and back at the caller."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from orq_core import PluginError
from orq_plugins.redaction.scanner import OVERFLOW, TAIL
from orq_plugins.redaction.vault import LITERAL, canonical, placeholders

if TYPE_CHECKING:
    from orq_plugins.redaction.settings import Action, Settings
    from orq_plugins.redaction.vault import Vault


class ContentBlockedError(PluginError):
    """A request or an answer holds what must not pass; ``entity`` says of which kind."""

    def __init__(self, message: str = "", *, entity: str = "") -> None:
        """Say which kind, without the value."""
        super().__init__(message, plugin="redaction")
        self.entity = entity


class Tally:
    """Counts per entity and action: what a caller may know of a redaction."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.counts: dict[str, dict[str, int]] = {}

    def add(self, entity: str, action: str) -> None:
        """Count one."""
        actions = self.counts.setdefault(entity, {})
        actions[action] = actions.get(action, 0) + 1


class Redactor:
    """Rewrites matches of the request."""

    def __init__(
        self, settings: Settings, vault: Vault, tally: Tally, sent: set[tuple[str, str]]
    ) -> None:
        """Act by the settings, remember in the vault, count in the tally.

        ``sent`` gets the values of which the request has placeholders.
        """
        self._settings = settings
        self._vault = vault
        self._tally = tally
        self._sent = sent

    def __call__(self, entity: str, text: str) -> str:
        """Return what is sent in place of a match; raises ContentBlockedError."""
        audit = self._settings.mode == "audit"
        if entity == TAIL:
            # One mask stands for all of it.
            return text if audit else ""
        action = self._action(entity)
        self._tally.add(entity, action)
        if audit:
            return text
        if action == "placeholder":
            self._sent.add((entity, text))
            return self._vault.placeholder(entity, text)
        if action == "block":
            raise ContentBlockedError(
                f"the {self.side} holds {entity}, which is blocked",
                entity=entity,
            )
        if action == "drop":
            return ""
        return f"[{entity}{':' + self._digest(text) if action == 'hash' else ''}]"

    side = "request"

    def _action(self, entity: str) -> Action:
        settings = self._settings
        if entity == LITERAL:
            return "placeholder"
        if entity == OVERFLOW:
            return "block" if settings.on_overflow == "block" else "mask"
        return settings.actions.get(entity, settings.action)

    def _digest(self, text: str) -> str:
        key = self._settings.hash_key
        return hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:16]


class AnswerRedactor(Redactor):
    """Rewrites matches of the answer; what the request had a placeholder for gets it again."""

    side = "answer"

    def __call__(self, entity: str, text: str) -> str:
        """Return what stands in the answer in place of a match; raises ContentBlockedError."""
        # What only an earlier request had, the model wrote on its own: a cache would give the
        # placeholder to others, for whom it stands for something else.
        known = self._vault.known(entity, text) if (entity, text) in self._sent else None
        if known is not None:
            return known
        entities = frozenset[str]() if entity in {OVERFLOW, TAIL} else self._vault.entities
        if entities and placeholders(entities).first(text, 0, len(text)) is not None:
            # What was matched is made of a placeholder already, as in `password=<SECRET_1>`.
            return text
        return super().__call__(entity, text)

    def _action(self, entity: str) -> Action:
        settings = self._settings
        if entity == OVERFLOW:
            return super()._action(entity)
        return settings.answer_actions.get(entity, settings.answer_action)


class Restorer:
    """Puts values back in place of their placeholders."""

    def __init__(self, vault: Vault) -> None:
        """Restore from the vault."""
        self._vault = vault
        self.restored = 0

    def __call__(self, entity: str, text: str) -> str:
        """Return the value, or the text as it is when the vault knows no such placeholder."""
        name = canonical(text, entity)
        value = None if name is None else self._vault.value(name)
        if value is None:
            return text
        self.restored += 1
        return value
