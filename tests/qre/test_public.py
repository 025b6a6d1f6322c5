"""What `from qre import ...` gives: documented by an example that runs, complete, and imported only when it is asked
for."""

import doctest
import subprocess
import sys

import pytest

import qre


def test_the_example_runs():
    failed, tried = doctest.testmod(qre)
    assert (failed, tried > 5) == (0, True)


@pytest.mark.parametrize("name", qre.__all__)
def test_every_name_is_there_and_documented(name):
    assert getattr(qre, name).__doc__


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="module 'qre' has no attribute 'entropies'"):
        qre.entropies  # noqa: B018


def test_nothing_is_imported_before_it_is_asked_for():
    script = (
        "import sys, qre; dir(qre); print(sorted(set(sys.modules) & {'numpy', 'pandas', 'torch', 'ray', 'pyarrow'}))"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"
