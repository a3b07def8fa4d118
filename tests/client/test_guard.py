from __future__ import annotations

import asyncio

import pytest

from rtspkit.client.guard import guarded
from rtspkit.errors import ConnectionLost, RtspError


class Owner:
    """Something that the loop calls."""

    def __init__(self) -> None:
        self.failed: list[RtspError] = []
        self.reported: list[Exception] = []

    def fail(self, error: RtspError) -> None:
        self.failed.append(error)

    def report(self, defect: Exception) -> None:
        self.reported.append(defect)

    @guarded
    def called(self, error: BaseException | None, *, more: int = 0) -> None:
        """Raises what it is told."""
        self.more = more
        if error is not None:
            raise error

    @guarded
    def called_with_two(self, first: object, error: BaseException) -> None:
        self.first = first
        raise error


def test_what_raises_nothing_is_left_alone():
    owner = Owner()
    owner.called(None, more=3)
    assert (owner.more, owner.failed, owner.reported) == (3, [], [])
    assert owner.called.__doc__ == "Raises what it is told."


def test_an_error_of_ours_ends_the_session():
    owner, error = Owner(), ConnectionLost("gone")
    owner.called(error)
    assert (owner.failed, owner.reported) == ([error], [])


def test_an_exception_that_nobody_expects_is_reported():
    owner, defect = Owner(), KeyError("what")
    owner.called(defect)
    assert (owner.failed, owner.reported) == ([], [defect])


@pytest.mark.parametrize("kind", [asyncio.CancelledError, KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_passes(kind):
    with pytest.raises(kind):
        Owner().called(kind())


@pytest.mark.parametrize("error", [ConnectionLost("gone"), KeyError("what")])
def test_what_the_sockets_call_is_guarded_too(error):
    owner = Owner()
    owner.called_with_two(3, error)
    assert owner.first == 3
    assert [*owner.failed, *owner.reported] == [error]
