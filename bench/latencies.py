"""How long packets were under way: noted as they come, worked out when none come any more.

In:     for each packet: when the consumer had it, when the kernel had it, its payload
Out:    percentiles in microseconds
"""

from __future__ import annotations

from array import array

from bench.measure import percentile
from bench.traffic import STAMP_SIZE, read_stamp

__all__ = ["PERCENTILES", "Latencies"]

PERCENTILES = (50.0, 90.0, 99.0, 99.9)


class Latencies:
    """What consumers note, of all streams together."""

    def __init__(self) -> None:
        self._consumed = array("q")  # monotonic nanoseconds
        self._arrivals = array("d")  # monotonic seconds
        self._stamps: list[bytes] = []

    def note(self, consumed: int, arrival: float, payload: memoryview) -> None:
        """One packet: nothing but its numbers is kept, so that no memory stays in use.

        Args:
            consumed: Monotonic nanoseconds at which the consumer had it.
            arrival: Monotonic seconds at which it arrived.
            payload: With the source's stamp at its end, if it has one.
        """
        self._consumed.append(consumed)
        self._arrivals.append(arrival)
        self._stamps.append(bytes(payload[:2]) + bytes(payload[-STAMP_SIZE:]))

    def percentiles(self) -> dict[str, float]:
        """``arrival_p99``: from arrival to consumer; ``send_…``: from the source's stamp;
        ``wire_…``: from the stamp to arrival; and ``packets``, how many were noted."""
        arrival, send, wire = [], [], []
        for consumed, arrived, stamp in zip(
            self._consumed, self._arrivals, self._stamps, strict=True
        ):
            arrival.append(consumed / 1e3 - arrived * 1e6)
            sent = read_stamp(stamp)
            if sent is not None:
                send.append((consumed - sent.monotonic) / 1e3)
                wire.append(arrived * 1e6 - sent.monotonic / 1e3)
        found: dict[str, float] = {"packets": len(arrival)}
        for name, values in (("arrival", arrival), ("send", send), ("wire", wire)):
            values.sort()
            if values:
                for share in PERCENTILES:
                    found[f"{name}_p{share:g}"] = percentile(values, share / 100)
        return found
