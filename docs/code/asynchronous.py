import asyncio

from orq_core import AsyncOrq


async def main() -> None:
    async with AsyncOrq() as client:
        stream = await client.router.chat.completions.create(
            model="openai/gpt-4o-mini",
            messages=[{"role": "user", "content": "Why is the sky blue?"}],
            stream=True,
        )
        async with stream:
            async for chunk in stream:
                print(chunk.text, end="", flush=True)


asyncio.run(main())
