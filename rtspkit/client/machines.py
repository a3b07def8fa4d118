"""The machines of one connection, made of the user's options and of chance.

Layer:  client
"""

from __future__ import annotations

import os
import random
import secrets

from rtspkit.client.options import ConnectOptions
from rtspkit.engine.knowledge import Knowledge
from rtspkit.engine.playback import Playback
from rtspkit.engine.session import SessionMachine
from rtspkit.engine.strategist import Strategist, make_strategist
from rtspkit.options import Retry

__all__ = ["new_playback", "new_session_machine", "new_strategist"]


def new_strategist(options: ConnectOptions, knowledge: Knowledge | None = None) -> Strategist:
    """What says when, and how, to try again; ``knowledge`` is of the server, and grows."""
    retry = options.retry or Retry(strategy="none")
    return make_strategist(retry, random=random.random, knowledge=knowledge)


def new_session_machine(options: ConnectOptions) -> SessionMachine:
    """The control plane of a new connection."""
    return SessionMachine(
        options.url,
        credentials=options.credentials,
        timeouts=options.timeouts,
        limits=options.limits,
        user_agent=options.user_agent,
        headers=options.headers,
        token=lambda: secrets.token_hex(8),
    )


def new_playback(options: ConnectOptions) -> Playback:
    """The media plane of a new connection."""
    return Playback(
        limits=options.limits,
        timeouts=options.timeouts,
        reorder=options.reorder,
        cname=f"{secrets.token_hex(6)}@rtspkit.invalid".encode(),
        new_ssrc=lambda: int.from_bytes(os.urandom(4), "big"),
        random=random.random,
        punch=options.nat == "punch",
    )
