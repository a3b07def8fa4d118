"""Verdicts, from numbers that are written down here."""

from __future__ import annotations

import pytest

from bench.catalogue import RECEIVERS
from bench.result import Result, read_result
from bench.side_by_side import PROMISES, judge, main, print_verdicts

UDP = {"transport": "udp", "rate": 5000.0, "streams": 1}


def filled(**series: list[float | None]) -> Result:
    result = Result("side_by_side")
    for name, samples in series.items():
        subject = RECEIVERS[name.replace("_", "-")].subject
        result.add(subject, "cpu_per_packet", "us", UDP, *samples)
    return result


def test_every_promise_is_about_a_receiver_that_plays_there():
    for _, transports, upper, lower, limit in PROMISES:
        assert limit > 0
        for transport in transports:
            assert transport in RECEIVERS[upper].transports
            assert transport in RECEIVERS[lower].transports


def test_promises_are_judged_round_by_round():
    result = filled(rtspkit_packets=[2.0, 4.0, 2.0], pyav=[5.0, 10.0, 5.0])
    judge(result)
    verdicts = {target.text: target for target in result.targets}
    target = verdicts["UDP, 5000 packets/s: CPU of rtspkit packets / PyAV demux"]
    assert target.value == pytest.approx(0.4)
    assert (target.low, target.high) == (pytest.approx(0.4), pytest.approx(0.4))
    assert target.met
    assert target.figure == "F1"


def test_what_was_not_measured_is_neither_met_nor_missed():
    result = filled(rtspkit_packets=[2.0])
    result.missing["PyAV demux"] = "the Python module av is not installed"
    judge(result)
    by_text = {target.text: target for target in result.targets}
    absent = by_text["UDP, 5000 packets/s: CPU of rtspkit packets / PyAV demux"]
    assert (absent.value, absent.met) == (None, None)
    assert "av is not installed" in absent.note
    other = by_text["UDP, 5000 packets/s: CPU of rtspkit packets / aiortsp"]
    assert other.note == "not run"


def test_a_pair_that_was_not_asked_for_is_not_spoken_of():
    result = filled(rtspkit_packets=[2.0], pyav=[5.0])
    result.options["receivers"] = ["rtspkit-packets", "pyav"]
    judge(result)
    assert [target.text for target in result.targets] == [
        "UDP, 5000 packets/s: CPU of rtspkit packets / PyAV demux"
    ]


def test_a_pair_that_was_asked_for_and_did_not_play_is_named():
    result = filled(rtspkit_packets=[2.0])
    result.options["receivers"] = ["rtspkit-packets", "pyav"]
    judge(result)
    assert [target.note for target in result.targets] == ["not run"]


def test_many_streams_are_not_held_against_promises_for_one():
    result = Result("side_by_side")
    result.add("rtspkit packets", "cpu_per_packet", "us", UDP | {"streams": 10}, 1.0)
    judge(result)
    assert result.targets == []


def test_an_unknown_receiver_is_a_usage_error(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--receivers", "nobody"])
    assert caught.value.code == 2
    assert "no receiver 'nobody'" in capsys.readouterr().err


def test_a_run_prints_its_table_and_writes_its_file(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("bench.play.WARM_UP", 0.0)
    path = tmp_path / "found.json"
    options = ["--receivers", "drain-recv,drain-recvmmsg", "--transport", "tcp"]
    options += ["--rates", "2000", "--rounds", "2", "--seconds", "0.1", "--json", str(path)]
    result = main(options)
    assert read_result(path) == result
    (one,) = result.find("cpu_per_packet", "bare recv", transport="tcp", rate=2000)
    assert len(one.values) == 2
    assert min(one.values) > 0
    output = capsys.readouterr().out
    assert "TCP, 2000 packets/s of 1200 bytes (frames)" in output
    assert "bare recv " in output
    assert "bare recvmmsg" not in output  # it is for UDP only


def test_a_receiver_that_fails_is_named_as_missing(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("bench.play.WARM_UP", 0.0)
    options = ["--receivers", "drain-recv,rtspkit-packets", "--transport", "udp", "--rates"]
    options += ["1000", "--rounds", "2", "--seconds", "0.1", "--tree", str(tmp_path)]
    result = main([*options, "--output", str(tmp_path)])
    assert list(result.missing) == ["rtspkit packets"]
    assert "there is no rtspkit in" in result.missing["rtspkit packets"]
    assert "missing: rtspkit packets: has ended" in capsys.readouterr().out


def test_verdicts_are_printed_with_their_intervals(capsys):
    result = filled(rtspkit_packets=[2.0, 2.2], pyav=[5.0, 5.0])
    judge(result)
    result.notes.append("something to know")
    print_verdicts(result)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("F1 met    UDP, 5000 packets/s: CPU of rtspkit packets / PyAV demux")
    assert lines[-1] == "note: something to know"
    assert len(lines) == 2
