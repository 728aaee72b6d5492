"""Log probabilities, which spell a text out token by token, held back with the text itself."""

from __future__ import annotations

from collections import deque
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from orq_core.models import TokenLogprob
    from orq_plugins.redaction.window import Piece

_Place = tuple[int, int]  # the first of a token's characters in its text, and the one after them


class Spelling:
    """The tokens of every text of an answer."""

    def __init__(self) -> None:
        """Begin without any."""
        self._tokens: dict[Hashable, Tokens] = {}

    def __bool__(self) -> bool:
        return bool(self._tokens)

    def feed(
        self,
        key: Hashable,
        text: str,
        given: Sequence[TokenLogprob] | None,
        pieces: Sequence[Piece],
    ) -> list[TokenLogprob] | None:
        """Take more of one text, as `Tokens.feed`; None if the tokens that go out are those given.

        Without tokens so far there is nothing to be done.
        """
        tokens = self._tokens.get(key)
        if tokens is None:
            if not given:
                return None
            tokens = self._tokens[key] = Tokens()
        passed = tokens.feed(text, given or (), pieces)
        return None if passed == (given or []) else passed


class Tokens:
    """The tokens of one text: those of unchanged pieces go out with them, others never do.

    Tokens that don't spell their text don't go out either: what they spell may be another text of
    the answer, in which something was changed.
    """

    def __init__(self) -> None:
        """Begin with an empty text."""
        self._waiting: deque[tuple[_Place, TokenLogprob]] = deque()
        self._came = 0
        self._gone = 0

    def feed(
        self, text: str, tokens: Sequence[TokenLogprob], pieces: Sequence[Piece]
    ) -> list[TokenLogprob]:
        """Take a text with its tokens, and what went out for it; return the tokens that may."""
        places = _by_name(text, tokens) or _by_bytes(text, tokens) or ()
        for (begin, end), token in zip(places, tokens, strict=False):
            self._waiting.append(((self._came + begin, self._came + end), token))
        self._came += len(text)
        return self._passed(pieces)

    def _passed(self, pieces: Sequence[Piece]) -> list[TokenLogprob]:
        out: list[TokenLogprob] = []
        for came, goes in pieces:
            self._gone += len(came)
            while self._waiting:
                (begin, end), token = self._waiting[0]
                if end > self._gone and (came == goes or begin >= self._gone):
                    break
                self._waiting.popleft()
                if came == goes:
                    out.append(token)
        return out


def _by_name(text: str, tokens: Sequence[TokenLogprob]) -> list[_Place] | None:
    """Return where each token stands in the text, None if they spell another."""
    names = [token.token or "" for token in tokens]
    if "".join(names) != text:
        return None
    ends = accumulate(map(len, names))
    return [(end - len(name), end) for end, name in zip(ends, names, strict=True)]


def _by_bytes(text: str, tokens: Sequence[TokenLogprob]) -> list[_Place] | None:
    """Do the same by bytes: a token that is a part of a character has no name that spells it."""
    try:
        written = [bytes(token.bytes or ()) for token in tokens]
    except (TypeError, ValueError):
        return None
    raw = text.encode("utf-8", "surrogatepass")
    if b"".join(written) != raw or not all(map(_is_named, tokens, written)):
        return None
    # The number of the character that each byte belongs to, from 1 on.
    numbers = [*accumulate(byte & 0xC0 != 0x80 for byte in raw)]
    places: list[_Place] = []
    at = 0
    for each in written:
        end = at + len(each)
        last = numbers[end - 1] if end else 0
        places.append((numbers[at] - 1 if each else last, last))
        at = end
    return places


def _is_named(token: TokenLogprob, written: bytes) -> bool:
    try:
        return written.decode() == token.token
    except UnicodeDecodeError:
        return True
