from __future__ import annotations

import time

from rtspkit.compat.aiortsp.rtcp.parser import RR, RTCP, SR
from rtspkit.compat.aiortsp.rtcp.stats import RTCPStats
from rtspkit.engine.statistics import StreamStats


def test_it_begins_with_nothing():
    stats = RTCPStats()
    assert (stats.received, stats.lost, stats.jitter, stats.last_received) == (0, 0, 0, 0)
    assert (stats.last_ntp, stats.last_ts) == (None, None)


def test_it_shows_the_numbers_of_the_stream():
    stats = RTCPStats()
    stats.follow(lambda: StreamStats(packets=7, lost=2, jitter=0.5), 8000)
    assert (stats.received, stats.lost, stats.jitter) == (7, 2, 4000)


def test_it_keeps_when_packets_and_reports_came():
    stats = RTCPStats()
    before = time.time()
    stats.received_rtp()
    assert before <= stats.last_received <= time.time()
    stats.handle_rtcp(RTCP([RR(1), SR(1, 5.0, ts=6)]))
    assert (stats.last_ntp, stats.last_ts) == (5.0, 6)
