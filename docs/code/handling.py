from orq_core import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    Orq,
    OrqError,
    RateLimitError,
    StreamError,
)


def ask(client: Orq, prompt: str) -> str:
    try:
        stream = client.router.chat.completions.create(
            model="openai/gpt-4o-mini",
            messages=[{"role": "user", "content": prompt}],
            stream=True,
        )
        return stream.completion().text
    except RateLimitError as error:
        return f"busy; try again in {error.retry_after or 1} s"
    except APIStatusError as error:
        return f"refused with {error.status_code} ({error.code}), request {error.request_id}"
    except StreamError as error:
        return error.partial.text if error.partial else ""  # what had arrived is not lost
    except APITimeoutError as error:
        return f"too slow: the limit {error.kind} was reached"
    except APIConnectionError:
        return "no connection"
    except OrqError as error:
        return f"not sent: {error}"


with Orq() as client:
    print(ask(client, "Why is the sky blue?"))
