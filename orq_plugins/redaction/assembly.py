"""Scanners, windows and rewriters, put together as the settings want them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from orq_plugins.redaction.answer import AnswerRewriter
from orq_plugins.redaction.scanner import Scanner
from orq_plugins.redaction.window import JsonWindow, TextWindow

if TYPE_CHECKING:
    from orq_plugins.redaction.matcher import Matcher
    from orq_plugins.redaction.settings import Settings
    from orq_plugins.redaction.window import NewScanner, Rewrite


def scanners(matcher: Matcher, settings: Settings, *, whole: bool) -> NewScanner:
    """Return what makes scanners; those for ``whole`` texts take any length.

    Nothing more comes of a whole text, so nothing of it is held back in vain.
    """
    most = sys.maxsize if whole else settings.max_hold_chars
    release = settings.on_overflow == "release"
    return lambda: Scanner(matcher, most, release=release)


def answer_rewriter(
    matcher: Matcher, settings: Settings, rewrite: Rewrite, *, whole: bool = False
) -> AnswerRewriter:
    """Return a rewriter for an answer that is streamed, or that comes ``whole``."""
    scanner = scanners(matcher, settings, whole=whole)
    return AnswerRewriter(
        lambda: TextWindow(scanner, rewrite),
        lambda: JsonWindow(scanner, rewrite),
        lambda: answer_rewriter(matcher, settings, rewrite, whole=True),
    )
