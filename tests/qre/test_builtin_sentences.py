"""The built-in sentences: fixed for ever, well formed, balanced, and with labels that mean what they say."""

import hashlib
import itertools
import math
import random
import re
import time
from collections import Counter, defaultdict

import pytest

from qre.sentences import lexicon, meanings
from qre.sentences.builtin import MAXIMUM, TOPIC_NAMES, BuiltinSentence, generate, similarity

PINNED_SHA256 = "9682b4cd4ca453e94822ef925ec5e76deb4d8211c63c60b1f3c79a724e7cef5d"


@pytest.fixture(scope="module")
def sentences() -> list[BuiltinSentence]:
    return generate(10_000)


@pytest.fixture(scope="module")
def groups(sentences) -> dict[int, list[BuiltinSentence]]:
    members = defaultdict(list)
    for s in sentences[:2000]:
        members[s.group].append(s)
    return members


# ---- the stream


def test_the_texts_are_pinned(sentences):
    joined = "\n".join(s.text for s in sentences)
    assert hashlib.sha256(joined.encode("utf-8")).hexdigest() == PINNED_SHA256


def test_a_smaller_n_gives_a_prefix(sentences):
    assert generate(2000) == sentences[:2000]
    assert generate(0) == []


def test_another_seed_gives_other_sentences(sentences):
    other = generate(1000, seed=1)
    assert other == generate(1000, seed=1)
    assert len({s.text for s in other} & {s.text for s in sentences[:1000]}) < 100


def test_all_texts_differ_up_to_the_maximum():
    assert MAXIMUM >= 20_000
    texts = [s.text for s in generate(MAXIMUM)]
    assert len(texts) == len(set(texts)) == MAXIMUM


def test_n_and_seed_out_of_range_are_refused():
    with pytest.raises(ValueError, match=str(MAXIMUM)):
        generate(MAXIMUM + 1)
    with pytest.raises(ValueError):
        generate(-1)
    with pytest.raises(ValueError):
        generate(10, seed=-1)


def test_ten_thousand_take_less_than_two_seconds():
    start = time.process_time()
    generate(10_000)
    assert time.process_time() - start < 2


@pytest.mark.parametrize("n", [500, 777, 2000, 10_000])
def test_topics_are_balanced_in_every_prefix(sentences, n):
    counts = Counter(s.topic for s in sentences[:n])
    assert set(counts) == set(TOPIC_NAMES) and len(TOPIC_NAMES) >= 16
    assert max(counts.values()) / min(counts.values()) < 1.6


# ---- the form of a sentence


def test_each_text_is_a_well_formed_sentence(sentences):
    for s in sentences:
        words = s.text.split(" ")
        assert 5 <= len(words) <= 30, s.text
        assert s.text[0].isupper() and s.text[-1] in ".?!" and s.text[-2].isalnum(), s.text
        assert not re.search(r"\s\s|\s[,.?!:]|[{}|+~/]|,,|\n", s.text), s.text
        lower = [word.lower() for word in words]
        assert all(a != b for a, b in itertools.pairwise(lower)), s.text


def test_questions_and_exclamations_occur(sentences):
    marks = Counter(s.text[-1] for s in sentences)
    assert marks["?"] > 200 and marks["!"] > 20


def test_the_article_fits_the_next_word(sentences):
    heard_vowel, heard_consonant = {"hour"}, {"unit", "university"}
    for s in sentences:
        for article, word in re.findall(r"\b(an?) (\w+)", s.text.lower()):
            vowel = word in heard_vowel or (word[0] in "aeiou" and word not in heard_consonant)
            assert (article == "an") == vowel, s.text


def test_agreement_of_some_common_pairs(sentences):
    wrong = re.compile(
        r"\bI (has|is|are|were)\b|\bwe (was|is|has|am)\b|\b(did not|will not) (was|were|had)\b|\bby (I|we)\b", re.I
    )
    assert [s.text for s in sentences if wrong.search(s.text)] == []


def test_lengths_vary(sentences):
    lengths = sorted(len(s.text.split()) for s in sentences)
    assert lengths[1000] <= 9 and lengths[9000] >= 16


# ---- groups and meanings


def test_members_of_a_group_share_topic_and_meaning(groups):
    for members in groups.values():
        assert len({(s.topic, s.meaning) for s in members}) == 1
        assert len({s.text for s in members}) == len(members)


def test_a_meaning_belongs_to_one_group(sentences):
    owner = {}
    for s in sentences:
        assert owner.setdefault((s.topic, s.meaning), s.group) == s.group


def test_group_sizes_and_spread(sentences, groups):
    sizes = Counter(len(members) for members in groups.values())
    assert set(sizes) == {1, 2, 3, 4}
    assert sum(count for size, count in sizes.items() if size > 1) >= 300
    at = defaultdict(list)
    for index, s in enumerate(sentences):
        at[s.group].append(index)
    gaps = [b - a for where in at.values() for a, b in itertools.pairwise(where)]
    assert sum(gap > 16 for gap in gaps) / len(gaps) > 0.5  # spread ...
    assert sum(gap < 500 for gap in gaps) / len(gaps) > 0.95  # ... but near


def test_groups_are_numbered_by_first_appearance(sentences):
    first_seen = list(dict.fromkeys(s.group for s in sentences))
    assert first_seen == list(range(len(first_seen)))


def test_near_misses_exist(sentences):
    """Negated events and exchanged roles, both with the other meaning in the stream."""
    meanings = {(s.topic, s.meaning) for s in sentences}
    negated = exchanged = 0
    for topic, meaning in meanings:
        slots = dict(entry.split("=", 1) for entry in meaning)
        if slots.get("polarity") == "no":
            negated += (topic, tuple(e.replace("polarity=no", "polarity=yes") for e in meaning)) in meanings
        if slots["kind"] == "social":
            other = slots | {"agent": slots["patient"], "patient": slots["agent"]}
            exchanged += (topic, tuple(f"{k}={v}" for k, v in sorted(other.items()))) in meanings
    assert negated >= 20 and exchanged >= 10


# ---- similarity


def _sampled_pairs(sentences, n=4000):
    """Pairs as the documentation means them: half within a topic, a quarter within groups, a quarter at large."""
    draw = random.Random(3)
    by_topic, by_group = defaultdict(list), defaultdict(list)
    for s in sentences[:2000]:
        by_topic[s.topic].append(s)
        by_group[s.group].append(s)
    many = [members for members in by_group.values() if len(members) > 1]
    pairs = [draw.sample(by_topic[draw.choice(TOPIC_NAMES)], 2) for _ in range(n // 2)]
    pairs += [draw.sample(draw.choice(many), 2) for _ in range(n // 4)]
    return pairs + [draw.sample(sentences[:2000], 2) for _ in range(n // 4)]


def test_similarity_is_symmetric_and_within_range(sentences):
    for a, b in _sampled_pairs(sentences):
        grade = similarity(a, b)
        assert 0.0 <= grade <= 5.0 and grade == similarity(b, a)
        assert (grade == 5.0) == (a.group == b.group)
        assert (grade == 0.0) == (a.topic != b.topic)


def test_grades_of_every_height_occur(sentences):
    heights = Counter(math.floor(similarity(a, b)) for a, b in _sampled_pairs(sentences))
    assert set(heights) == {0, 1, 2, 3, 4, 5}


def _made(*meaning: str) -> BuiltinSentence:
    return BuiltinSentence("Not looked at here at all.", "cooking", 0, meaning)


def test_similarity_orders_clear_cases():
    event = ("agent=the chef", "kind=event", "mode=past", "object=the sauce", "polarity=yes", "scene=burn")
    base = _made(*event)
    timed = _made(*event, "time=yesterday")
    negated = _made(*(entry.replace("yes", "no") for entry in event))
    other_object = _made(*(entry.replace("sauce", "toast") for entry in event))
    other_event = _made(
        "agent=the baker", "kind=event", "mode=past", "object=an apple pie", "polarity=yes", "scene=bake"
    )
    assert 5 > similarity(base, timed) > similarity(base, other_object) > similarity(base, other_event) > 0.5
    assert 2 < similarity(base, negated) < 4

    social = ("kind=social", "matter=the menu", "polarity=yes", "scene=call")
    one = _made("agent=the chef", *social, "patient=Maria")
    exchanged = _made("agent=Maria", *social, "patient=the chef")
    assert 2 < similarity(one, exchanged) < 4


def _tfidf_cosine(texts: list[str]):
    """Cosine of smoothed TF-IDF vectors, as a function of two positions."""
    bags = [Counter(re.findall(r"\w+", text.lower())) for text in texts]
    spread = Counter(word for bag in bags for word in bag)
    vectors = [{w: c * (1 + math.log((1 + len(bags)) / (1 + spread[w]))) for w, c in bag.items()} for bag in bags]
    norms = [math.sqrt(sum(x * x for x in v.values())) for v in vectors]
    return lambda i, j: sum(x * vectors[j].get(w, 0.0) for w, x in vectors[i].items()) / (norms[i] * norms[j])


def test_words_in_common_follow_the_labels(sentences):
    some = sentences[:1000]
    cosine = _tfidf_cosine([s.text for s in some])
    sums, counts = Counter(), Counter()
    for i, j in itertools.combinations(range(len(some)), 2):
        a, b = some[i], some[j]
        if a.topic != b.topic and (i * 31 + j) % 10:  # a tenth of the many pairs across topics is enough
            continue
        level = "group" if a.group == b.group else "topic" if a.topic == b.topic else "across"
        sums[level] += cosine(i, j)
        counts[level] += 1
    mean = {level: sums[level] / counts[level] for level in counts}
    assert mean["group"] > 5 * mean["topic"] and mean["topic"] > 1.5 * mean["across"]
    assert mean["group"] < 0.75  # paraphrases that keep the words would be no test


# ---- the lexicon


def test_the_lexicon_refers_to_what_exists():
    for topic, data in lexicon.TOPICS.items():
        keys = [scene[0] for scene in data["scenes"]]
        assert len(keys) == len(set(keys)) >= 4, topic
        for key, flags, agents, verbs, objects, _, causes, *own in data["scenes"]:
            assert set(flags) <= set("+-phx") | set(lexicon.MANNERS), (topic, key)
            assert agents or own, (topic, key)
            assert all(code in "NI" or int(code) < len(data["people"]) for code in agents), (topic, key)
            assert all("/" in verb for verb in verbs.split("|")) and objects and causes, (topic, key)
        for _, adjectives in data["opinions"]:
            assert set(adjectives.split()) <= set(lexicon.ADJECTIVES), topic


def test_a_lexicon_without_a_second_choice_ends_in_an_error_not_in_a_loop(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setitem(lexicon.TOPICS["cooking"], "rivals", ["the soup"])
        with pytest.raises(RuntimeError, match="second rival of topic 'cooking'"):
            generate(5000)
    for topic in TOPIC_NAMES:
        monkeypatch.setitem(meanings.SCENES, topic, dict(list(meanings.SCENES[topic].items())[:1]))
    with pytest.raises(RuntimeError, match="two events of topic"):
        generate(5000)
