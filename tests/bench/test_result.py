"""Result files: what is written is read back, and equal results are equal bytes."""

from __future__ import annotations

import getpass
import json
import socket

import pytest

from bench.result import (
    Measurement,
    Result,
    Target,
    machine,
    read_result,
    read_results,
    versions,
    write_result,
)


def example() -> Result:
    result = Result("example", "An example", options={"rates": [1, 2]})
    where = {"transport": "udp", "rate": 5000.0, "streams": 1}
    result.add("ours", "cpu_per_packet", "us", where, 1.5, None, 2.5)
    result.add("theirs", "cpu_per_packet", "us", where, 4.0)
    result.add("ours", "loss", "", where, 0.0)
    result.targets.append(Target("F1", "ours / theirs", 0.5, 0.6, low=0.4, high=0.7))
    result.missing["absent"] = "not installed"
    result.notes.append("a note")
    return result


def test_what_is_written_is_read_back(tmp_path):
    result = example()
    path = write_result(result, tmp_path)
    assert path == tmp_path / "example.json"
    assert read_result(path) == result
    assert read_results(tmp_path) == {"example": result}


def test_equal_results_are_equal_bytes(tmp_path):
    one = write_result(example(), path=tmp_path / "one.json").read_bytes()
    assert one == write_result(example(), path=tmp_path / "two.json").read_bytes()


@pytest.mark.parametrize(
    "text", ["[]", '{"format": 99}', '{"format": 1}', '{"format": 1, "measurements": [{}]}']
)
def test_what_is_no_result_is_refused(tmp_path, text):
    path = tmp_path / "strange.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"strange\.json is no result"):
        read_result(path)


def test_samples_of_the_same_measurement_come_together():
    result = example()
    result.add("ours", "loss", "", {"streams": 1, "rate": 5000.0, "transport": "udp"}, 0.5)
    assert result.find("loss")[0].samples == [0.0, 0.5]
    assert len(result.measurements) == 3


def test_measurements_are_found_by_some_of_their_parameters():
    result = example()
    assert len(result.find("cpu_per_packet")) == 2
    assert [one.subject for one in result.find("cpu_per_packet", "ours", rate=5000)] == ["ours"]
    assert result.find("cpu_per_packet", transport="tcp") == []


def test_rounds_without_a_sample_are_left_out_of_the_middle():
    assert Measurement("a", "b", "us", samples=[1.0, None, 3.0]).summary().median == 2.0


@pytest.mark.parametrize(
    ("value", "limit", "at_most", "met"),
    [
        *((1.0, 1.0, True, True), (1.1, 1.0, True, False), (9.0, 10.0, False, False)),
        *((10.0, 10.0, False, True), (None, 1.0, True, None)),
    ],
)
def test_a_target_says_whether_it_is_met(value, limit, at_most, met):
    assert Target("F1", "", value, limit, at_most=at_most).met is met


def test_the_machine_and_its_versions_name_nobody():
    text = json.dumps([machine(), versions()])
    assert socket.gethostname() not in text
    assert f'"{getpass.getuser()}"' not in text
    assert machine()["cores"] >= 1
    assert versions()["python"].startswith(("CPython 3", "PyPy 3"))
    assert versions()["rtspkit"]
