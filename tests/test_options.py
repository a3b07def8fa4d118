"""Every bound has a name and a default, and takes positive finite numbers only."""

import dataclasses
import inspect
import math
import pickle

import pytest

from rtspkit.options import TLS, Limits, Racing, Retry, Timeouts

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


# -- Retry, Racing, TLS --------------------------------------------------------------------------

DELAYS = ["initial_delay", "maximum_delay", "reset_after"]
NUMBERS = [
    *((Retry, name) for name in ("max_attempts", *DELAYS)),
    *((Racing, name) for name in ("max_connections", "delay", "timeout")),
]
PINNED = "0123456789abcdef" * 4


def test_a_session_is_tried_for_as_is_judged_best():
    assert dataclasses.asdict(Retry()) == {
        "strategy": "auto",
        "max_attempts": 5,
        "initial_delay": 1.0,
        "maximum_delay": 30.0,
        "reset_after": 10.0,
        "after_goodbye": False,
    }


def test_three_connections_race_and_for_five_seconds():
    assert dataclasses.asdict(Racing()) == {
        "mode": "auto",
        "max_connections": 3,
        "delay": 0.25,
        "timeout": 5.0,
    }


def test_certificates_are_verified_unless_that_is_given_up_by_name():
    assert dataclasses.asdict(TLS()) == {
        "ca": None,
        "fingerprint": None,
        "server_name": None,
        "insecure": False,
    }


@pytest.mark.parametrize("cls", [Retry, Racing, TLS])
def test_every_setting_has_a_line_in_the_docstring(cls):
    for field in dataclasses.fields(cls):
        assert field.default is not dataclasses.MISSING
        assert f"\n    {field.name}: " in inspect.cleandoc(cls.__doc__)


@pytest.mark.parametrize(
    ("cls", "name", "values"),
    [
        (
            Retry,
            "strategy",
            "none immediate linear exponential exponential-jitter auto adaptive",
        ),
        (Racing, "mode", "auto none first-wins last-wins hybrid"),
    ],
)
def test_what_is_none_of_the_names_is_refused_with_all_of_them(cls, name, values):
    for value in values.split():
        assert getattr(cls(**{name: value}), name) == value
        assert value in inspect.cleandoc(cls.__doc__)
    known = ", ".join(values.split())
    for wrong in ("fibonacci", "AUTO", "", None, 1):
        with pytest.raises(ValueError, match=rf"{cls.__name__}\.{name} is one of") as caught:
            cls(**{name: wrong})
        assert str(caught.value).endswith(f"is one of {known}, not {wrong!r}")


@pytest.mark.parametrize(("cls", "name"), NUMBERS)
@pytest.mark.parametrize("number", [0, -1, -0.5, math.nan, math.inf])
def test_a_delay_or_count_that_is_none_is_refused_by_name(cls, name, number):
    with pytest.raises((ValueError, TypeError), match=rf"{cls.__name__}\.{name} must be"):
        cls(**{name: number})


@pytest.mark.parametrize(("cls", "name"), NUMBERS)
@pytest.mark.parametrize("value", ["10", None, True, [1]])
def test_a_delay_or_count_that_is_no_number_is_a_type_error(cls, name, value):
    with pytest.raises(TypeError, match=rf"{cls.__name__}\.{name} must be a number"):
        cls(**{name: value})


@pytest.mark.parametrize(("cls", "name"), [(Retry, "max_attempts"), (Racing, "max_connections")])
def test_what_is_counted_is_whole(cls, name):
    with pytest.raises(TypeError, match=rf"{cls.__name__}\.{name} must be a whole number"):
        cls(**{name: 2.5})


def test_delays_grow_and_do_not_shrink():
    assert Retry(initial_delay=30).initial_delay == 30
    with pytest.raises(ValueError, match=r"initial_delay \(31 s\) is over maximum_delay \(30 s\)"):
        Retry(initial_delay=31)
    with pytest.raises(ValueError, match=r"initial_delay \(1 s\) is over maximum_delay \(0.5 s\)"):
        Retry(maximum_delay=0.5)


@pytest.mark.parametrize(
    "text", [PINNED, PINNED.upper(), ":".join(PINNED[i : i + 2] for i in range(0, 64, 2))]
)
def test_a_fingerprint_is_the_same_however_it_is_written(text):
    assert TLS(fingerprint=text).fingerprint == PINNED
    assert TLS(fingerprint=text) == TLS(fingerprint=PINNED)


@pytest.mark.parametrize("text", ["", PINNED[1:], PINNED + "0", "g" + PINNED[1:], "٣" * 64])
def test_what_is_no_fingerprint_is_refused(text):
    with pytest.raises(ValueError, match=r"TLS\.fingerprint is the SHA-256"):
        TLS(fingerprint=text)


@pytest.mark.parametrize("more", [{"ca": "/ca.pem"}, {"fingerprint": PINNED}])
def test_verifying_nothing_and_something_is_a_contradiction(more):
    with pytest.raises(ValueError, match=r"TLS\.insecure verifies nothing"):
        TLS(insecure=True, **more)
    assert TLS(insecure=True, server_name="camera").insecure


def test_how_a_certificate_is_verified_can_be_read():
    shown = repr(TLS(ca="/ca.pem", fingerprint=PINNED.upper(), server_name="camera"))
    assert shown == (
        f"TLS(ca='/ca.pem', fingerprint='{PINNED}', server_name='camera', insecure=False)"
    )
    assert eval(shown) == TLS(ca="/ca.pem", fingerprint=PINNED, server_name="camera")


@pytest.mark.parametrize(
    "value",
    [
        Retry(strategy="linear", max_attempts=2),
        Racing("none", delay=1),
        TLS(fingerprint=PINNED.upper()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_settings_are_values(value):
    cls = type(value)
    assert pickle.loads(pickle.dumps(value)) == value == dataclasses.replace(value)
    assert value != cls() == cls()
    assert len({value, dataclasses.replace(value), cls()}) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, dataclasses.fields(cls)[0].name, "auto")
    with pytest.raises(TypeError):
        cls(unknown=1)


@pytest.mark.parametrize("cls", [Retry, TLS])
def test_they_are_named_one_by_one(cls):
    with pytest.raises(TypeError):
        cls("auto")
    assert Racing("none").mode == "none"  # but for the one that says it all
