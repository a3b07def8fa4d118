"""Every bound has a name and a default, and takes positive finite numbers only."""

import dataclasses
import inspect
import math
import pickle

import pytest

from rtspkit.options import Limits, Timeouts

FIELDS = [(cls, field) for cls in (Timeouts, Limits) for field in dataclasses.fields(cls)]
WHOLE = [field.name for field in dataclasses.fields(Limits) if field.type == "int"]


def test_the_deadlines():
    assert dataclasses.asdict(Timeouts()) == {
        "connect": 10.0,
        "response": 10.0,
        "first_packet": 1.5,
        "first_packet_tcp": 10.0,
        "media_silence": 10.0,
        "bye_grace": 2.0,
        "write": 10.0,
        "teardown": 2.0,
    }


def test_the_limits_are_those_of_the_security_page():
    limits = Limits()
    assert (limits.header_lines, limits.header_name, limits.header_value) == (128, 256, 8192)
    assert (limits.message, limits.body) == (262_144, 131_072)
    assert (limits.garbage, limits.garbage_time) == (65_536, 2.0)
    assert (limits.sdp_media, limits.sdp_attributes, limits.sdp_line) == (64, 256, 16_384)
    assert (limits.video_access_unit, limits.audio_access_unit) == (4_194_304, 65_536)
    assert (limits.nal_units, limits.access_unit_age) == (512, 2.0)
    assert limits.reorder_packets == 128
    assert (limits.authentication_attempts, limits.server_requests) == (1, 20)


@pytest.mark.parametrize(("cls", "field"), FIELDS)
def test_each_has_a_default_and_a_line_in_the_docstring(cls, field):
    assert field.default is not dataclasses.MISSING
    assert f"\n    {field.name}: " in inspect.cleandoc(cls.__doc__)


@pytest.mark.parametrize(("cls", "field"), FIELDS)
@pytest.mark.parametrize("number", [0, -1, -0.5, math.nan, math.inf])
def test_what_is_no_bound_is_refused_by_name(cls, field, number):
    with pytest.raises((ValueError, TypeError), match=rf"{cls.__name__}\.{field.name} must be"):
        cls(**{field.name: number})


@pytest.mark.parametrize(("cls", "field"), FIELDS)
@pytest.mark.parametrize("value", ["10", None, True, b"1", [1]])
def test_what_is_no_number_is_a_type_error(cls, field, value):
    with pytest.raises(TypeError, match=rf"{cls.__name__}\.{field.name} must be a number"):
        cls(**{field.name: value})


@pytest.mark.parametrize("name", WHOLE)
def test_sizes_and_counts_are_whole(name):
    with pytest.raises(TypeError, match=rf"Limits\.{name} must be a whole number, not 1\.5"):
        Limits(**{name: 1.5})


def test_seconds_may_be_whole_or_not():
    assert Timeouts(connect=3).connect == 3
    assert Limits(garbage_time=1).garbage_time == 1


@pytest.mark.parametrize("cls", [Timeouts, Limits])
def test_they_are_values(cls):
    assert cls() == cls() == pickle.loads(pickle.dumps(cls()))
    assert hash(cls()) == hash(cls())
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(cls(), dataclasses.fields(cls)[0].name, 1)
    with pytest.raises(TypeError):
        cls(1)
    with pytest.raises(TypeError):
        cls(unknown=1)
