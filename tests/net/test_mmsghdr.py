"""The structures of the kernel's calls for many messages."""

from __future__ import annotations

import ctypes
import os

import pytest

from rtspkit.net import mmsghdr
from rtspkit.net.mmsghdr import HEADER_SIZE, LAYOUT_KNOWN, IoVector, MessageHeader, c_function


@pytest.mark.skipif(not LAYOUT_KNOWN, reason="no layout for this platform")
def test_fields_lie_where_the_kernel_looks():
    assert ctypes.sizeof(MessageHeader) == HEADER_SIZE
    assert MessageHeader.vector.offset == 16
    assert MessageHeader.control.offset == 32
    assert MessageHeader.flags.offset == 48
    assert MessageHeader.length.offset == 56
    assert IoVector.length.offset == 8


@pytest.mark.skipif(not LAYOUT_KNOWN, reason="no layout for this platform")
def test_functions_of_the_c_library_are_found_or_not():
    getpid = c_function("getpid", ())
    assert getpid is not None
    assert getpid() == os.getpid()
    assert c_function("no_such_function_of_any_library", ()) is None


def test_on_an_unknown_platform_there_is_none(monkeypatch):
    monkeypatch.setattr(mmsghdr, "LAYOUT_KNOWN", False)
    assert c_function("recvmmsg", ()) is None
