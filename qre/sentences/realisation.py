"""Realising a meaning as English text: a surface form for every concept and a syntactic frame around them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from qre.sentences import lexicon as lex
from qre.sentences.draw import Draw
from qre.sentences.meanings import SCENES, Slots

FEWEST_WORDS, MOST_WORDS = 5, 30


def sentence(d: Draw, topic: str, m: Slots) -> str | None:
    """One way of saying the meaning ``m`` of ``topic``: a finished sentence, with a capital and an end mark.

    None if this draw came out badly (fewer than 5 or more than 30 words, a doubled word, a digit in front): draw again.
    """
    text = _text(d, topic, m)
    text = text[0].upper() + text[1:] + ("" if text[-1] in ".?!" else ".")
    words = text.lower().split()
    if (
        not FEWEST_WORDS <= len(words) <= MOST_WORDS
        or not text[0].isalpha()
        or any(a == b for a, b in zip(words, words[1:]))
    ):
        return None
    return text


def _text(d: Draw, topic: str, m: Slots) -> str:
    """The sentence still without a capital; a full stop is added later unless a mark is there."""
    # the two forms are drawn for every kind, used or not: to draw them where they are used would change all sentences
    agent = d.form(m["agent"]) if "agent" in m else ""
    patient = d.form(m["patient"]) if "patient" in m else ""
    kind = m["kind"]
    if kind == "event":
        return _event_text(d, topic, m)
    if kind == "pair":
        return _pair_text(d, topic, m)
    if kind == "social":
        frames = lex.SOCIAL[("not-" if m["polarity"] == "no" else "") + m["scene"]]
        matter = d.form(m["matter"])
        return _timed(d, m, d.pick(frames).format(A=agent, B=patient, a=agent, b=patient, M=matter))
    if kind == "interest":
        return _timed(d, m, d.pick(lex.INTEREST[m["scene"]][1]).format(A=agent, S=d.form(m["subject"])))
    if kind == "opinion":
        return _opinion_text(d, m, agent)
    if kind == "compare":
        target, other = d.noun(m["target"])[0], d.noun(m["other"])[0]
        return d.pick(lex.COMPARE_ME if m["agent"] == "I" else lex.COMPARE).format(A=agent, O=target, P=other)
    if kind == "count":
        return _count_text(d, topic, m)
    return _told_text(d, topic, m, agent, patient)


# ---- verbs and joints --------------------------------------------------------------------------------------------


class _Verb(NamedTuple):
    base: str
    past: str
    participle: str
    tail: str  # words after the object
    passive: bool  # whether a passive sounds natural


@cache
def _verbs(table: str) -> list[_Verb]:
    """Parse a scene's verbs, in the notation of the lexicon."""
    parsed = []
    for entry in table.split("|"):
        forms, _, tail = entry.rstrip("!").partition("~")
        parts = forms.split("/")
        added = parts[-1].partition(" ")[2] if " " not in parts[0] else ""
        if added:
            parts = [part.removesuffix(" " + added) + " " + added for part in parts]
        parsed.append(_Verb(parts[0], parts[1], parts[-1], tail, not entry.endswith("!")))
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


def _be(many: bool) -> str:
    return "were" if many else "was"


def _timed(d: Draw, m: Slots, text: str) -> str:
    """The text with the meaning's time, if it has one, at either end."""
    if "time" not in m:
        return text
    time = d.form(m["time"])
    return f"{text} {time}" if d.chance(0.5) and "," not in text else f"{time}, {text}"


# ---- events ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Clause:
    """The drawn words of one event; absent circumstances are empty."""

    verb: _Verb
    agent: str
    person: int  # 0 she, 1 they or we, 2 I
    obj: str
    many: bool  # whether the object is plural
    manner: str
    place: str
    time: str
    finite: str = ""  # the active verb, with its auxiliaries
    be: str = ""  # the passive auxiliary; empty where the mode has no passive

    @property
    def clausal(self) -> bool:
        """The object fits after a verb only: no passive, no cleft."""
        return self.obj.startswith(("how ", "why "))

    @property
    def passive(self) -> bool:
        return self.verb.passive and bool(self.be) and not self.clausal and self.agent not in ("I", "we")


def _event_text(d: Draw, topic: str, m: Slots) -> str:
    clause = _clause(d, topic, m)
    if "ask" in m:
        return d.pick(_questions(m, clause)) + "?"
    # one opening phrase is enough
    front = "" if any(slot in m for slot in ("cause", "reporter", "attitude")) else clause.time or clause.place
    if d.chance(0.15 if clause.time and clause.place else 0.6):  # two phrases at the end run into one another
        front = ""
    if "aside" in m:
        return d.pick(_with_aside(clause, front, d.form(m["aside"])))
    frames = _statements(topic, m, clause, front)
    return _with_circumstance(d, m, d.pick(frames) if d.chance(0.75) else frames[0])


def _clause(d: Draw, topic: str, m: Slots) -> _Clause:
    verb = d.pick(_verbs(SCENES[topic][m["scene"]].verbs))
    agent, agents = d.noun(m["agent"])
    obj, many = d.noun(m["object"])
    person = 2 if agent == "I" else 1 if agents or agent == "we" else 0
    manner, place, time = (d.form(m[slot]) if slot in m else "" for slot in ("manner", "place", "time"))
    clause = _Clause(verb, agent, person, obj, many, manner, place, time)
    no = m["polarity"] == "no"
    if m["mode"] == "past":
        clause.finite, clause.be = ("did not " + verb.base if no else verb.past), _be(many) + (" not" if no else "")
        if not (no or time or "cause" in m or "ask" in m) and d.chance(0.3):
            clause.finite, clause.be = (
                ("have " if person else "has ") + verb.participle,
                ("have been" if many else "has been"),
            )
    elif m["mode"] == "habit":
        clause.finite, clause.be = (verb.base if person else _third_person(verb.base)), ("are" if many else "is")
    else:
        option = d.pick(lex.MODES[m["mode"]][1].split("|")).split("/")
        # without a form of its own, "I" takes the plural
        clause.finite = (option + option[1:])[person] + " " + verb.base
        clause.be = {"future": "will be", "must": "must be"}.get(m["mode"], "")
        if no:
            clause.finite = ("will not ", ("is", "are", "am")[person] + " not going to ")[d.index(2)] + verb.base
            clause.be = "will not be"
    return clause


def _questions(m: Slots, c: _Clause) -> list[str]:
    """Frames of a question, without the question mark."""
    verb, tails = c.verb, _join(c.verb.tail, c.place, c.time)
    future = m["mode"] == "future"
    frames = [_join("will" if future else "did", c.agent, verb.base, c.obj, tails)]
    frames += [
        _join(opening, c.agent, c.finite, c.obj, tails) for opening in ("do you know whether", "can anyone tell me if")
    ]
    if c.passive:
        first, second = ("will", "be") if future else (_be(c.many), "")
        frames.append(_join(first, c.obj, second, verb.participle, verb.tail, "by", c.agent, c.place, c.time))
        frames.append(_join("is it true that", c.obj, c.be, verb.participle, verb.tail, "by", c.agent, c.place, c.time))
    return frames


def _rest(c: _Clause, front: str) -> str:
    """What is said at the end: the circumstances but the one that is said in front."""
    return _join(c.manner, *(phrase for phrase in (c.place, c.time) if phrase != front))


def _with_aside(c: _Clause, front: str, aside: str) -> list[str]:
    rest, lead = _rest(c, front), front + ", " if front else ""
    frames = [lead + _join(c.agent + ",", aside + ",", c.finite, c.obj, c.verb.tail, rest)]
    if c.passive and not front:
        frames.append(_join(c.obj, c.be, c.verb.participle, c.verb.tail, rest, "by", c.agent + ",", aside))
    return frames


def _statements(topic: str, m: Slots, c: _Clause, front: str) -> list[str]:
    """Frames of a statement, the plain one first: active, passive and cleft."""
    verb, scene, past = c.verb, SCENES[topic][m["scene"]], m["mode"] == "past"
    rest, lead = _rest(c, front), front + ", " if front else ""
    frames = [lead + _join(c.agent, c.finite, c.obj, verb.tail, rest)]
    if c.passive:
        frames.append(lead + _join(c.obj, c.be, verb.participle, verb.tail, "by", c.agent, rest))
        if past and c.manner == "" and not front:
            frames.append(_join(c.obj, c.be, verb.participle, verb.tail, rest, "by", c.agent))
    if past and c.person == 0 and not c.clausal:
        pronoun = "that" if scene.own else "who"  # storms and animals are no "who"
        frames.append(lead + _join("it was", c.agent, pronoun, c.finite, c.obj, verb.tail, rest))
        if m["polarity"] == "yes" and not front:
            frames.append(_join("it was", c.obj, "that", c.agent, verb.past, verb.tail, rest))
            if not c.many and "x" not in scene.flags:
                frames.append(_join("what", c.agent, verb.past, verb.tail, rest, "was", c.obj))
    return frames


def _with_circumstance(d: Draw, m: Slots, text: str) -> str:
    """The statement with its cause, effect, attitude or reporter; it has at most one of them."""
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
        return d.pick(lex.REPORT_FRAMES).format(R=d.form(m["reporter"]), S=text)
    return text


# ---- the other kinds ---------------------------------------------------------------------------------------------


def _pair_text(d: Draw, topic: str, m: Slots) -> str:
    first, second = ([_simple(d, topic, m, suffix, perfect) for perfect in (False, True)] for suffix in ("", "2"))
    return d.pick(lex.PAIR_FRAMES).replace("{1p}", first[1]).replace("{1}", first[0]).replace("{2}", second[0])


def _simple(d: Draw, topic: str, m: Slots, suffix: str, perfect: bool) -> str:
    """Agent, verb and object in the past tense (or past perfect), nothing else."""
    verb = d.pick(_verbs(SCENES[topic][m["scene" + suffix]].verbs))
    agent = d.noun(m["agent" + suffix])[0]
    return _join(agent, "had " + verb.participle if perfect else verb.past, d.noun(m["object" + suffix])[0], verb.tail)


def _opinion_text(d: Draw, m: Slots, agent: str) -> str:
    target, many = d.noun(m["target"])
    if m["agent"] == "I":
        frames = lex.OPINION_ME if m["polarity"] == "yes" else lex.OPINION_ME_NOT
    else:
        frames = lex.OPINION if m["polarity"] == "yes" else lex.OPINION_NOT
    return d.pick(frames).format(A=agent, O=target, was=_be(many), J=d.form(lex.ADJECTIVES[m["adjective"]]))


def _count_text(d: Draw, topic: str, m: Slots) -> str:
    quantifier = d.form(m["quantifier"]) if "quantifier" in m else ""
    number = _join(quantifier, d.form(m["number"]))
    frames = lex.TOPICS[topic]["counts"][int(m["item"].split()[1])][0]
    text = d.pick(frames).format(n=number, t=d.form(m["time"]) if "time" in m else "")
    return _join(*text.split())  # no time leaves a gap


def _told_text(d: Draw, topic: str, m: Slots, agent: str, patient: str) -> str:
    """Advice or a fact, told by the agent to the patient, or by nobody where the agent is empty."""
    advice = m["kind"] == "advice"
    items = lex.TOPICS[topic]["advice" if advice else "facts"]
    text = d.pick(next(frames for key, frames, _ in items if key == m["item"])).format(x=d.form(m["about"]))
    if agent:
        return d.pick(lex.TELL_ADVICE if advice else lex.TELL_FACT).format(A=agent, B=patient, S=text)
    return text + ("!" if advice and d.chance(0.2) else ".")
