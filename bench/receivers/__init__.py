"""Receivers: one child program each, all spoken to alike.

    python -m bench.receivers.recvmmsg rtsp://127.0.0.1:8554/live --streams 1 --transport udp

A program prints one line ``{"ready": {...}}`` when the first media has come to all its streams, and
one line ``{"counters": {...}}`` when its standard input has a line or has ended; then it ends.
What it counts is named in ``bench.receivers.common``; ``bench.catalogue`` lists them all.
"""
