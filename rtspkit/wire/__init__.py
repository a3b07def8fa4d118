"""Bytes to values and back: pure functions and plain values, without I/O, clock or chance."""
