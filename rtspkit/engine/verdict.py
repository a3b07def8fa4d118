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
    Forbidden,
    LocalProtocolError,
    NotFound,
    RemoteProtocolError,
    RtspError,
    Unauthorized,
)

__all__ = ["is_final", "may_return"]

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


def may_return(error: RtspError) -> bool:
    """Whether a session that was lost so can be had back: no refusal, and no defect of ours."""
    if is_final(error, played=True):
        return False
    return error.retryable or isinstance(error, RemoteProtocolError | LocalProtocolError)
