"""Which method may be sent in which state, and where a success leads: one table.

Layer:  engine
Source: RFC 2326 A.1 (the client's state machine)

Where we leave the RFC
- SETUP is allowed while playing: a stream may be added to a live session.
- GET_PARAMETER, SET_PARAMETER and OPTIONS change nothing and are allowed everywhere.
"""

from __future__ import annotations

from enum import StrEnum

from rtspkit.errors import LocalProtocolError

__all__ = ["State", "check_allowed", "next_state"]


class State(StrEnum):
    """The states of RFC 2326 A.1 that a player has."""

    INIT = "init"
    READY = "ready"
    PLAYING = "playing"


ANYWHERE = frozenset({"OPTIONS", "DESCRIBE", "GET_PARAMETER", "SET_PARAMETER"})

TRANSITIONS: dict[tuple[State, str], State] = {
    (State.INIT, "SETUP"): State.READY,
    (State.INIT, "TEARDOWN"): State.INIT,
    (State.READY, "SETUP"): State.READY,
    (State.READY, "PLAY"): State.PLAYING,
    (State.READY, "PAUSE"): State.READY,
    (State.READY, "TEARDOWN"): State.INIT,
    (State.PLAYING, "SETUP"): State.PLAYING,
    (State.PLAYING, "PLAY"): State.PLAYING,
    (State.PLAYING, "PAUSE"): State.READY,
    (State.PLAYING, "TEARDOWN"): State.INIT,
}


def check_allowed(state: State, method: str) -> None:
    """Refuse a method that the state does not have, before anything is sent.

    Raises:
        LocalProtocolError: Names the method, the state and what is missing.
    """
    if method in ANYWHERE or (state, method) in TRANSITIONS:
        return
    if not any(known == method for _, known in TRANSITIONS):
        return  # not a method that moves the session: the server may judge it
    raise LocalProtocolError(
        f"{method} is not possible in state {state}: nothing was set up", phase=method.lower()
    )


def next_state(state: State, method: str) -> State:
    """The state after the server took ``method``."""
    return TRANSITIONS.get((state, method), state)
