"""Scores of MTEB, the public benchmark: its result files and wide tables as one long table.

What counts for a task's main score is a *rule*: splits, subsets and the metric. Where `mteb` is installed it is asked:
the benchmarks MTEB(eng, v1) and MTEB(eng, v2) first, for other tasks their own splits and their English subsets.
Without it, or for a task that it does not know, the rule is
read off the file: the first of test, validation, dev that is there (MSMARCO: dev, as MTEB has it), and the English
    subset: the only one, else the
one named en, en-en, eng or default, else all whose languages are English. The score is the mean over the splits and
subsets of the rule.

The files come from strangers: sizes are limited, links are not followed, names are checked and never become paths, and
    whatever is odd is a row of
the report. A rule that a file does not fill gives no score: there is no mean of what happens to be there.
"""

from qre.tasks.mteb.results_folder import LARGEST, META, read_results
from qre.tasks.mteb.rules import BENCHMARKS, Rule, official_rules, rule_of
from qre.tasks.mteb.scores import COMMIT, REPORT, TABLE, Scores, best, preferred, rank, wide
from qre.tasks.mteb.wide_table import read_table

__all__ = [
    "BENCHMARKS",
    "COMMIT",
    "LARGEST",
    "META",
    "REPORT",
    "TABLE",
    "Rule",
    "Scores",
    "best",
    "official_rules",
    "preferred",
    "rank",
    "read_results",
    "read_table",
    "rule_of",
    "wide",
]
