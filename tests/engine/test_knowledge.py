"""What was learnt survives as JSON, and what was damaged is left out."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.engine.knowledge import DISCOVERY, LAST, RECENT, Knowledge


def learnt():
    knowledge = Knowledge(tried=81.25, discovery=40.0, changed=True)
    knowledge.last.extend([1.0, 0.0])
    knowledge.recoveries.extend([20.5, 61.0])
    arm = knowledge.arm("timed")
    arm.successes, arm.failures = 2.5, 1.0
    arm.recent.extend([1.0, 0.0])
    arm.seconds.extend([20.5])
    knowledge.arm("auto")
    return knowledge


def test_it_survives_as_json():
    text = json.dumps(learnt().to_json())
    assert Knowledge.from_json(json.loads(text)) == learnt()


def test_it_survives_whoever_never_learnt_anything():
    assert Knowledge.from_json(Knowledge().to_json()) == Knowledge()


@pytest.mark.parametrize("found", [None, 3, "x", [], {}, {"format": 2}, {"format": "1"}])
def test_what_is_none_is_a_fresh_beginning(found):
    assert Knowledge.from_json(found) == Knowledge()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("successes", -1),
        ("successes", "2"),
        ("successes", True),
        ("failures", math.nan),
        ("failures", math.inf),
        ("failures", 10**400),
        ("failures", None),
        ("recent", [1.0, 2.0]),
        ("recent", "11"),
        ("seconds", [None]),
        ("seconds", {}),
    ],
)
def test_a_damaged_arm_is_dropped_and_the_others_stay(key, value):
    found = learnt().to_json()
    found["arms"]["timed"][key] = value
    assert set(Knowledge.from_json(found).arms) == {"auto"}


@pytest.mark.parametrize("key", ["tried", "discovery", "last", "recoveries", "changed", "arms"])
@pytest.mark.parametrize("value", [None, "x", -5, [None], math.nan, {"a": 1}])
def test_a_damaged_entry_is_the_default(key, value):
    found = learnt().to_json() | {key: value}
    knowledge = Knowledge.from_json(found)
    default = Knowledge(discovery=DISCOVERY)
    assert getattr(knowledge, key) == getattr(default, key)
    others = {"tried", "discovery", "last", "recoveries", "changed", "arms"} - {key}
    for other in others:
        assert getattr(knowledge, other) == getattr(learnt(), other)


def test_what_is_read_is_bounded():
    found = learnt().to_json()
    found["last"] = [1] * 1000
    found["recoveries"] = list(range(1000))
    arm = found["arms"]["timed"] | {"seconds": [1] * 1000}
    found["arms"] = {f"arm {number}": arm for number in range(1000)} | {"x" * 1000: arm}
    knowledge = Knowledge.from_json(found)
    assert len(knowledge.arms) == 16
    assert len(knowledge.last) == LAST
    assert list(knowledge.recoveries) == list(range(980, 1000))
    assert all(len(arm.seconds) == RECENT for arm in knowledge.arms.values())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["format", "arms", "last", "tried", "timed", "recent", "successes"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_nothing_is_ever_raised(found):
    for each in (found, {"format": 1, "arms": found}, {"format": 1, "arms": {"auto": found}}):
        knowledge = Knowledge.from_json(each)
        json.dumps(knowledge.to_json(), allow_nan=False)
        assert Knowledge.from_json(knowledge.to_json()) == knowledge
