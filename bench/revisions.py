"""Other revisions of the package, beside the one in the working tree.

In:     a repository and the name of a revision
Out:    folders that hold one ``rtspkit`` each, to go first on a child's path

A revision lives in a temporary git worktree, which is gone afterwards whatever happens. A folder on
the path holds nothing but a link to the package: the ``bench`` of another revision must not take
the place of this one.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

__all__ = ["PACKAGE", "NoRevision", "Repository"]

PACKAGE = "rtspkit"
GIT_SECONDS = 60.0


class NoRevision(Exception):
    """There is no such revision here; the message says what is missing."""


class Repository:
    """A git repository.

    Args:
        root: The top of its working tree.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def resolve(self, revision: str) -> str:
        """The full name of a commit.

        Raises:
            NoRevision: There is none, or no git, or no repository.
        """
        if shutil.which("git") is None:
            raise NoRevision("git is not installed")
        if self._ask("rev-parse", "--git-dir").returncode:
            raise NoRevision("this is no git repository: nothing to compare with")
        name = f"{revision}^{{commit}}"
        found = self._ask("rev-parse", "--verify", "--quiet", "--end-of-options", name)
        if found.returncode:
            shallow = self._ask("rev-parse", "--is-shallow-repository").stdout.strip() == "true"
            why = "the clone is shallow; git fetch --unshallow brings it" if shallow else "unknown"
            raise NoRevision(f"no revision {revision} here: {why}")
        return found.stdout.strip()

    def same_as_working_tree(self, commit: str) -> bool:
        """Whether the package in the working tree is that of a commit, new files included."""
        changed = self._ask("diff", "--quiet", commit, "--", PACKAGE).returncode
        others = self._ask("ls-files", "--others", "--exclude-standard", "--", PACKAGE).stdout
        return not changed and not others.strip()

    def has_package(self, commit: str) -> bool:
        """Whether a commit holds the package at all."""
        return not self._ask("cat-file", "-e", f"{commit}:{PACKAGE}/__init__.py").returncode

    @contextlib.contextmanager
    def trees(self, commit: str) -> Iterator[tuple[Path, Path]]:
        """Two folders for a child's path: the package as of a commit, and as it is here.

        Raises:
            NoRevision: git cannot give that commit's files.
        """
        with _interrupted_by_termination(), tempfile.TemporaryDirectory() as name:
            place = Path(name)
            before, now, tree = (place / part for part in ("before", "now", "worktree"))
            try:
                quiet = ("-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false")
                made = self._ask(*quiet, "worktree", "add", "--detach", str(tree), commit)
                if made.returncode:
                    raise NoRevision(f"git gives no worktree: {made.stderr.strip()}")
                for folder, source in ((before, tree), (now, self.root)):
                    folder.mkdir()
                    (folder / PACKAGE).symlink_to(source / PACKAGE, target_is_directory=True)
                yield before, now
            finally:
                self._ask("worktree", "remove", "--force", str(tree))
                shutil.rmtree(tree, ignore_errors=True)
                self._ask("worktree", "prune")

    def _ask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["git", "-C", str(self.root), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=GIT_SECONDS,
            stdin=subprocess.DEVNULL,
        )


@contextlib.contextmanager
def _interrupted_by_termination() -> Iterator[None]:
    """Make SIGTERM an exception, so that what is to be cleared away is."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
