"""Drawing meanings: which slot concepts of a topic go together, and what lies one step away from a meaning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from qre.sentences import lexicon as lex
from qre.sentences.draw import Draw

# Slots are held as "first form|other form" strings; the first form is the concept that similarity() compares.
# Slots are filled in a fixed order, since near_miss() picks among them by position.
Slots = dict[str, str]


class Scene(NamedTuple):
    """One event of a topic, as the lexicon lists it."""

    key: str
    flags: str
    agents: str
    verbs: str
    objects: Sequence[str]
    places: Sequence[str]
    causes: Sequence[str]
    own: Sequence[str] = ()  # agents of the scene's own (a storm, a wolf), which are no persons


SCENES: dict[str, dict[str, Scene]] = {
    topic: {scene[0]: Scene(*scene) for scene in data["scenes"]} for topic, data in lex.TOPICS.items()
}
_KINDS = {
    "event": 46.0,
    "social": 14.0,
    "interest": 15.0,
    "opinion": 8.0,
    "compare": 3.0,
    "advice": 5.0,
    "fact": 5.0,
    "count": 6.0,
    "pair": 5.0,
}
_SINGLE_PEOPLE = {topic: [p for p in data["people"] if "+" not in p] for topic, data in lex.TOPICS.items()}
_PAST = {
    topic: [t for t in lex.PAST_TIMES if topic not in lex.DAYTIME_TOPICS or t not in lex.ODD_HOURS]
    for topic in lex.TOPICS
}
_SPEAKERS = ("I", "we")


def draw_meaning(d: Draw, topic: str) -> Slots:
    """A meaning of the topic (one of lexicon.TOPICS), of a drawn kind; it may have been drawn before.

    Raises:
        RuntimeError: the lexicon is too small to hold two distinct people, rivals or events.
    """
    return _of_kind(d, topic, d.weighted(_KINDS))


def meaning_of(slots: Slots) -> tuple[str, ...]:
    """The ``"slot=concept"`` entries of a meaning, sorted; equal for all its surface forms."""
    return tuple(f"{slot}={concept.split('|')[0].rstrip('+')}" for slot, concept in sorted(slots.items()))


def _of_kind(d: Draw, topic: str, kind: str) -> Slots:
    return {"kind": kind, **_DRAWN[kind](d, topic)}


# ---- people ------------------------------------------------------------------------------------------------------


def _person(d: Draw, topic: str, role_chance: float) -> str:
    if d.chance(role_chance):
        return d.pick(_SINGLE_PEOPLE[topic])
    return d.pick(lex.NAMES) if d.chance(0.75) else d.pick(lex.KIN)


def _two_people(d: Draw, topic: str, first_role: float, second_role: float) -> tuple[str, str]:
    first = _person(d, topic, first_role)
    return first, d.until(
        lambda: _person(d, topic, second_role), lambda second: second != first, f"second person of topic {topic!r}"
    )


# ---- events ------------------------------------------------------------------------------------------------------


def _event_core(d: Draw, topic: str, key: str) -> Slots:
    scene = SCENES[topic][key]
    if scene.own:
        agent = d.pick(scene.own)
    else:
        code = d.pick(scene.agents)
        agent = (
            d.pick(lex.NAMES)
            if code == "N"
            else d.pick(_SPEAKERS)
            if code == "I"
            else lex.TOPICS[topic]["people"][int(code)]
        )
    return {"scene": key, "agent": agent, "object": d.pick(scene.objects)}


def _event(d: Draw, topic: str) -> Slots:
    scene = SCENES[topic][d.pick(list(SCENES[topic]))]
    m = {**_event_core(d, topic, scene.key), "mode": "past", "polarity": "yes"}
    if "p" in scene.flags and d.chance(0.4):
        m["mode"] = d.pick(list(lex.MODES))
    elif "h" in scene.flags and d.chance(0.15):
        m["mode"] = "habit"
    when = "habit" if m["mode"] == "habit" else lex.MODES.get(m["mode"], ("past",))[0]
    if when == "habit" or d.chance(0.5):
        m["time"] = d.pick({"past": _PAST[topic], "future": lex.FUTURE_TIMES, "habit": lex.HABIT_TIMES}[when])
    if scene.places and d.chance(0.4):
        m["place"] = d.pick(scene.places)
    if m["mode"] in ("past", "future"):
        if d.chance(0.14):
            m["polarity"] = "no"
        elif m["agent"] not in _SPEAKERS and not scene.own and d.chance(0.14):
            m["ask"] = "yes"
    plain = m["mode"] == "past" and m["polarity"] == "yes" and "ask" not in m
    return m | _circumstances(d, scene, m["agent"]) if plain else m


def _circumstances(d: Draw, scene: Scene, agent: str) -> Slots:
    """What only a plain statement about the past can carry: how it was done, and at most one of why, who says so, and
    so on."""
    m: Slots = {}
    manners = [lex.MANNERS[letter] for letter in scene.flags if letter in lex.MANNERS]
    if manners and d.chance(0.22):
        m["manner"] = d.pick(manners)
    extra = d.index(10)
    if extra < 3:
        m["cause"] = d.pick(scene.causes)
    elif extra == 3:
        m["reporter"] = d.pick(lex.REPORTERS)
    elif extra == 4:
        m["attitude"] = d.pick([forms for sign, forms in lex.ATTITUDES if sign in scene.flags])
    elif extra == 5:
        m["effect"] = d.pick([forms for sign, forms in lex.EFFECTS if sign in scene.flags])
    elif extra == 6 and not scene.own and agent not in (*_SPEAKERS, *lex.BODIES) and "+" not in agent:
        m["aside"] = d.pick(lex.ASIDES)
    return m


def _pair(d: Draw, topic: str) -> Slots:
    """Two events in a row, done by two agents."""
    keys = list(SCENES[topic])

    def event() -> Slots:
        return _event_core(d, topic, d.pick(keys))

    event()  # the stream has always drawn one event too many here, and its sentences are fixed
    first, second = d.until(
        lambda: (event(), event()),  # both anew: some scenes have one agent only
        lambda two: two[0]["agent"] != two[1]["agent"] and two[0]["scene"] != two[1]["scene"],
        f"two events of topic {topic!r} with two agents",
    )
    return first | {slot + "2": concept for slot, concept in second.items()}


# ---- the other kinds ---------------------------------------------------------------------------------------------


def _social(d: Draw, topic: str) -> Slots:
    scene = d.pick(list(lex.SOCIAL))
    m = {"scene": scene.removeprefix("not-"), "polarity": "no" if scene.startswith("not-") else "yes"}
    m["agent"], m["patient"] = _two_people(d, topic, 0.4, 0.4)
    m["matter"] = d.pick(lex.TOPICS[topic]["matters"])
    if d.chance(0.3):
        m["time"] = d.pick(_PAST[topic])
    return m


def _interest(d: Draw, topic: str) -> Slots:
    m = {"scene": d.pick(list(lex.INTEREST))}
    m["agent"], m["subject"] = _person(d, topic, 0.06), d.pick(lex.TOPICS[topic]["subjects"])
    if lex.INTEREST[m["scene"]][0] and d.chance(0.4):
        m["time"] = d.pick(_PAST[topic])
    return m


def _opinion(d: Draw, topic: str) -> Slots:
    target, adjectives = d.pick(lex.TOPICS[topic]["opinions"])
    m = {"target": target, "adjective": d.pick(adjectives.split())}
    m["agent"] = "I" if d.chance(0.25) else _person(d, topic, 0.15)
    m["polarity"] = "no" if d.chance(0.22) else "yes"
    return m


def _compare(d: Draw, topic: str) -> Slots:
    rivals = lex.TOPICS[topic]["rivals"]
    m = {"agent": "I" if d.chance(0.2) else _person(d, topic, 0.15), "target": d.pick(rivals)}
    m["other"] = d.until(lambda: d.pick(rivals), lambda other: other != m["target"], f"second rival of topic {topic!r}")
    return m


def _told(d: Draw, topic: str, table: str) -> Slots:
    """A piece of advice or a fact, mostly told by someone to someone."""
    item, _, about = d.pick(lex.TOPICS[topic][table])
    m = {"item": item, "about": d.pick(about)}
    if d.chance(0.6):
        m["agent"], m["patient"] = _two_people(d, topic, 0.5, 0.1)
    return m


def _count(d: Draw, topic: str) -> Slots:
    counts = lex.TOPICS[topic]["counts"]
    at = d.index(len(counts))
    frames, size = counts[at]
    m = {"item": f"count {at}", "number": d.pick(lex.SMALL_NUMBERS if size == "S" else lex.LARGE_NUMBERS)}
    if d.chance(0.5):
        m["quantifier"] = d.pick(lex.QUANTIFIERS)
    if "{t}" in frames[0] and d.chance(0.7):
        m["time"] = d.pick(_PAST[topic])
    return m


_DRAWN: dict[str, Callable[[Draw, str], Slots]] = {
    "event": _event,
    "social": _social,
    "interest": _interest,
    "opinion": _opinion,
    "compare": _compare,
    "count": _count,
    "pair": _pair,
    "advice": lambda d, topic: _told(d, topic, "advice"),
    "fact": lambda d, topic: _told(d, topic, "facts"),
}


# ---- near misses -------------------------------------------------------------------------------------------------

_EXCHANGED = {"social": ("agent", "patient"), "compare": ("target", "other")}
_BOUND = ("scene", "item", "adjective", "target")  # never replaced alone: the other slots were drawn to fit them
_POSITIVE_ONLY = ("manner", "cause", "reporter", "attitude", "effect", "aside", "ask")


def near_miss(d: Draw, topic: str, old: Slots) -> Slots:
    """A meaning one step away from ``old``: roles swapped, negated, or one concept replaced; ``old`` itself where no
    step fits."""
    kind = old["kind"]
    if kind in _EXCHANGED and d.chance(0.5):
        first, second = _EXCHANGED[kind]
        return old | {first: old[second], second: old[first]}
    if kind == "pair":
        swapped = {slot: old[slot + "2"] for slot in ("scene", "agent", "object")}
        return old | swapped | {slot + "2": old[slot] for slot in swapped}
    if kind == "event" and old["mode"] in ("past", "future") and d.chance(0.5):
        negated = old | {"polarity": "no" if old["polarity"] == "yes" else "yes"}
        return {slot: concept for slot, concept in negated.items() if slot not in _POSITIVE_ONLY}
    return _one_replaced(d, topic, old)


def _one_replaced(d: Draw, topic: str, old: Slots) -> Slots:
    kind = old["kind"]
    new = _event_core(d, topic, old["scene"]) if kind == "event" else _of_kind(d, topic, kind)
    slots = [slot for slot in new if slot not in _BOUND and old.get(slot, new[slot]) != new[slot]]
    if kind == "social" and "not-" + old["scene"] not in lex.SOCIAL:
        slots = [slot for slot in slots if slot != "polarity"]
    if kind in ("advice", "fact", "count"):  # what fits an item is known to its own draw only
        slots = [slot for slot in slots if slot not in ("about", "number") or new["item"] == old["item"]]
    m = dict(old)
    if slots:
        slot = d.pick(slots)
        m[slot] = new[slot]
    return m if _makes_sense(m, old) else old


def _makes_sense(m: Slots, old: Slots) -> bool:
    if (
        "agent" not in m
    ):  # counts, and advice and facts told by nobody, have never had near misses; the sentences are fixed
        return False
    if m["agent"] == m.get("patient") or ("target" in m and m["target"] == m.get("other")):
        return False
    if m["agent"] in _SPEAKERS and "ask" in m:  # nobody asks what they did themselves
        return False
    return "aside" not in m or m["agent"] == old["agent"]  # an aside fits the agent that it was drawn for
