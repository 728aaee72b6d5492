"""The parts of a message's content."""

from __future__ import annotations

from attrs import define

from orq_core.models.base import UNSET, Request, Unset


@define(kw_only=True, repr=False)
class CacheControl(Request):
    """Where a provider's prompt cache may cut; ``ttl`` is ``5m`` or ``1h``."""

    type: str | Unset = "ephemeral"
    ttl: str | Unset = UNSET


@define(kw_only=True, repr=False)
class TextPart(Request):
    """Text."""

    type: str | Unset = "text"
    text: str | Unset = UNSET
    cache_control: CacheControl | Unset | None = UNSET


@define(kw_only=True, repr=False)
class ImageUrl(Request):
    """Where an image is: a URL or a data URI; ``detail`` is ``low``, ``high`` or ``auto``."""

    url: str | Unset = UNSET
    detail: str | Unset | None = UNSET


@define(kw_only=True, repr=False)
class ImagePart(Request):
    """An image; some providers take the bare URL."""

    type: str | Unset = "image_url"
    image_url: ImageUrl | str | Unset = UNSET
    cache_control: CacheControl | Unset | None = UNSET


@define(kw_only=True, repr=False)
class InputAudio(Request):
    """Sound in base64; ``format`` is ``mp3`` or ``wav``."""

    data: str | Unset = UNSET
    format: str | Unset = UNSET


@define(kw_only=True, repr=False)
class InputAudioPart(Request):
    """Sound."""

    type: str | Unset = "input_audio"
    input_audio: InputAudio | Unset = UNSET


@define(kw_only=True, repr=False)
class FileData(Request):
    """A file, by exactly one of ``file_data`` (a data URI), ``uri`` and ``file_id``."""

    file_data: str | Unset = UNSET
    uri: str | Unset = UNSET
    file_id: str | Unset = UNSET
    mimeType: str | Unset = UNSET  # noqa: N815 - the router's contract spells the field so, and attributes are named as on the wire
    filename: str | Unset = UNSET


@define(kw_only=True, repr=False)
class FilePart(Request):
    """A file."""

    type: str | Unset = "file"
    file: FileData | Unset = UNSET
    cache_control: CacheControl | Unset | None = UNSET


@define(kw_only=True, repr=False)
class RefusalPart(Request):
    """What the model said when it refused."""

    type: str | Unset = "refusal"
    refusal: str | Unset = UNSET


@define(kw_only=True, repr=False)
class ReasoningPart(Request):
    """Reasoning to be sent back, with the signature it came with."""

    type: str | Unset = "reasoning"
    reasoning: str | Unset = UNSET
    signature: str | Unset = UNSET


@define(kw_only=True, repr=False)
class RedactedReasoningPart(Request):
    """Reasoning to be sent back that the provider encrypted."""

    type: str | Unset = "redacted_reasoning"
    data: str | Unset = UNSET


@define(kw_only=True, repr=False)
class OtherPart(Request):
    """A part of a type this library doesn't know; its fields are in ``extra``."""

    type: str | Unset = UNSET


Part = (
    TextPart
    | ImagePart
    | InputAudioPart
    | FilePart
    | RefusalPart
    | ReasoningPart
    | RedactedReasoningPart
    | OtherPart
)
