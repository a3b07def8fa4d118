"""A connection between two sessions: nobody's, and kept open.

Layer:  client
In:     the connection that a session has left in order
Out:    the same connection for the next session, or its end

Facts the code leans on
- Media may trail behind the answer to TEARDOWN: it is read and dropped, but not for ever.
- A peer that has gone says nothing: only an answer tells that it is still there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rtspkit.client.requests import Requests
from rtspkit.engine.exchange import Answered, Failed
from rtspkit.engine.session import SessionMachine
from rtspkit.errors import ConnectionLost, ResponseError, RtspError, Unauthorized
from rtspkit.net.clock import monotonic_clock
from rtspkit.net.tcp import OnData, TcpCircuit

__all__ = ["IdleConnection"]

HEALTHY = 1.0  # seconds that the answer to the question may take
TRAILING = 64 * 1024  # bytes that may come while nobody has asked for anything


class IdleConnection:
    """A connection that waits for its next session.

    Args:
        circuit: Of the session that has left it; it is over for that one.
        machine: Fresh, and knows what the session before has learnt.
        on_end: Told when the connection has ended by itself.

    Attributes:
        machine: What the next session inherits.
        since: Monotonic seconds.
    """

    def __init__(
        self,
        circuit: TcpCircuit,
        machine: SessionMachine,
        on_end: Callable[[IdleConnection], None],
    ) -> None:
        self.machine = machine
        self._on_end = on_end
        now = monotonic_clock(asyncio.get_running_loop())
        self._requests = Requests(machine, now, self._pump)
        self._now = now
        self._circuit = circuit.pass_on(self._on_data, self._on_lost)
        self.since = now()

    @property
    def is_open(self) -> bool:
        """Whether a session may go on here."""
        return self._circuit is not None and self._circuit.is_open and self.machine.settled

    @property
    def closed(self) -> asyncio.Future[None] | None:
        """Done when the socket is gone; None when there never was one."""
        return None if self._circuit is None else self._circuit.closed

    async def answers(self, uri: str) -> bool:
        """Whether the server is still there: asked, and closed when it is not.

        Args:
            uri: Of the question, which is OPTIONS.
        """
        try:
            async with asyncio.timeout(HEALTHY):
                await self._requests.ask("OPTIONS", uri)
        except TimeoutError:
            self.close()
        except Unauthorized:
            self.close()  # whoever is known here is not welcome any more
        except ResponseError:
            pass  # it is an answer
        except RtspError:
            self.close()
        except BaseException:
            self.close()
            raise
        if not self.is_open:
            self.close()
            return False
        return True

    def pass_on(
        self, on_data: OnData, on_lost: Callable[[BaseException | None], None]
    ) -> TcpCircuit | None:
        """The connection, for a session; None when it has ended meanwhile."""
        if self._circuit is None or not self.is_open:
            self.close()
            return None
        return self._circuit.pass_on(on_data, on_lost)

    def close(self) -> None:
        """Close it; idempotent, and ``on_end`` is not called."""
        if self._circuit is not None:
            self._circuit.close()
        self._requests.fail(ConnectionLost("the connection was closed", phase="options"))

    # -- called by the socket ---------------------------------------------------------------------

    def _on_data(self, view: memoryview, now: float) -> int:
        self.machine.receive_data(view, now)
        self._pump()
        return 0

    def _on_lost(self, cause: BaseException | None) -> None:
        self.machine.receive_eof(self._now(), cause)
        self._pump()

    def _pump(self) -> None:
        machine, circuit = self.machine, self._circuit
        while (event := machine.next_event()) is not None:
            if isinstance(event, Answered | Failed):
                self._requests.tell(event)
        if circuit is None:
            return
        circuit.write(machine.data_to_send())
        if machine.lost is not None or circuit.bytes_received > TRAILING:
            self.close()
            self._on_end(self)
