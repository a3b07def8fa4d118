"""Figures as a reader sees them."""

import pytest

from bench.result import Measurement, Target
from bench.tables import format_number, format_value, lower_end, metric_tables, table, verdict


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1.234, "1.23"),
        (12.34, "12.3"),
        (123.4, "123"),
        (123456.0, "123,456"),
        (5.0, "5"),
        (0.0123, "0.0123"),
        (0.00001234, "1.2e-05"),
        (float("nan"), "-"),
        (float("inf"), "-"),
    ],
)
def test_numbers_have_three_digits(value, text):
    assert format_number(value) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.5, "us", "1.50 µs"),
        (9_999, "bytes", "9,999 bytes"),
        (1024 * 64, "bytes", "64 KiB"),
        (3 * 1024**3, "bytes", "3,072 MiB"),
        (0.25, "", "0.250"),
    ],
)
def test_values_have_their_unit(value, unit, text):
    assert format_value(value, unit) == text


@pytest.mark.parametrize(
    ("value", "at_most", "text"),
    [
        (1.7, True, "met"),
        (1.8, True, "met"),
        (2.7, True, "missed by 50 %"),
        (2.0, False, "met"),
        (0.9, False, "missed by 50 %"),
        (None, True, "not measured"),
    ],
)
def test_a_promise_is_met_or_missed_by_its_share(value, at_most, text):
    assert verdict(Target("F1", "x", value, 1.8, at_most=at_most)) == text


def test_a_table_escapes_what_would_end_a_cell():
    assert table(["a", "b"], [["x|y", "1"]], "lr")[2] == "| x\\|y | 1 |"


def test_what_is_never_negative_has_no_interval_below_zero():
    assert lower_end(-3.0, [1.0, 2.0]) == 0.0
    assert lower_end(-3.0, [-1.0, 2.0]) == -3.0


def cpu(subject, transport, rate, *samples):
    parameters = {"transport": transport, "rate": rate, "streams": 1}
    return Measurement(subject, "cpu_per_packet", "us", parameters, list(samples))


def test_what_varies_goes_across_and_the_rest_above():
    lines = metric_tables([cpu("a", "udp", 80_000.0, 1.0), cpu("a", "udp", 5_000.0, 2.0)])
    assert lines == [
        "",
        "### CPU per packet (µs)",
        "",
        "With streams 1, transport udp:",
        "",
        "|  | rate 5,000 | rate 80,000 |",
        "| :-- | --: | --: |",
        "| a | 2 | 1 |",
    ]


def test_each_transport_has_a_table_in_the_order_measured():
    lines = metric_tables([cpu("a", "udp", 1.0, 1.0), cpu("a", "tcp", 1.0, 2.0)])
    told = [line for line in lines if line.startswith("With")]
    assert told == [
        "With rate 1, streams 1, transport udp:",
        "With rate 1, streams 1, transport tcp:",
    ]


def test_percentiles_share_a_table_in_their_order():
    found = [
        Measurement("a", f"delay_p{share}", "us", {}, [float(index)])
        for index, share in enumerate(("99.9", "50", "99"))
    ]
    lines = metric_tables(found)
    assert "|  | p50 | p99 | p99.9 |" in lines
    assert lines[-1] == "| a | 1 | 2 | 0 |"


def test_three_rounds_have_an_interval_and_fewer_have_none():
    assert metric_tables([cpu("a", "udp", 1.0, 2.0, 2.2)])[-1] == "| a | 2.10 |"
    assert metric_tables([cpu("a", "udp", 1.0, 2.0, 2.2, 2.1)])[-1].startswith("| a | 2.10 (")
    assert metric_tables([cpu("a", "udp", 1.0, 2.1)])[-1] == "| a | 2.10 |"


def test_a_metric_that_is_zero_everywhere_takes_one_line():
    loss = Measurement("a", "loss", "", {"rate": 1.0}, [0.0, 0.0])
    assert metric_tables([loss]) == ["", "Loss: none, anywhere."]


def test_a_subject_without_samples_has_no_row():
    lines = metric_tables([cpu("a", "udp", 1.0, 2.1), cpu("b", "udp", 1.0, None)])
    assert not any(line.startswith("| b") for line in lines)
