"""Payload formats: access units out of RTP payloads, and back. State, but no clock and no I/O."""

from rtspkit.payload.base import AccessUnit
from rtspkit.payload.registry import depacketizer, packetizer

__all__ = ["AccessUnit", "depacketizer", "packetizer"]
