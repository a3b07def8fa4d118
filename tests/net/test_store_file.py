"""The file of the store: merged, replaced as a whole, and never fatal."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtspkit.net import store_file as module
from rtspkit.net.file_lock import file_lock
from rtspkit.net.store_file import LIFETIME, MAXIMUM_SERVERS, Contents, Entry, StoreFile

CAMERA, OTHER = ("camera", 554), ("other", 554)
NOW = 1_000_000.0


def entry(at: float = NOW, **value: object) -> Entry:
    return Entry(at, value)


def known(contents: Contents, server: tuple[str, int] = CAMERA) -> dict[str, Entry]:
    return contents.servers.get(contents.key(server), {})


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "servers.json"


def test_what_is_not_there_is_empty_and_no_problem(path):
    file = StoreFile(path)
    assert file.read().servers == {}
    assert file.problem is None
    assert not path.parent.exists()


def test_what_was_merged_is_read(path):
    file = StoreFile(path)
    written = file.merge({CAMERA: {"transport": entry(kind="tcp")}}, NOW)
    assert known(written) == known(StoreFile(path).read()) == {"transport": entry(kind="tcp")}
    assert file.problem is None
    assert names(path.parent) == ["servers.json", "servers.json.lock"]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_only_its_owner_can_read_it(path):
    StoreFile(path).merge({CAMERA: {"transport": entry(kind="tcp")}}, NOW)
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_no_host_is_named_in_it_and_two_files_have_other_hashes(tmp_path):
    for name in ("a", "b"):
        StoreFile(tmp_path / name).merge({("secret-host", 8554): {"s": entry(x=1)}}, NOW)
    a, b = ((tmp_path / name).read_text() for name in ("a", "b"))
    assert "secret-host" not in a
    assert "8554" not in a
    assert set(json.loads(a)["servers"]).isdisjoint(json.loads(b)["servers"])


def test_a_host_is_the_same_in_any_case_of_letters(path):
    contents = StoreFile(path).merge({("Camera", 554): {"s": entry(x=1)}}, NOW)
    assert known(contents, ("cAMERA", 554)) == {"s": entry(x=1)}


def test_what_others_wrote_is_kept(path):
    StoreFile(path).merge({CAMERA: {"transport": entry(kind="tcp")}}, NOW)
    StoreFile(path).merge({CAMERA: {"retry": entry(x=1)}, OTHER: {"retry": entry(x=2)}}, NOW)
    contents = StoreFile(path).read()
    assert known(contents) == {"transport": entry(kind="tcp"), "retry": entry(x=1)}
    assert known(contents, OTHER) == {"retry": entry(x=2)}


def test_the_newest_counts_whoever_writes_last(path):
    StoreFile(path).merge({CAMERA: {"s": entry(NOW, x="new")}}, NOW)
    contents = StoreFile(path).merge({CAMERA: {"s": entry(NOW - 5, x="old")}}, NOW)
    assert known(contents) == {"s": entry(NOW, x="new")}


def test_what_is_too_old_or_from_the_future_goes(path):
    sections = {
        "old": entry(NOW - LIFETIME - 1),
        "future": entry(NOW + LIFETIME + 1),
        "kept": entry(NOW - LIFETIME),
    }
    contents = StoreFile(path).merge({CAMERA: sections, OTHER: {"old": sections["old"]}}, NOW)
    assert list(known(contents)) == ["kept"]
    assert len(contents.servers) == 1


def test_those_longest_unheard_of_make_room(path):
    many = {(f"camera{n}", 554): {"s": entry(NOW + n)} for n in range(MAXIMUM_SERVERS + 3)}
    contents = StoreFile(path).merge(many, NOW)
    assert len(contents.servers) == MAXIMUM_SERVERS
    assert known(contents, ("camera2", 554)) == {}
    assert known(contents, ("camera3", 554)) == {"s": entry(NOW + 3)}


# -- what may be wrong with it


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"version": 1, "salt": "", "servers": {}}',
        b'{"version": 1, "salt": 5, "servers": {}}',
        b'{"version": 1, "salt": "ab", "servers": []}',
        b'{"version": "1", "salt": "ab", "servers": {}}',
        b'{"version": 1, "salt": "ab", "servers": {"x": {"s": {"at": NaN, "value": {}}}}}',
        b"[" * 100_000,
        b'{"version": ' + b"1" * 5000 + b"}",
    ],
    ids=lambda data: repr(data[:24]),
)
@pytest.mark.parametrize("writes", [False, True])
def test_what_is_corrupt_is_put_aside_and_begun_afresh(tmp_path, data, writes):
    path = tmp_path / "servers.json"
    path.write_bytes(data)
    file = StoreFile(path)
    if writes:
        assert known(file.merge({CAMERA: {"s": entry(x=1)}}, NOW)) == {"s": entry(x=1)}
        assert known(StoreFile(path).read()) == {"s": entry(x=1)}
    else:
        assert file.read().servers == {}
        assert not path.exists()
    assert (tmp_path / "servers.json.corrupt").read_bytes() == data
    assert "was corrupt: it is servers.json.corrupt now" in file.problem


def test_what_is_endless_is_corrupt(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAXIMUM_SIZE", 100)
    path = tmp_path / "servers.json"
    path.write_bytes(b" " * 101)
    file = StoreFile(path)
    assert file.read().servers == {}
    assert "corrupt" in file.problem


def test_an_older_corrupt_file_makes_room_for_a_newer(tmp_path):
    path = tmp_path / "servers.json"
    for data in (b"one", b"two"):
        path.write_bytes(data)
        StoreFile(path).read()
    assert (tmp_path / "servers.json.corrupt").read_bytes() == b"two"


def test_what_another_process_has_mended_meanwhile_is_not_put_aside(tmp_path):
    path = tmp_path / "servers.json"
    path.write_bytes(b"broken")

    class Overtaken(StoreFile):
        """Another process mends the file between the first look and the lock."""

        def _locked(self):
            StoreFile(path).merge({CAMERA: {"s": entry(x=1)}}, NOW)
            return super()._locked()

    file = Overtaken(path)
    assert known(file.read()) == {"s": entry(x=1)}
    assert file.problem is None


def test_single_entries_that_make_no_sense_are_left_out(tmp_path):
    path = tmp_path / "servers.json"
    contents = StoreFile(path).merge({CAMERA: {"s": entry(x=1)}}, NOW)
    whole = json.loads(path.read_text())
    whole["servers"]["a"] = 5
    whole["servers"]["b"] = {
        "none": None,
        "no-time": {"value": {}},
        "true": {"at": True, "value": {}},
        "text": {"at": "1", "value": {}},
        "huge": {"at": 10**400, "value": {}},
        "infinite": {"at": 1e999, "value": {}},
        "list": {"at": 1.0, "value": []},
    }
    path.write_text(json.dumps(whole).replace("Infinity", "1e999"))
    file = StoreFile(path)
    assert file.read().servers == {contents.key(CAMERA): {"s": entry(x=1)}, "b": {}}
    assert file.problem is None


def test_a_file_of_a_newer_version_is_left_alone(tmp_path):
    path = tmp_path / "servers.json"
    data = b'{"version": 2, "anything": "else"}'
    path.write_bytes(data)
    file = StoreFile(path)
    assert file.read().servers == {}
    assert file.merge({CAMERA: {"s": entry(x=1)}}, NOW) is None
    assert path.read_bytes() == data
    assert "newer version" in file.problem


def test_a_folder_in_its_place_is_a_problem_and_stays(tmp_path):
    path = tmp_path / "servers.json"
    path.mkdir()
    file = StoreFile(path)
    assert file.read().servers == {}
    assert "cannot be read" in file.problem
    assert file.merge({CAMERA: {"s": entry(x=1)}}, NOW) is None
    assert "cannot be written" in file.problem
    assert path.is_dir()
    assert names(tmp_path) == ["servers.json", "servers.json.lock"]


def test_a_file_in_place_of_its_folder_is_a_problem(tmp_path):
    (tmp_path / "cache").write_text("a file")
    file = StoreFile(tmp_path / "cache" / "servers.json")
    assert file.read().servers == {}
    assert file.merge({CAMERA: {"s": entry(x=1)}}, NOW) is None
    assert "cannot be written" in file.problem


class FullDisk(StoreFile):
    """Every write meets a disk without room."""

    def open_new(self, path: Path):
        path.write_bytes(b"")
        return open("/dev/full", "wb")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_leaves_what_was_there(path):
    StoreFile(path).merge({CAMERA: {"s": entry(x="before")}}, NOW)
    file = FullDisk(path)
    assert file.merge({CAMERA: {"s": entry(NOW + 1, x="after")}}, NOW) is None
    assert os.strerror(errno.ENOSPC) in file.problem
    assert known(StoreFile(path).read()) == {"s": entry(x="before")}
    assert names(path.parent) == ["servers.json", "servers.json.lock"]


class ReadOnly(StoreFile):
    """Nothing can be made here."""

    def open_new(self, path: Path):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))


def test_a_read_only_disk_can_be_read(path):
    StoreFile(path).merge({CAMERA: {"s": entry(x="before")}}, NOW)
    file = ReadOnly(path)
    assert known(file.read()) == {"s": entry(x="before")}
    assert file.problem is None
    assert file.merge({OTHER: {"s": entry(x=1)}}, NOW) is None
    assert os.strerror(errno.EROFS) in file.problem


def test_what_a_killed_writer_left_is_no_harm(path):
    path.parent.mkdir()
    beside = path.with_name("servers.json.tmp")
    beside.write_bytes(b"half")
    assert StoreFile(path).merge({CAMERA: {"s": entry(x=1)}}, NOW) is not None
    assert not beside.exists()


def test_a_link_beside_it_is_not_followed(path, tmp_path):
    path.parent.mkdir()
    (tmp_path / "elsewhere").write_bytes(b"precious")
    path.with_name("servers.json.tmp").symlink_to(tmp_path / "elsewhere")
    assert StoreFile(path).merge({CAMERA: {"s": entry(x=1)}}, NOW) is not None
    assert (tmp_path / "elsewhere").read_bytes() == b"precious"


def test_a_writer_that_never_lets_go_is_not_waited_for_without_end(path, monkeypatch):
    monkeypatch.setattr(module, "LOCK_SECONDS", 0.0)
    path.parent.mkdir()
    file = StoreFile(path)
    with file_lock(path.with_name("servers.json.lock"), 0.0):
        assert file.merge({CAMERA: {"s": entry(x=1)}}, NOW) is None
    assert "somebody else holds it" in file.problem


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.binary(max_size=60)
    | st.builds(
        lambda version, salt, servers: json.dumps(
            {"version": version, "salt": salt, "servers": servers}
        ).encode(),
        st.sampled_from([1, 1, 1, 2, "1", None]),
        st.sampled_from(["ab", "", None, 5]),
        JSON | st.dictionaries(st.text(max_size=3), JSON, max_size=3),
    )
)
def test_whatever_is_in_it_reading_and_writing_raise_nothing(tmp_path, data):
    path = tmp_path / "servers.json"
    path.write_bytes(data)
    file = StoreFile(path)
    file.read()
    contents = file.merge({CAMERA: {"s": entry(x=1)}}, NOW)
    assert contents is None or known(contents)["s"] == entry(x=1)
