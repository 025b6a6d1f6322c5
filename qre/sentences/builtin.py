"""The built-in English sentences: a fixed stream of written-by-rule sentences with true labels.

A *meaning* is a set of slot concepts within one topic (who did what to what, where, when, why, and so on). A sentence
realises a meaning: it picks a surface form for every concept and a syntactic frame. Sentences of one meaning form a
paraphrase *group*. The words are in :mod:`qre.sentences.lexicon`; this module holds the grammar.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from qre.sentences import lexicon as lex

MAXIMUM = 50_000
TOPIC_NAMES: tuple[str, ...] = tuple(lex.TOPICS)

# Slots are held as "first form|other form" strings; the first form is the concept that similarity() compares.
Slots = dict[str, str]


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
    return list(islice(_stream(_Draw(seed)), n))


# What a slot weighs in similarity(). The event itself counts most, its circumstances least.
_WEIGHTS = {"kind": 0.6, "scene": 3.0, "agent": 2.0, "object": 2.5, "patient": 2.0, "matter": 2.5, "subject": 3.0, "item": 3.0,
            "about": 2.0, "target": 2.5, "other": 2.5, "adjective": 2.5, "mode": 1.0, "polarity": 1.0, "number": 1.2,
            "scene2": 3.0, "agent2": 2.0, "object2": 2.5, "place": 0.8, "cause": 0.9, "time": 0.6}
_SMALL_WEIGHT = 0.5


def similarity(a: BuiltinSentence, b: BuiltinSentence) -> float:
    """Return the graded similarity of two meanings, 0.0 (other topic) to 5.0 (same meaning), as in STS-Benchmark.

    Within a topic it grows from 0.7 with the weighted share of slot concepts in common; a concept found in another
    slot (the agent became the patient) counts half, and a negated event or exchanged roles stay in the middle. Symmetric.
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


class _Draw:
    """Choices from random.Random.random() alone, the one method whose values Python keeps fixed across versions."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def index(self, n: int) -> int:
        return int(self._random() * n)

    def chance(self, p: float) -> bool:
        return self._random() < p

    def pick(self, options: Sequence):
        return options[int(self._random() * len(options))]

    def weighted(self, options: dict[str, float]) -> str:
        at = self._random() * sum(options.values())
        for name, weight in options.items():
            at -= weight
            if at < 0:
                return name
        return name

    def form(self, concept: str) -> str:
        return self.pick(concept.split("|"))

    def noun(self, concept: str) -> tuple[str, bool]:
        """A noun phrase and whether it is plural."""
        text = self.form(concept)
        return text.rstrip("+"), text.endswith("+")


# ---- meanings ----------------------------------------------------------------------------------------------------

_KINDS = {"event": 46.0, "social": 14.0, "interest": 15.0, "opinion": 8.0, "compare": 3.0, "advice": 5.0, "fact": 5.0,
          "count": 6.0, "pair": 5.0}
_SCENES = {topic: {scene[0]: scene for scene in data["scenes"]} for topic, data in lex.TOPICS.items()}
_SINGLE_PEOPLE = {topic: [p for p in data["people"] if "+" not in p] for topic, data in lex.TOPICS.items()}
_PAST = {topic: [t for t in lex.PAST_TIMES if topic not in lex.DAYTIME_TOPICS or t not in lex.ODD_HOURS] for topic in lex.TOPICS}


def _person(d: _Draw, topic: str, role_chance: float) -> str:
    if d.chance(role_chance):
        return d.pick(_SINGLE_PEOPLE[topic])
    return d.pick(lex.NAMES) if d.chance(0.75) else d.pick(lex.KIN)


def _two_people(d: _Draw, topic: str, first_role: float, second_role: float) -> tuple[str, str]:
    first = second = _person(d, topic, first_role)
    while second == first:
        second = _person(d, topic, second_role)
    return first, second


def _event_core(d: _Draw, topic: str, key: str) -> Slots:
    _, _, who, _, objects, _, _, *own = _SCENES[topic][key]
    if own:
        agent = d.pick(own[0])
    else:
        code = d.pick(who)
        agent = d.pick(lex.NAMES) if code == "N" else d.pick(("I", "we")) if code == "I" else lex.TOPICS[topic]["people"][int(code)]
    return {"scene": key, "agent": agent, "object": d.pick(objects)}


def _event(d: _Draw, topic: str) -> Slots:
    key = d.pick(list(_SCENES[topic]))
    _, flags, _, _, _, places, causes, *own = _SCENES[topic][key]
    m = {"kind": "event", **_event_core(d, topic, key), "mode": "past", "polarity": "yes"}
    if "p" in flags and d.chance(0.4):
        m["mode"] = d.pick(list(lex.MODES))
    elif "h" in flags and d.chance(0.15):
        m["mode"] = "habit"
    when = "habit" if m["mode"] == "habit" else lex.MODES.get(m["mode"], ("past",))[0]
    if when == "habit" or d.chance(0.5):
        m["time"] = d.pick({"past": _PAST[topic], "future": lex.FUTURE_TIMES, "habit": lex.HABIT_TIMES}[when])
    if places and d.chance(0.4):
        m["place"] = d.pick(places)
    if m["mode"] in ("past", "future"):
        if d.chance(0.14):
            m["polarity"] = "no"
        elif m["agent"] not in ("I", "we") and not own and d.chance(0.14):
            m["ask"] = "yes"
    if m["mode"] != "past" or m["polarity"] == "no" or "ask" in m:
        return m
    manners = [lex.MANNERS[letter] for letter in flags if letter in lex.MANNERS]
    if manners and d.chance(0.22):
        m["manner"] = d.pick(manners)
    extra = d.index(10)
    if extra < 3:
        m["cause"] = d.pick(causes)
    elif extra == 3:
        m["reporter"] = d.pick(lex.REPORTERS)
    elif extra == 4:
        m["attitude"] = d.pick([forms for sign, forms in lex.ATTITUDES if sign in flags])
    elif extra == 5:
        m["effect"] = d.pick([forms for sign, forms in lex.EFFECTS if sign in flags])
    elif extra == 6 and not own and m["agent"] not in ("I", "we", *lex.BODIES) and "+" not in m["agent"]:
        m["aside"] = d.pick(lex.ASIDES)
    return m


def _draw_meaning(d: _Draw, topic: str, kind: str) -> Slots:
    data = lex.TOPICS[topic]
    if kind == "event":
        return _event(d, topic)
    m: Slots = {"kind": kind}
    if kind == "social":
        m["scene"] = d.pick(list(lex.SOCIAL))
        m["polarity"] = "no" if m["scene"].startswith("not-") else "yes"
        m["scene"] = m["scene"].removeprefix("not-")
        m["agent"], m["patient"] = _two_people(d, topic, 0.4, 0.4)
        m["matter"] = d.pick(data["matters"])
        if d.chance(0.3):
            m["time"] = d.pick(_PAST[topic])
    elif kind == "interest":
        m["scene"] = d.pick(list(lex.INTEREST))
        m["agent"], m["subject"] = _person(d, topic, 0.06), d.pick(data["subjects"])
        if lex.INTEREST[m["scene"]][0] and d.chance(0.4):
            m["time"] = d.pick(_PAST[topic])
    elif kind == "opinion":
        m["target"], adjectives = d.pick(data["opinions"])
        m["adjective"] = d.pick(adjectives.split())
        m["agent"] = "I" if d.chance(0.25) else _person(d, topic, 0.15)
        m["polarity"] = "no" if d.chance(0.22) else "yes"
    elif kind == "compare":
        m["agent"] = "I" if d.chance(0.2) else _person(d, topic, 0.15)
        m["target"] = m["other"] = d.pick(data["rivals"])
        while m["other"] == m["target"]:
            m["other"] = d.pick(data["rivals"])
    elif kind in ("advice", "fact"):
        key, _, about = d.pick(data["advice" if kind == "advice" else "facts"])
        m["item"], m["about"] = key, d.pick(about)
        if d.chance(0.6):
            m["agent"], m["patient"] = _two_people(d, topic, 0.5, 0.1)
    elif kind == "count":
        at = d.index(len(data["counts"]))
        frames, size = data["counts"][at]
        m["item"], m["number"] = f"count {at}", d.pick(lex.SMALL_NUMBERS if size == "S" else lex.LARGE_NUMBERS)
        if d.chance(0.5):
            m["quantifier"] = d.pick(lex.QUANTIFIERS)
        if "{t}" in frames[0] and d.chance(0.7):
            m["time"] = d.pick(_PAST[topic])
    else:  # two events in a row, done by two agents
        keys = list(_SCENES[topic])
        first = second = _event_core(d, topic, d.pick(keys))
        while second["agent"] == first["agent"] or second["scene"] == first["scene"]:  # some scenes have one agent only
            first, second = (_event_core(d, topic, d.pick(keys)) for _ in range(2))
        m |= first | {slot + "2": concept for slot, concept in second.items()}
    return m


def _near_miss(d: _Draw, topic: str, old: Slots) -> Slots:
    """A meaning one step away from ``old``: roles swapped, negated, or one concept replaced."""
    m = dict(old)
    for first, second in (("agent", "patient"), ("target", "other")):
        if second in m and m["kind"] in ("social", "compare") and d.chance(0.5):
            return m | {first: m[second], second: m[first]}
    if m["kind"] == "pair":
        swapped = {slot: old[slot + "2"] for slot in ("scene", "agent", "object")}
        return m | swapped | {slot + "2": old[slot] for slot in swapped}
    if m["kind"] == "event" and m["mode"] in ("past", "future") and d.chance(0.5):
        m["polarity"] = "no" if m["polarity"] == "yes" else "yes"
        return {slot: c for slot, c in m.items() if slot not in ("manner", "cause", "reporter", "attitude", "effect", "aside", "ask")}
    new = _event_core(d, topic, m["scene"]) if m["kind"] == "event" else _draw_meaning(d, topic, m["kind"])
    slots = [slot for slot in new if m.get(slot, new[slot]) != new[slot] and slot not in ("scene", "item", "adjective", "target")]
    if m["kind"] == "social" and "not-" + m["scene"] not in lex.SOCIAL:
        slots = [slot for slot in slots if slot != "polarity"]
    if m["kind"] in ("advice", "fact", "count"):  # what fits an item is known to its own draw only
        slots = [slot for slot in slots if slot not in ("about", "number") or new["item"] == m["item"]]
    if slots:
        slot = d.pick(slots)
        m[slot] = new[slot]
    clash = m.get("agent") in (m.get("patient"), m.get("agent2")) or m.get("target") == m.get("other", "")
    return old if clash or (m.get("agent") in ("I", "we") and "ask" in m) or ("aside" in m and m["agent"] != old["agent"]) else m


# ---- realisation -------------------------------------------------------------------------------------------------

@lru_cache(maxsize=None)
def _verbs(table: str) -> list[tuple[str, str, str, str, bool]]:
    """Parse a scene's verbs into (base, past, participle, words after the object, passive allowed)."""
    parsed = []
    for entry in table.split("|"):
        forms, _, tail = entry.rstrip("!").partition("~")
        parts = forms.split("/")
        added = parts[-1].partition(" ")[2] if " " not in parts[0] else ""
        if added:
            parts = [part.removesuffix(" " + added) + " " + added for part in parts]
        parsed.append((parts[0], parts[1], parts[-1], tail, not entry.endswith("!")))
    return parsed


def _third_person(base: str) -> str:
    verb, space, rest = base.partition(" ")
    if re.search("(s|x|z|ch|sh|o)$", verb):
        verb += "es"
    elif re.search("[^aeiou]y$", verb):
        verb = verb[:-1] + "ies"
    else:
        verb += "s"
    return verb + space + rest


def _join(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _fill(template: str, **words: str) -> str:
    return template.format(**words)


def _be(many: bool) -> str:
    return "were" if many else "was"


def _simple(d: _Draw, topic: str, m: Slots, suffix: str, perfect: bool) -> str:
    """Agent, verb and object in the past tense (or past perfect), nothing else."""
    base, past, participle, tail, _ = d.pick(_verbs(_SCENES[topic][m["scene" + suffix]][3]))
    agent, _ = d.noun(m["agent" + suffix])
    return _join(agent, "had " + participle if perfect else past, d.noun(m["object" + suffix])[0], tail)


def _event_text(d: _Draw, topic: str, m: Slots) -> str:
    base, past, participle, tail, passive = d.pick(_verbs(_SCENES[topic][m["scene"]][3]))
    agent, many = d.noun(m["agent"])
    obj, objects = d.noun(m["object"])
    person = 2 if agent == "I" else 1 if many or agent == "we" else 0
    clausal = obj.startswith(("how ", "why "))  # fits after a verb only: no passive, no cleft
    passive = passive and not clausal and person != 2 and agent != "we"
    manner, place, time = (d.form(m[slot]) if slot in m else "" for slot in ("manner", "place", "time"))
    no = m["polarity"] == "no"

    if m["mode"] == "past":
        finite, be = ("did not " + base if no else past), _be(objects) + (" not" if no else "")
        if not (no or time or "cause" in m or "ask" in m) and d.chance(0.3):
            finite, be = ("have " if person else "has ") + participle, ("have been" if objects else "has been")
    elif m["mode"] == "habit":
        finite, be = (base if person else _third_person(base)), ("are" if objects else "is")
    else:
        options = lex.MODES[m["mode"]][1].split("|")
        option = d.pick(options).split("/")
        finite = (option + option[1:])[person] + " " + base
        be = {"future": "will be", "must": "must be"}.get(m["mode"], "")
        if no:
            finite = ("will not ", ("is", "are", "am")[person] + " not going to ")[d.index(2)] + base
            be = "will not be"
        passive = passive and bool(be)

    if "ask" in m:
        tails = _join(tail, place, time)
        future = m["mode"] == "future"
        frames = [_join("will" if future else "did", agent, base, obj, tails), _join("do you know whether", agent, finite, obj, tails),
                  _join("can anyone tell me if", agent, finite, obj, tails)]
        if passive:
            frames.append(_join("will" if future else _be(objects), obj, "be" if future else "", participle, tail, "by", agent, place, time))
            frames.append(_join("is it true that", obj, be, participle, tail, "by", agent, place, time))
        return d.pick(frames) + "?"

    prefixed = any(slot in m for slot in ("cause", "reporter", "attitude"))  # one opening phrase is enough
    front = "" if prefixed or not (time or place) else time if time and place else time or place
    if d.chance(0.15 if time and place else 0.6):  # two phrases at the end run into one another
        front = ""
    rest = _join(manner, *(c for c in (place, time) if c != front))
    lead = front + ", " if front else ""
    if "aside" in m:
        aside = d.form(m["aside"])
        frames = [lead + _join(agent + ",", aside + ",", finite, obj, tail, rest)]
        if passive and not front:
            frames.append(_join(obj, be, participle, tail, rest, "by", agent + ",", aside))
        return d.pick(frames)
    frames = [lead + _join(agent, finite, obj, tail, rest)]
    if passive:
        frames.append(lead + _join(obj, be, participle, tail, "by", agent, rest))
        if m["mode"] == "past" and manner == "" and not front:
            frames.append(_join(obj, be, participle, tail, rest, "by", agent))
    if m["mode"] == "past" and person == 0 and not clausal:
        pronoun = "that" if len(_SCENES[topic][m["scene"]]) > 7 else "who"  # storms and animals are no "who"
        frames.append(lead + _join("it was", agent, pronoun, finite, obj, tail, rest))
        if not no and not front:
            frames.append(_join("it was", obj, "that", agent, past, tail, rest))
            if not objects and "x" not in _SCENES[topic][m["scene"]][1]:
                frames.append(_join("what", agent, past, tail, rest, "was", obj))
    text = d.pick(frames) if d.chance(0.75) else frames[0]

    if "cause" in m:
        why = d.form(m["cause"])
        link = d.index(6)
        if link < 2:
            return f"{text} because {why}"
        if link == 2:
            return f"{why}, so {text}"
        if link == 3:
            return f"{text}, as {why}"
        return f"{('since', 'because')[link - 4]} {why}, {text}"
    if "effect" in m:
        return f"{text}, {d.form(m['effect'])}"
    if "attitude" in m:
        return d.form(m["attitude"]) + " " + text
    if "reporter" in m:
        return _fill(d.pick(lex.REPORT_FRAMES), R=d.form(m["reporter"]), S=text)
    return text


def _text(d: _Draw, topic: str, m: Slots) -> str:
    """One way of saying ``m``, still without a capital; a full stop is added later unless a mark is there."""
    kind, data = m["kind"], lex.TOPICS[topic]
    agent = d.form(m["agent"]) if "agent" in m else ""
    patient = d.form(m["patient"]) if "patient" in m else ""
    if kind == "event":
        return _event_text(d, topic, m)
    if kind == "pair":
        first, second = ([_simple(d, topic, m, suffix, perfect) for perfect in (False, True)] for suffix in ("", "2"))
        return d.pick(lex.PAIR_FRAMES).replace("{1p}", first[1]).replace("{1}", first[0]).replace("{2}", second[0])
    if kind in ("social", "interest"):
        if kind == "social":
            matter = d.form(m["matter"])
            text = _fill(d.pick(lex.SOCIAL[("not-" if m["polarity"] == "no" else "") + m["scene"]]), A=agent, B=patient, a=agent, b=patient, M=matter)
        else:
            text = _fill(d.pick(lex.INTEREST[m["scene"]][1]), A=agent, S=d.form(m["subject"]))
        if "time" in m:
            time = d.form(m["time"])
            return f"{text} {time}" if d.chance(0.5) and "," not in text else f"{time}, {text}"
        return text
    if kind in ("opinion", "compare"):
        (target, many), me, no = d.noun(m["target"]), m["agent"] == "I", m.get("polarity") == "no"
        if kind == "compare":
            other, others = d.noun(m["other"])
            return _fill(d.pick(lex.COMPARE_ME if me else lex.COMPARE), A=agent, O=target, P=other)
        frames = (lex.OPINION_ME_NOT if no else lex.OPINION_ME) if me else (lex.OPINION_NOT if no else lex.OPINION)
        return _fill(d.pick(frames), A=agent, O=target, was=_be(many), J=d.form(lex.ADJECTIVES[m["adjective"]]))
    if kind == "count":
        number = _join(d.form(m["quantifier"]) if "quantifier" in m else "", d.form(m["number"]))
        frames = data["counts"][int(m["item"].split()[1])][0]
        return _join(*_fill(d.pick(frames), n=number, t=d.form(m["time"]) if "time" in m else "").split())  # no time leaves a gap
    items = data["advice" if kind == "advice" else "facts"]
    text = _fill(d.pick(next(frames for key, frames, _ in items if key == m["item"])), x=d.form(m["about"]))
    if agent:
        return _fill(d.pick(lex.TELL_ADVICE if kind == "advice" else lex.TELL_FACT), A=agent, B=patient, S=text)
    return text + ("!" if kind == "advice" and d.chance(0.2) else ".")


def _sentence(d: _Draw, topic: str, m: Slots) -> str | None:
    """A finished sentence, or None if this draw came out badly (length, doubled word, digit in front)."""
    text = _text(d, topic, m)
    text = text[0].upper() + text[1:] + ("" if text[-1] in ".?!" else ".")
    words = text.lower().split()
    if not 5 <= len(words) <= 30 or not text[0].isalpha() or any(a == b for a, b in zip(words, words[1:])):
        return None
    return text


# ---- the stream --------------------------------------------------------------------------------------------------

_GROUP_SIZES = (1, 1, 2, 2, 2, 2, 3, 3, 3, 4)
_TRIES_PER_MEMBER = 7
_TRIES_PER_GROUP = 2_000
_MOST_OVERLAP = 0.6  # of the words of two members; above it a paraphrase is hardly one
_WAITING = 5  # members of open groups a topic may hold back before it must let one go


def _new_group(d: _Draw, topic: str, recent: list[Slots], meanings: set, texts: set) -> tuple[tuple[str, ...], list[str]]:
    """Draw an unused meaning and write its members; both sets and ``recent`` are updated."""
    for _ in range(_TRIES_PER_GROUP):
        if recent and d.chance(0.28):
            m = _near_miss(d, topic, d.pick(recent))
        else:
            m = _draw_meaning(d, topic, d.weighted(_KINDS))
        meaning = tuple(f"{slot}={concept.split('|')[0].rstrip('+')}" for slot, concept in sorted(m.items()))
        if (topic, meaning) in meanings:
            continue
        size, members, bags = d.pick(_GROUP_SIZES), [], []
        for _ in range(size * _TRIES_PER_MEMBER):
            text = _sentence(d, topic, m)
            if text is None or text in texts:
                continue
            bag = set(text.lower().rstrip(".?!").replace(",", "").split())
            if all(len(bag & other) <= _MOST_OVERLAP * len(bag | other) for other in bags):
                members.append(text)
                bags.append(bag)
                texts.add(text)
                if len(members) == size:
                    break
        if members:
            meanings.add((topic, meaning))
            recent.append(m)
            del recent[:-10]
            return meaning, members
    raise RuntimeError(f"no unused meaning of topic {topic!r} found in {_TRIES_PER_GROUP} draws; the lexicon is too small")


def _stream(d: _Draw) -> Iterator[BuiltinSentence]:
    """Endless mixed stream: each block holds every topic once, in drawn order."""
    meanings: set = set()
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
