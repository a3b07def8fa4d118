"""Benchmarks: rtspkit beside its peers, in one run, on traffic that looks like a camera's.

    python -m bench list
    python -m bench side_by_side --quick
    python -m bench                         # all of them, then the report

A source process of our own (``bench.source``) plays to receivers that are programs of their own
(``bench.receivers``); figures come from outside, by what the kernel charged each of them. Results
are JSON files (``bench.result``).
"""
