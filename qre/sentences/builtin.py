"""The built-in English sentences: a fixed stream of written-by-rule sentences with true labels.

A *meaning* is a set of slot concepts within one topic (who did what to what, where, when, why, and so on). A sentence
realises a meaning: it picks a surface form for every concept and a syntactic frame. Sentences of one meaning form a
paraphrase *group*. The words are in :mod:`qre.sentences.lexicon`, the drawing of meanings in
:mod:`qre.sentences.meanings` and the grammar in :mod:`qre.sentences.realisation`; this module strings groups into the
stream and grades two sentences.

The stream is fixed forever: a draw more, or in another place, anywhere behind it would change every later sentence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from qre.sentences.draw import Draw
from qre.sentences.lexicon import TOPICS
from qre.sentences.meanings import Slots, draw_meaning, meaning_of, near_miss
from qre.sentences.realisation import sentence

MAXIMUM = 50_000
TOPIC_NAMES: tuple[str, ...] = tuple(TOPICS)


@dataclass(frozen=True, slots=True)
class BuiltinSentence:
    """One sentence with its labels.

    text: 5 to 30 words, starts with a capital, ends with ``.``, ``?`` or ``!``.
    topic: one of TOPIC_NAMES.
    group: paraphrase group, counted from 0 in order of first appearance in the stream of one seed.
    meaning: ``"slot=concept"`` entries; equal meanings (in one topic) are paraphrases.
    """

    text: str
    topic: str
    group: int
    meaning: tuple[str, ...]


def generate(n: int, seed: int = 0) -> list[BuiltinSentence]:
    """Return the first ``n`` sentences of the stream of ``seed``; all texts differ, all topics are mixed evenly.

    The same ``n`` and ``seed`` (both >= 0) give the same sentences for ever, and a smaller ``n`` gives a prefix.
    Raises ValueError if ``n`` is negative or above MAXIMUM, or if ``seed`` is negative.
    """
    if not 0 <= n <= MAXIMUM:
        raise ValueError(f"n must be between 0 and {MAXIMUM} (the maximum of built-in sentences), got {n}")
    if seed < 0:  # random.Random drops the sign, so two seeds would share one stream
        raise ValueError(f"seed must be 0 or more, got {seed}")
    return list(islice(_stream(Draw(seed)), n))


# What a slot weighs in similarity(). The event itself counts most, its circumstances least.
_WEIGHTS = {
    "kind": 0.6,
    "scene": 3.0,
    "agent": 2.0,
    "object": 2.5,
    "patient": 2.0,
    "matter": 2.5,
    "subject": 3.0,
    "item": 3.0,
    "about": 2.0,
    "target": 2.5,
    "other": 2.5,
    "adjective": 2.5,
    "mode": 1.0,
    "polarity": 1.0,
    "number": 1.2,
    "scene2": 3.0,
    "agent2": 2.0,
    "object2": 2.5,
    "place": 0.8,
    "cause": 0.9,
    "time": 0.6,
}
_SMALL_WEIGHT = 0.5


def similarity(a: BuiltinSentence, b: BuiltinSentence) -> float:
    """Return the graded similarity of two meanings, 0.0 (other topic) to 5.0 (same meaning), as in STS-Benchmark.

    Within a topic it grows from 0.7 with the weighted share of slot concepts in common; a concept found in another
    slot (the agent became the patient) counts half, and a negated event or exchanged roles stay in the middle.
    Symmetric.
    """
    if a.topic != b.topic:
        return 0.0
    if a.meaning == b.meaning:
        return 5.0
    left, right = (dict(entry.split("=", 1) for entry in s.meaning) for s in (a, b))
    left_values, right_values = set(left.values()), set(right.values())
    shared = total = 0.0
    for slot in sorted(left.keys() | right.keys()):
        weight = _WEIGHTS.get(slot, _SMALL_WEIGHT)
        if slot not in left or slot not in right:  # said by one side only: weaker evidence than a clash
            weight /= 2
        total += weight
        if left.get(slot) == right.get(slot):
            shared += weight
        elif left.get(slot) in right_values or right.get(slot) in left_values:
            shared += weight / 2
    share = shared / total
    exchanged = "patient" in left and left["agent"] == right.get("patient") and left["patient"] == right.get("agent")
    if exchanged or left.get("polarity", "yes") != right.get("polarity", "yes"):
        share *= 0.65
    return round(min(4.8, 0.7 + 4.1 * share), 3)


# ---- the stream --------------------------------------------------------------------------------------------------

_GROUP_SIZES = (1, 1, 2, 2, 2, 2, 3, 3, 3, 4)
_TRIES_PER_MEMBER = 7
_TRIES_PER_GROUP = 2_000
_MOST_OVERLAP = 0.6  # of the words of two members; above it a paraphrase is hardly one
_WAITING = 5  # members of open groups a topic may hold back before it must let one go
_RECENT = 10  # meanings of a topic that a near miss may start from


def _new_group(
    d: Draw, topic: str, recent: list[Slots], meanings: set[tuple[str, tuple[str, ...]]], texts: set[str]
) -> tuple[tuple[str, ...], list[str]]:
    """Draw an unused meaning and write its members, 1 to 4 texts; both sets and ``recent`` are updated.

    Raises:
        RuntimeError: _TRIES_PER_GROUP draws gave no unused meaning.
    """
    for _ in range(_TRIES_PER_GROUP):
        if recent and d.chance(0.28):
            m = near_miss(d, topic, d.pick(recent))
        else:
            m = draw_meaning(d, topic)
        meaning = meaning_of(m)
        if (topic, meaning) in meanings:
            continue
        members = _members(d, topic, m, texts)
        if members:
            meanings.add((topic, meaning))
            recent.append(m)
            del recent[:-_RECENT]
            return meaning, members
    raise RuntimeError(
        f"no unused meaning of topic {topic!r} found in {_TRIES_PER_GROUP} draws; the lexicon is too small"
    )


def _members(d: Draw, topic: str, m: Slots, texts: set[str]) -> list[str]:
    """At most four new texts of one meaning that differ in their words; they are added to ``texts``."""
    size = d.pick(_GROUP_SIZES)
    members: list[str] = []
    bags: list[set[str]] = []
    for _ in range(size * _TRIES_PER_MEMBER):
        text = sentence(d, topic, m)
        if text is None or text in texts:
            continue
        bag = set(text.lower().rstrip(".?!").replace(",", "").split())
        if all(len(bag & other) <= _MOST_OVERLAP * len(bag | other) for other in bags):
            members.append(text)
            bags.append(bag)
            texts.add(text)
            if len(members) == size:
                break
    return members


def _stream(d: Draw) -> Iterator[BuiltinSentence]:
    """Endless mixed stream: each block holds every topic once, in drawn order."""
    meanings: set[tuple[str, tuple[str, ...]]] = set()
    texts: set[str] = set()
    recent: dict[str, list[Slots]] = {topic: [] for topic in TOPIC_NAMES}
    waiting: dict[str, list[BuiltinSentence]] = {topic: [] for topic in TOPIC_NAMES}
    group = 0
    while True:
        block = list(TOPIC_NAMES)
        while block:
            topic = block.pop(d.index(len(block)))
            held = waiting[topic]
            if len(held) > _WAITING or (held and d.chance(0.45)):
                yield held.pop(d.index(len(held)))
                continue
            meaning, members = _new_group(d, topic, recent[topic], meanings, texts)
            first, *others = (BuiltinSentence(text, topic, group, meaning) for text in members)
            held.extend(others)
            group += 1
            yield first
