from orq_core import Call, Ending, Layer, Orq, hookimpl, observe


class Stopwatch:
    """Prints how each call ended; the same code serves Orq and AsyncOrq."""

    @hookimpl
    def orq_wrap_create(self, call: Call) -> Layer:
        return observe(end=self.report)

    def report(self, ending: Ending) -> None:
        print(f"{ending.outcome} after {ending.items} items and {ending.seconds:.2f} s")


with Orq(plugins=[Stopwatch()]) as client:
    client.router.chat.completions.create(
        model="openai/gpt-4o-mini",
        messages=[{"role": "user", "content": "hi"}],
    )
