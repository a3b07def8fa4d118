"""One at a time; whoever dies lets go."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rtspkit.net import file_lock as module
from rtspkit.net.file_lock import file_lock

ROOT = Path(__file__).parent.parent.parent
HOLDER = """
import sys
from pathlib import Path
from rtspkit.net.file_lock import file_lock
with file_lock(Path(sys.argv[1]), 5.0):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_is_held_while_the_block_runs(tmp_path):
    path = tmp_path / "lock"
    with file_lock(path, 0.0) as held:
        assert held
        with pytest.raises(TimeoutError, match="somebody else"), file_lock(path, 0.0):
            pytest.fail("both have it")
    with file_lock(path, 0.0) as held:
        assert held


def test_whoever_is_killed_lets_go(tmp_path):
    path = tmp_path / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    try:
        assert holder.stdout.readline().strip() == b"held"
        with pytest.raises(TimeoutError), file_lock(path, 0.0):
            pytest.fail("both have it")
    finally:
        holder.kill()
        holder.communicate()
    with file_lock(path, 5.0) as held:
        assert held


def test_a_file_system_without_locks_is_told(tmp_path, monkeypatch):
    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(module, "_try", refuse)
    with file_lock(tmp_path / "lock", 5.0) as held:
        assert not held


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), file_lock(tmp_path / "none" / "lock", 0.0):
        pytest.fail("there is nothing to hold")


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="this system has no O_NOFOLLOW")
def test_does_not_follow_a_link(tmp_path):
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError), file_lock(tmp_path / "lock", 0.0):  # noqa: PT011 - ELOOP, EMLINK
        pytest.fail("followed")
    assert not (tmp_path / "elsewhere").exists()
