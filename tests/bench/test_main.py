"""``python -m bench``: names, and what it does with a wrong one."""

from __future__ import annotations

import importlib.util

import pytest

from bench.__main__ import BENCHMARKS, OTHERS, main


@pytest.mark.parametrize("name", [*BENCHMARKS, *OTHERS])
def test_each_name_is_a_module(name):
    assert importlib.util.find_spec(f"bench.{name}") is not None


def test_the_list_names_them_all(capsys):
    assert main(["list"]) == 0
    words = capsys.readouterr().out.split()
    assert {*BENCHMARKS, *OTHERS} <= set(words)


def test_a_wrong_name_is_a_usage_error(capsys):
    assert main(["nothing"]) == 2
    assert "no benchmark 'nothing'" in capsys.readouterr().err


def test_a_benchmark_gets_the_options_behind_its_name(capfd):
    assert main(["ceiling", "--receivers", "nobody"]) == 2
    assert "no receiver 'nobody'" in capfd.readouterr().err
