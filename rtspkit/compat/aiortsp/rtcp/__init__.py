"""RTCP as aiortsp gives it."""
