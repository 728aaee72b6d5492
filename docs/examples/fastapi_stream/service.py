"""A web service that streams completions to the browser, and stops them when it leaves.

Run it: ``uvicorn service:app``, with ORQ_API_KEY set, and open http://127.0.0.1:8000.
"""

import asyncio
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import BaseModel, Field

from orq_core import APIStatusError, APITimeoutError, AsyncOrq, AsyncStream, OrqError

MODEL = os.environ.get("CHAT_MODEL", "openai/gpt-4o-mini")
PAGE = Path(__file__).with_name("page.html")


class Question(BaseModel):
    """What the browser sends; the model is not the browser's choice."""

    prompt: Annotated[str, Field(min_length=1, max_length=10_000)]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
    """Keep one client for all requests: its connections are shared."""
    async with AsyncOrq(timeout=60) as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def page() -> FileResponse:
    """Send the page."""
    return FileResponse(PAGE, media_type="text/html")


@app.post("/chat")
async def chat(question: Question, request: Request) -> StreamingResponse:
    """Stream an answer as server-sent events: text, then done or error."""
    client: AsyncOrq = request.app.state.client
    asking = client.router.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": question.prompt}],
        stream=True,
    )
    try:
        # What fails before the first event can still be a status.
        stream = await unless_left(request, asking)
    except OrqError as error:
        status = 504 if isinstance(error, APITimeoutError) else 502
        if isinstance(error, APIStatusError) and error.status_code == 429:
            status = 429
        raise HTTPException(status, describe(error)) from error
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # proxies must not collect
    return StreamingResponse(events(stream), media_type="text/event-stream", headers=headers)


async def events(stream: AsyncStream) -> AsyncIterator[str]:
    """Write the stream for the browser; cancelled when the browser leaves, which closes it."""
    async with stream:
        try:
            async for text in stream.text_deltas():
                yield event("text", text)
            choices = stream.partial.choices
            yield event("done", choices[0].finish_reason if choices else None)
        except OrqError as error:
            yield event("error", describe(error))  # too late for a status


async def unless_left(request: Request, asking: Coroutine[Any, Any, AsyncStream]) -> AsyncStream:
    """Wait for a stream, but not longer than the browser does: nobody else would notice."""
    opening = asyncio.create_task(asking)
    leaving = asyncio.create_task(left(request))
    try:
        await asyncio.wait({opening, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if opening.done():
            return opening.result()
        raise HTTPException(499, "the client has left")  # read by nobody but the access log
    finally:
        leaving.cancel()
        if not opening.done():
            opening.cancel()
            await asyncio.wait({opening})


async def left(request: Request) -> None:
    """Return once the connection to the browser is gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def event(name: str, data: object) -> str:
    """Write one server-sent event."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


def describe(error: OrqError) -> dict[str, Any]:
    """Say what went wrong, for people to report; without what the upstream server said."""
    return {"error": type(error).__name__, "request_id": error.request_id}
