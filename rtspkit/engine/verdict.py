"""Whether an error is for good, or another attempt may do better.

Layer:  engine (no state)

Rules
- What the server says of us is for good: a wrong password, a path that is not there, a certificate
  that is not right. Knocking on would lock accounts.
- Before a session has played, what is no matter of luck is for good too; a name that nobody knows
  is most often misspelt. What worked once may work again: a server that is just starting says
  strange things.
"""

from __future__ import annotations

from rtspkit.errors import (
    ConnectError,
    ConnectionLost,
    Forbidden,
    LocalProtocolError,
    NotFound,
    RemoteProtocolError,
    RtspError,
    Unauthorized,
)
from rtspkit.options import Retry

__all__ = ["is_final", "loss_of", "may_return"]

REFUSALS = (Unauthorized, Forbidden, NotFound)


def is_final(error: RtspError, *, played: bool) -> bool:
    """Whether another attempt would be of no use.

    Args:
        error: What the attempt met.
        played: Whether the session has played before.
    """
    if not played:
        return not error.retryable or error.phase == "resolve"
    if isinstance(error, REFUSALS):
        return True
    return isinstance(error, ConnectError) and not error.retryable


def loss_of(error: RtspError | None, retry: Retry | None, *, live: bool) -> RtspError | None:
    """Why a session that has played is to be had back; None when it is over.

    Args:
        error: What it has ended with; None when it was in order.
        retry: What the user has set.
        live: Whether what it played has no end of its own.
    """
    if retry is None or retry.strategy == "none":
        return None
    if error is not None:
        return error if may_return(error) else None
    if live and retry.after_goodbye:
        return ConnectionLost("the server said goodbye (BYE)", phase="streaming")
    return None


def may_return(error: RtspError) -> bool:
    """Whether a session that was lost so can be had back: no refusal, and no defect of ours."""
    if is_final(error, played=True):
        return False
    return error.retryable or isinstance(error, RemoteProtocolError | LocalProtocolError)
