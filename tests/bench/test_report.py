"""The page: all of the results, none of the machine's owner, the same for the same."""

import getpass
import json
import socket

import pytest

from bench.report import load, main, plots, render, write
from bench.result import Result, Target, read_result, write_result

MACHINE = {"processor": "A Processor", "cores": 2, "kernel": "Linux 6", "memory_bytes": 1 << 34}
VERSIONS = {"python": "CPython 3.11.7", "rtspkit": "1.0"}


def side_by_side():
    result = Result("side_by_side", "Side by side", machine=MACHINE, versions=VERSIONS)
    for rate in (5_000.0, 80_000.0):
        parameters = {"transport": "udp", "rate": rate, "streams": 1, "packet_size": 1200}
        result.add("rtspkit packets", "cpu_per_packet", "us", parameters, 2.0, 2.1, 2.2)
        result.add("bare recvmmsg", "cpu_per_packet", "us", parameters, 1.0, 1.1, 1.0)
    result.missing["aiortsp"] = "the Python module aiortsp is not installed"
    result.targets = [
        Target("F2", "a promise kept", 0.3, 0.35),
        Target("F1", "a promise broken", 2.7, 1.8, low=2.5, high=2.9),
        Target("F3", "a promise nobody looked at", None, 0.6, note="not run"),
    ]
    return result


def latency():
    result = Result("latency", "Latency", machine=MACHINE, versions=VERSIONS)
    for streams in (1, 100):
        for share in ("50", "99.9"):
            metric = f"kernel_to_consumer_p{share}"
            result.add("rtspkit packets", metric, "us", {"streams": streams}, 100.0, 120.0)
    return result


def lines_with(text, page):
    return [line for line in page.splitlines() if text in line]


def test_promises_stand_in_order_with_what_came_of_them():
    page = render([side_by_side()])
    assert "1 of 3 met." in page
    (broken,) = lines_with("a promise broken", page)
    (kept,) = lines_with("a promise kept", page)
    (unknown,) = lines_with("nobody looked at", page)
    assert "≤ 1.80 | 2.70 (2.50 to 2.90) | **missed by 50 %**" in broken
    assert "| met |" in kept
    assert "**not measured** | not run" in unknown
    assert page.index(broken) < page.index(kept) < page.index(unknown)


def test_missing_peers_are_named_with_the_reason():
    assert "* aiortsp: the Python module aiortsp is not installed" in render([side_by_side()])


def test_the_machine_and_the_versions_are_told_once():
    page = render([side_by_side(), latency()])
    assert len(lines_with("A Processor", page)) == 1
    assert "| python | CPython 3.11.7 |" in page


def test_results_of_two_machines_say_which_is_whose():
    other = latency()
    other.machine = MACHINE | {"processor": "Another Processor"}
    page = render([side_by_side(), other])
    assert "Of side_by_side:" in page
    assert "Of latency:" in page


def test_nothing_tells_who_ran_it_or_where(tmp_path):
    result = side_by_side()
    result.machine = {}
    result.options = {"json": str(tmp_path / "x.json")}
    write_result(result, tmp_path)
    page = render(load(tmp_path))
    assert str(tmp_path) not in page
    assert f" {socket.gethostname()} " not in page
    assert f"/{getpass.getuser()}" not in page


def test_the_same_json_gives_the_same_bytes(tmp_path):
    pytest.importorskip("matplotlib")
    for result in (side_by_side(), latency()):
        write_result(result, tmp_path / "results")
    found = []
    for name in ("one", "two"):
        files = write(load(tmp_path / "results"), tmp_path / name)
        found.append({path.relative_to(tmp_path / name): path.read_bytes() for path in files})
    assert found[0] == found[1]
    assert {str(path) for path in found[0]} == {
        "RESULTS.md",
        "plots/cpu-against-rate.svg",
        "plots/latency.svg",
    }
    page = (tmp_path / "one" / "RESULTS.md").read_text()
    for path in found[0]:
        assert path.name == "RESULTS.md" or f"({path})" in page


def test_a_plot_needs_two_points_of_somebody():
    result = side_by_side()
    result.measurements = result.measurements[:2]
    assert plots([result]) == []


def test_costs_of_streams_are_drawn_at_one_rate():
    result = Result("streams")
    for streams, rate in ((1, 500.0), (10, 500.0), (100, 500.0), (1, 80_000.0)):
        parameters = {"transport": "udp", "rate": rate, "streams": streams, "packet_size": 1200}
        result.add("rtspkit packets", "cpu_per_packet", "us", parameters, rate)
    (plot,) = [each for each in plots([result]) if each.name == "cpu-against-streams"]
    (series,) = plot.panels[0].series
    assert [(point.x, point.y) for point in series.points] == [(1, 500), (10, 500), (100, 500)]
    assert plot.panels[0].title == "UDP, 500 packets/s each"


def test_figures_of_other_revisions_are_not_drawn():
    result = Result("regress")
    for tree, value in (("before", 1.0), ("now", 2.0)):
        result.add("UDP packets", "cpu_per_packet", "us", {"tree": tree}, value)
    assert plots([result]) == []


def test_a_file_that_is_no_result_is_named_and_left_out(tmp_path, capsys):
    write_result(side_by_side(), tmp_path)
    (tmp_path / "other.json").write_text(json.dumps({"format": 99}))
    assert [result.benchmark for result in load(tmp_path)] == ["side_by_side"]
    assert "other.json is no result" in capsys.readouterr().err


def test_what_is_read_back_is_what_was_written(tmp_path):
    path = write_result(side_by_side(), tmp_path)
    assert render([read_result(path)]) == render([side_by_side()])


def test_without_results_there_is_no_page(tmp_path, capsys):
    assert main(["--results", str(tmp_path), "--to", str(tmp_path / "page")]) == 2
    assert "no results" in capsys.readouterr().err
    assert not (tmp_path / "page").exists()
