"""Keys, and what is missing."""

from __future__ import annotations

import importlib.util

import pytest

from bench.catalogue import DEFAULT, RECEIVERS, Receiver, choose, missing


def test_each_receiver_has_its_program_and_a_name_of_its_own():
    subjects = [one.subject for one in RECEIVERS.values()]
    assert len(set(subjects)) == len(subjects)
    for key, one in RECEIVERS.items():
        assert one.key == key
        assert importlib.util.find_spec(f"bench.receivers.{one.module}") is not None


def test_every_door_engine_and_loop_of_ours_can_be_chosen():
    ours = [key for key in RECEIVERS if key.startswith("rtspkit-")]
    assert len(ours) == 3 * 4 * 2
    one = RECEIVERS["rtspkit-units-recv_into-asyncio"]
    assert one.arguments == (
        *("--door", "access_units", "--loop", "asyncio"),
        *("--receiver", "recv_into"),
    )
    assert one.takes_tree
    assert not RECEIVERS["pyav"].takes_tree


def test_receivers_are_chosen_by_key():
    assert [one.key for one in choose("pyav,drain-recv")] == ["pyav", "drain-recv"]
    assert [one.key for one in choose(None)] == list(DEFAULT)
    assert len(choose("all")) == len(RECEIVERS)
    with pytest.raises(KeyError):
        choose("nobody")


def test_what_is_not_installed_is_named():
    assert missing(Receiver("a", "a", "recv")) == ""
    assert "no_such_module" in missing(Receiver("a", "a", "recv", modules=("no_such_module",)))
    assert "no-such-program" in missing(Receiver("a", "a", "recv", program="no-such-program"))
