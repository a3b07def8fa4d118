"""How the bytes of a session came in: the numbers of its sockets.

Layer:  client
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rtspkit.engine.statistics import PoolStats
from rtspkit.net.slab import SlabPool
from rtspkit.net.tcp import TcpCircuit
from rtspkit.net.udp_port import UdpPort

__all__ = ["Reading", "measure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The sums over all sockets; the attributes are those of ``SessionStats``.

    Attributes:
        kernel_dropped_by_stream: Datagrams that found the kernel's queue full, by stream index.
    """

    receiver: str
    wake_ups: int
    system_calls: int
    largest_batch: int
    joined: int
    copied: int
    kernel_dropped: int
    receive_buffer: int
    pool: PoolStats
    kernel_dropped_by_stream: Mapping[int, int] = field(default_factory=dict)


def measure(ports: Mapping[int, UdpPort], circuit: TcpCircuit | None, pool: SlabPool) -> Reading:
    """Read the counters of these ports and of the control connection."""
    readers = [reader for port in ports.values() for reader in port.readers]
    dropped = {index: port.kernel_dropped for index, port in ports.items()}
    interleaved = circuit if circuit is not None and not ports else None
    receiver = next((port.receiver for port in ports.values()), "")
    if interleaved is not None:
        receiver = "stream"
    return Reading(
        receiver=receiver,
        wake_ups=sum(port.wake_ups for port in ports.values())
        + (interleaved.reads if interleaved else 0),
        system_calls=sum(reader.calls for reader in readers)
        + (interleaved.reads if interleaved else 0),
        largest_batch=max((port.largest_batch for port in ports.values()), default=0),
        joined=sum(reader.joined for reader in readers),
        copied=sum(reader.copies for reader in readers)
        + (interleaved.copies if interleaved else 0),
        kernel_dropped=sum(dropped.values()),
        receive_buffer=min((port.receive_buffer for port in ports.values()), default=0),
        pool=pool.stats(),
        kernel_dropped_by_stream=dropped,
    )
