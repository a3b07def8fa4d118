from __future__ import annotations

from rtspkit.client.finding import Diagnosis, Finding


def test_a_finding_needs_no_advice_and_no_numbers():
    finding = Finding("udp", "ok", "fine")
    assert (finding.advice, dict(finding.numbers)) == ("", {})


def test_two_diagnoses_share_nothing():
    one, two = Diagnosis("rtsp://a/"), Diagnosis("rtsp://b/")
    one.findings.append(Finding("udp", "ok", "fine"))
    assert two.findings == []
    assert (two.transports, two.error) == ((), None)
