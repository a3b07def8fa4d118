"""Connects, one or many at a time; and what the laboratory needs."""

from __future__ import annotations

import os

import pytest

from bench import laboratory
from bench.comeback import open_camera
from bench.laboratory import connects, lacking


@pytest.mark.parametrize("transport", ["auto", "tcp"])
async def test_each_connect_is_timed_and_leaves_no_session(transport):
    camera = await open_camera()
    taken = await connects(camera.url, 5, transport, at_once=2)
    assert len(taken) == 5
    assert all(0 < one < 1 for one in taken)
    await camera.wait_until(lambda: not camera.sessions)
    assert camera.sessions_made == 5
    await camera.aclose()


async def test_a_connect_that_fails_has_no_time():
    camera = await open_camera()
    url = camera.url.replace("/stream", "/elsewhere")
    assert await connects(url, 2, "tcp") == [None, None]
    await camera.aclose()


def test_without_the_tools_it_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(laboratory.sys, "platform", "linux")
    monkeypatch.setenv("RTSPKIT_NETLAB", str(tmp_path))
    assert "shared tools are not there" in lacking()
    (tmp_path / "netlab.py").touch()
    monkeypatch.setattr(laboratory.shutil, "which", lambda name, path: None)
    assert lacking() == "not installed: ip, tc, ss, nft"


def test_it_needs_root_and_linux(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(laboratory.sys, "platform", "linux")
    assert "root" in lacking()
    monkeypatch.setattr(laboratory.sys, "platform", "darwin")
    assert "Linux" in lacking()
