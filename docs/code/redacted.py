from orq_core import Orq
from orq_plugins import Detector, Redaction
from orq_plugins.redaction import DEFAULT

ticket = Detector("TICKET", r"\bACME-[0-9]{4,8}\b")
plugin = Redaction(detectors=(ticket, *DEFAULT), actions={"CREDIT_CARD": "block"})

with Orq(plugins=[plugin]) as client:
    stream = client.router.chat.completions.create(
        model="openai/gpt-4o-mini",
        messages=[{"role": "user", "content": "Close ACME-12345 and tell jane.doe@example.com."}],
        stream=True,
    )
    print("".join(stream.text_deltas()))
    print(stream.info.notes["redaction"])
