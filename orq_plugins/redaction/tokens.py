"""Log probabilities, which spell a text out token by token, held back with the text itself."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orq_core.models import TokenLogprob
    from orq_plugins.redaction.window import Piece


class Tokens:
    """The tokens of one text: those of unchanged pieces go out with them, others never do."""

    def __init__(self) -> None:
        """Begin with an empty text."""
        self._waiting: deque[tuple[int, TokenLogprob]] = deque()
        self._came = 0
        self._gone = 0

    def feed(
        self, text: str, tokens: Sequence[TokenLogprob], pieces: Sequence[Piece]
    ) -> list[TokenLogprob]:
        """Take a text with its tokens, and what went out for it; return the tokens that may.

        Tokens that don't spell their text can't be told apart: they pass only with a text of which
        nothing was changed or held back.
        """
        untouched = self._came == self._gone and _unchanged(pieces) == text
        spelt = "".join([token.token or "" for token in tokens]) == text
        end = self._came
        self._came += len(text)
        if spelt:
            for token in tokens:
                end += len(token.token or "")
                self._waiting.append((end, token))
        passed = self._passed(pieces)
        return passed if spelt else list(tokens) if untouched else passed

    def _passed(self, pieces: Sequence[Piece]) -> list[TokenLogprob]:
        out: list[TokenLogprob] = []
        for came, goes in pieces:
            self._gone += len(came)
            while self._waiting:
                end, token = self._waiting[0]
                begins = end - len(token.token or "")
                if end > self._gone and (came == goes or begins >= self._gone):
                    break
                self._waiting.popleft()
                if came == goes:
                    out.append(token)
        return out


def _unchanged(pieces: Sequence[Piece]) -> str | None:
    if any(came != goes for came, goes in pieces):
        return None
    return "".join([goes for _, goes in pieces])
