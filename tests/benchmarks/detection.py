"""Precision, recall and growth of the default detectors.

``python -m tests.benchmarks.detection [--show]`` prints them for the labelled texts and the
recorded traffic in ORQ_SHARED, for the corpus, and for the project's own documentation.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from orq_plugins.redaction.detectors import DEFAULT
from orq_plugins.redaction.detectors.checks import luhn, mod97
from orq_plugins.redaction.matcher import Match, Matcher
from tests.benchmarks.growth import growth
from tests.plugins.redaction.detectors.corpus import cases
from tests.shared import ROOT, SHARED, exchanges

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MATCHER = Matcher.of(DEFAULT)

# What labels of other people mean here. What fails its checksum is no such number.
LABELS = {
    "EMAIL_ADDRESS": "EMAIL",
    "EMAIL": "EMAIL",
    "PHONE_NUMBER": "PHONE",
    "PHONENUMBER": "PHONE",
    "CREDIT_CARD": "CREDIT_CARD",
    "CREDITCARDNUMBER": "CREDIT_CARD",
    "IBAN_CODE": "IBAN",
    "IBAN": "IBAN",
    "US_SSN": "US_SSN",
    "SSN": "US_SSN",
    "NATIONALID": "US_SSN",
    "IP_ADDRESS": "IP",
    "PASSWORD": "SECRET",
    "SECURITYTOKEN": "SECRET",
}
VALID = {
    "CREDIT_CARD": luhn,
    "IBAN": lambda text: mod97(text.replace(" ", "")),
    "US_SSN": lambda text: not (text.startswith(("000", "666", "9")) or "-00-" in text),
}


class Gold(NamedTuple):
    start: int
    end: int
    entity: str
    scored: bool = True


class Text(NamedTuple):
    text: str
    spans: tuple[Gold, ...]


class Score(NamedTuple):
    """Counts by entity, and what was missed and found wrongly, in its surroundings."""

    wanted: Counter[str]
    masked: Counter[str]
    found: Counter[str]
    right: Counter[str]
    noise: Counter[str]
    missed: list[str]
    wrong: list[str]


def common(entity: str) -> str:
    return "IP" if entity in {"IPV4", "IPV6"} else entity


def score(texts: Iterable[Text]) -> Score:
    """Count masked values and right hits; a value is masked if nothing of it is left."""
    result = Score(Counter(), Counter(), Counter(), Counter(), Counter(), [], [])
    for text, spans in texts:
        matches = MATCHER.all(text)
        for gold in spans:
            if not gold.scored:
                result.noise[gold.entity] += 1
                continue
            result.wanted[gold.entity] += 1
            if _covered(gold, matches):
                result.masked[gold.entity] += 1
            else:
                result.missed.append(f"{gold.entity}: {around(text, gold.start, gold.end)}")
        for match in matches:
            entity = common(match.entity)
            result.found[entity] += 1
            if any(s.entity == entity and overlaps(s, match) for s in spans):
                result.right[entity] += 1
            else:
                result.wrong.append(f"{entity}: {around(text, match.start, match.end)}")
    return result


def _covered(gold: Gold, matches: Iterable[Match]) -> bool:
    left = set(range(gold.start, gold.end))
    for match in matches:
        left -= set(range(match.start, match.end))
    return not left


def overlaps(gold: Gold, match: Match) -> bool:
    return gold.start < match.end and match.start < gold.end


def around(text: str, start: int, end: int) -> str:
    before, after = text[max(0, start - 20) : start], text[end : end + 20]
    return f"…{before}⟦{text[start:end][:80]}⟧{after}…".replace("\n", "⏎")


def corpus() -> list[Text]:
    return [
        Text(case.text, tuple(Gold(s, e, common(entity)) for s, e, entity in case.spans))
        for case in cases()
    ]


def labelled() -> Iterator[tuple[str, list[Text]]]:
    """Yield the labelled sets by name."""
    folder = SHARED / "labelled"
    presidio = json.loads((folder / "presidio_synth_v2.json").read_bytes())
    yield (
        "presidio_synth_v2",
        [
            _text(
                each["full_text"],
                [
                    (span["start_position"], span["end_position"], span["entity_type"])
                    for span in each["spans"]
                ],
            )
            for each in presidio
        ],
    )
    lines = (folder / "kiji_samples.jsonl").read_text().splitlines()
    yield (
        "kiji_samples",
        [
            _text(each["text"], [(e["start"], e["end"], e["label"]) for e in each["entities"]])
            for each in map(json.loads, lines)
        ],
    )


def _text(text: str, spans: list[tuple[int, int, str]]) -> Text:
    golds = []
    for start, end, label in spans:
        entity = LABELS.get(label)
        if entity is not None:
            valid = VALID.get(entity)
            golds.append(Gold(start, end, entity, valid is None or valid(text[start:end])))
    return Text(text, tuple(golds))


def table(name: str, result: Score) -> None:
    print(f"\n{name}")
    heads = "".join(
        f"{head:>8}" for head in ("wanted", "masked", "recall", "hits", "right", "prec.")
    )
    print(f"  {'entity':<16}{heads}")
    for entity in sorted(result.wanted | result.found):
        wanted, found = result.wanted[entity], result.found[entity]
        recall = f"{result.masked[entity] / wanted:.3f}" if wanted else "-"
        precision = f"{result.right[entity] / found:.3f}" if found else "-"
        noise = f"   {result.noise[entity]} labels fail their check" if result.noise[entity] else ""
        print(
            f"  {entity:<16}{wanted:>8}{result.masked[entity]:>8}{recall:>8}"
            f"{found:>8}{result.right[entity]:>8}{precision:>8}{noise}",
        )
    wanted, masked = sum(result.wanted.values()), sum(result.masked.values())
    found, right = sum(result.found.values()), sum(result.right.values())
    print(f"  all: recall {masked / max(1, wanted):.4f}, precision {right / max(1, found):.4f}")


def documents() -> Iterator[tuple[str, str]]:
    """Yield the project's documentation and code by path."""
    for pattern in ("README.md", "CHANGELOG.md", "docs/**/*.md", "orq_*/**/*.py", "docs/**/*.py"):
        for path in sorted(ROOT.glob(pattern)):
            yield str(path.relative_to(ROOT)), path.read_text()


def traffic() -> Iterator[tuple[str, str]]:
    """Yield what was asked and answered, by name."""
    for exchange in exchanges():
        yield exchange.name, json.dumps(exchange.request, ensure_ascii=False)
        yield exchange.name, exchange.body


def false_hits(name: str, texts: Iterable[tuple[str, str]], *, show: bool) -> None:
    """Count hits in texts that hold nothing private."""
    counts: Counter[str] = Counter()
    seen: dict[str, list[str]] = defaultdict(list)
    characters = 0
    for where, text in texts:
        characters += len(text)
        for match in MATCHER.all(text):
            counts[match.entity] += 1
            seen[match.entity].append(f"{where}: {around(text, match.start, match.end)}")
    print(f"\n{name}: {characters} characters, hits: {dict(sorted(counts.items())) or 'none'}")
    if show:
        for entity in sorted(seen):
            for line in seen[entity]:
                print(f"  {entity:<16}{line}")


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--show", action="store_true", help="list what was missed and hit wrongly")
    show: bool = parser.parse_args().show
    sets = [("corpus", corpus())]
    if (SHARED / "labelled").is_dir():
        sets.extend(labelled())
    for name, texts in sets:
        result = score(texts)
        table(name, result)
        if show:
            for line in [f"missed {each}" for each in result.missed]:
                print(f"  {line}")
            for line in [f"wrong  {each}" for each in result.wrong]:
                print(f"  {line}")
    false_hits("documentation and code", documents(), show=show)
    false_hits("recorded traffic", traffic(), show=show)
    growth(MATCHER)


if __name__ == "__main__":
    main()
