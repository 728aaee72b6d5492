"""The layers that stand around and inside of the plugin under test."""

from __future__ import annotations

import inspect
import weakref
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

from orq_core import hookimpl, to_dict
from orq_core.layers import outcome_of
from orq_core.testing.conformance.context import changed
from orq_core.testing.conformance.origin import place
from orq_core.testing.conformance.seen import Passed

if TYPE_CHECKING:
    from collections.abc import Generator
    from contextvars import Context
    from types import FrameType

    from orq_core.call import Call, Items, Layer, Proceed
    from orq_core.models import ChatCompletionRequest
    from orq_core.testing.conformance.seen import Seen


class OutsideError(RuntimeError):
    """What a plugin around the one under test fails with."""


class InsideError(RuntimeError):
    """What a plugin inside of the one under test fails with."""


class Probes:
    """A plugin that puts a layer at each end of all others, and looks at those between."""

    name = "conformance"

    def __init__(self, seen: Seen, fails: str | None) -> None:
        """Write to ``seen``; ``fails`` says whether the layer ``outside`` or ``inside`` does."""
        self._seen = seen
        self._outside_fails = fails == "outside"
        self._inside_fails = fails == "inside"
        self._fails_at = 3 if seen.stream else 1

    @hookimpl(wrapper=True, tryfirst=True)
    def orq_wrap_create(self, call: Call) -> Generator[None, list[Layer], list[Layer]]:
        """Stand around whatever the others made of the list."""
        before = copy_context()
        layers = yield
        self._seen.layers += len(layers)
        self._seen.calls.append(weakref.ref(call))
        outer = partial(self.outer, before)
        return [outer, *(Watched(layer, self._seen) for layer in layers), self.inner]

    async def outer(
        self, before: Context, call: Call, request: ChatCompletionRequest, proceed: Proceed
    ) -> Items:
        """See what comes out of the plugin, and the context that its caller then has."""
        del call
        seen, ending, count = self._seen, "ok", 0
        try:
            async for item in proceed(request):
                count += 1
                seen.outside.append(Passed(to_dict(item), _yielding(seen)))
                for name in changed(before):
                    what = f"the context variable {name!r} stays set across a yield"
                    seen.attached.append((what, _yielding(seen) or seen.origin.definition))
                if self._outside_fails and count == self._fails_at:
                    seen.leaving = True
                    raise OutsideError("the plugin outside fails")
                yield item
        except BaseException as error:
            ending = outcome_of(error)
            raise
        finally:
            seen.outer_endings.append(ending)

    async def inner(self, call: Call, request: ChatCompletionRequest, proceed: Proceed) -> Items:
        """See what goes into the plugin, and which of its lines asks for it."""
        del call
        seen, ending, count = self._seen, "ok", 0
        seen.asked = seen.origin.of_frame(_caller()) or seen.asked
        try:
            async for item in proceed(request):
                count += 1
                if self._inside_fails and count == self._fails_at:
                    raise InsideError("the plugin inside fails")
                passed = Passed(to_dict(item))
                seen.inside.append(passed)
                yield item
                passed.where = seen.origin.of_frame(_caller())
                seen.asked = passed.where or seen.asked
                if seen.leaving and not seen.read_late:
                    seen.read_late, seen.asked_late = True, passed.where
        except BaseException as error:
            ending = outcome_of(error)
            seen.inner_error = type(error)
            raise
        finally:
            seen.inner_endings.append(ending)
            if ending == "closed_early" and seen.leaving:
                # Layers are closed from the outside in: the plugin's were closed before this one.
                seen.unfinished += _left_open(seen)


class Watched:
    """A layer of the plugin under test; what it opens is looked at when the call is over."""

    def __init__(self, layer: Layer, seen: Seen) -> None:
        """Stand for a layer."""
        self.__qualname__ = getattr(layer, "__qualname__", type(layer).__name__)
        self._layer = layer
        self._seen = seen

    def __call__(self, call: Call, request: ChatCompletionRequest, proceed: Proceed) -> Items:
        """Open it."""
        items = self._layer(call, request, proceed)
        if hasattr(items, "ag_frame"):
            self._seen.generators.append(weakref.ref(items))
        return items


def suspended_at(items: Any) -> str | None:
    """Name the line at which a generator waits, None when it is over."""
    frame = getattr(items, "ag_frame", None)
    return None if frame is None else place(frame.f_code.co_filename, frame.f_lineno)


def _left_open(seen: Seen) -> list[str]:
    found: list[str] = []
    for reference in seen.generators:
        items = reference()
        if items is not None and not items.ag_running and (where := suspended_at(items)):
            found.append(where)
    return found


def _caller() -> FrameType | None:
    """Return the frame that called, or resumed, the one that asks."""
    frame = inspect.currentframe()
    for _ in range(2):
        frame = frame and frame.f_back
    return frame


def _yielding(seen: Seen) -> str | None:
    for reference in seen.generators:
        if (where := suspended_at(reference())) is not None:
            return where
    return None
