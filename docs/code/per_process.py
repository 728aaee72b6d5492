from functools import cache

from orq_core import Orq


@cache
def client() -> Orq:
    """Made at first use, so in the process that uses it; shared by its threads."""
    return Orq(timeout=30)


def answer(prompt: str) -> str:
    """What a view or a task calls."""
    completion = client().router.chat.completions.create(
        model="openai/gpt-4o-mini",
        messages=[{"role": "user", "content": prompt}],
    )
    return completion.text


if __name__ == "__main__":
    print(answer("Why is the sky blue?"))
    client().close()
