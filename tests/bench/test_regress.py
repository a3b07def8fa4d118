"""What regress says of two series of samples, and when it says nothing."""

import random
import subprocess
import time

import pytest

from bench.regress import BEFORE, LEAST_ROUNDS, NOW, Samples, compare, in_turn, main, verdict_lines


def samples(ratio, *, rounds=8, noise=0.02, seed=1):
    """Two trees whose rounds share a disturbance and have noise of their own."""
    chance = random.Random(seed)
    made = Samples("a figure", "ns")
    for _ in range(rounds):
        shared = chance.lognormvariate(0, 0.3)
        made.before.append(shared * chance.lognormvariate(0, noise))
        made.now.append(shared * ratio * chance.lognormvariate(0, noise))
    return made


def test_a_regression_of_a_quarter_is_found_under_a_disturbance_that_both_share():
    found = compare(samples(1.25))
    assert found.slower
    assert 1.2 < found.ratio.median < 1.3


def test_equal_trees_are_never_called_slower():
    assert not any(compare(samples(1.0, noise=0.05, seed=seed)).slower for seed in range(300))


def test_five_per_cent_are_no_regression_however_sure():
    found = compare(samples(1.05, noise=0.001))
    assert not found.slower
    assert found.ratio.low > 1.04


def test_a_ratio_that_may_be_chance_is_no_regression():
    found = compare(samples(1.2, rounds=4, noise=0.3))
    assert not found.slower
    assert found.ratio.low < 1.1 < found.ratio.high


def test_too_few_rounds_have_no_verdict():
    found = compare(samples(2.0, rounds=LEAST_ROUNDS - 1, noise=0))
    assert not found.slower
    assert "too few rounds" in verdict_lines([found], {})[0]


def test_rounds_stay_paired_when_a_tree_gave_nothing_in_one():
    series = Samples("x", "ns", [1.0, None, 3.0, 4.0], [2.0, 9.0, 6.0, 8.0])
    found = compare(series)
    assert found.ratio.rounds == 3
    assert found.ratio.median == pytest.approx(2.0)


def test_a_figure_that_only_one_tree_has_is_named_and_is_no_regression():
    found = compare(Samples("columns", "ns", [None, None], [1.0, 1.0]))
    assert not found.slower
    lines = verdict_lines([found], {"columns (before)": "no module"})
    assert lines == ["columns  no round has both", "columns (before): missing: no module"]


def test_a_regression_is_marked():
    assert verdict_lines([compare(samples(1.5))], {})[0].endswith("SLOWER")


def test_the_trees_take_turns_in_coming_first():
    assert list(in_turn(4)) == [(BEFORE, NOW), (NOW, BEFORE), (BEFORE, NOW), (NOW, BEFORE)]


def test_out_of_time_there_are_only_as_many_rounds_as_an_interval_needs():
    assert len(list(in_turn(10, time.monotonic() - 1))) == LEAST_ROUNDS
    assert len(list(in_turn(2, time.monotonic() - 1))) == 2


# -- what there is nothing to compare with


@pytest.fixture
def repository(tmp_path, git):
    git(tmp_path, "init", "-q")
    (tmp_path / "README").write_text("no package yet\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    return tmp_path


def test_a_revision_without_the_package_is_nothing_to_compare_with(repository, capsys):
    assert main(["--against", "HEAD"], root=repository) == 0
    assert "has no rtspkit" in capsys.readouterr().err


def test_the_same_package_is_nothing_to_compare_with(repository, git, capsys):
    (repository / "rtspkit").mkdir()
    (repository / "rtspkit" / "__init__.py").write_text("")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "two")
    assert main(["--against", "HEAD"], root=repository) == 0
    assert "nothing to compare" in capsys.readouterr().err


def test_an_unknown_revision_fails_unless_it_only_reports(repository, capsys):
    assert main(["--against", "nowhere"], root=repository) == 2
    assert main(["--against", "nowhere", "--report-only"], root=repository) == 0
    assert capsys.readouterr().err.count("no revision nowhere here") == 2


def test_what_is_no_repository_fails_with_a_sentence(tmp_path, git, capsys):
    assert main(["--against", "HEAD"], root=tmp_path) == 2
    assert "no git repository" in capsys.readouterr().err
    assert subprocess.run(["git", "-C", tmp_path, "status"], capture_output=True).returncode
