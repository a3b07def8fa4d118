"""What a server has to show: contexts for each set of options, and errors that say what to set."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import threading
from pathlib import Path

import pytest
from certificates import AUTHORITY, fingerprint

from rtspkit.errors import ConnectError, LocalProtocolError
from rtspkit.net import tls as module
from rtspkit.net.tls import TlsContext, check_fingerprint, handshake_failure, tls_context
from rtspkit.options import TLS


@pytest.fixture(autouse=True)
def no_contexts_yet():
    module._contexts.clear()
    yield
    module._contexts.clear()


async def test_verifies_chain_and_name_by_default():
    for tls in (None, TLS(), TLS(ca=AUTHORITY)):
        context = (await tls_context(tls)).context
        assert context.verify_mode == ssl.CERT_REQUIRED
        assert context.check_hostname
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


async def test_an_authority_is_trusted_instead_of_the_systems():
    assert len((await tls_context(TLS(ca=AUTHORITY))).context.get_ca_certs()) == 1


@pytest.mark.parametrize("tls", [TLS(insecure=True), TLS(fingerprint="ab" * 32)])
async def test_the_chain_is_not_looked_at_where_it_does_not_matter(tls):
    found = await tls_context(tls)
    assert found.context.verify_mode == ssl.CERT_NONE
    assert found.fingerprint == tls.fingerprint


async def test_a_context_of_the_users_is_taken_as_it_is():
    mine = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    found = await tls_context(mine)
    assert found.context is mine
    assert (found.server_name, found.fingerprint) == (None, None)


async def test_contexts_are_built_off_the_loop_and_once(monkeypatch):
    threads = []
    build = module._build

    def watched(tls: TLS) -> ssl.SSLContext:
        threads.append(threading.current_thread())
        return build(tls)

    monkeypatch.setattr(module, "_build", watched)
    tls = TLS(ca=AUTHORITY, server_name="one")
    first, *others = await asyncio.gather(*(tls_context(tls) for _ in range(20)))
    again = await tls_context(TLS(ca=AUTHORITY, server_name="one"))
    assert all(one.context is first.context for one in [*others, again])
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()
    assert first.server_name == "one"


async def test_who_gives_up_does_not_stop_the_others(monkeypatch):
    released = threading.Event()
    build = module._build

    def slow(tls: TLS) -> ssl.SSLContext:
        released.wait(10)
        return build(tls)

    monkeypatch.setattr(module, "_build", slow)
    waiting = [asyncio.ensure_future(tls_context(TLS(ca=AUTHORITY))) for _ in range(2)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.wait([waiting[0]])
    released.set()
    assert (await waiting[1]).context.verify_mode == ssl.CERT_REQUIRED


async def test_no_more_contexts_are_kept_than_is_useful():
    for number in range(module.KEPT + 5):
        await tls_context(TLS(insecure=True, server_name=str(number)))
    assert len(module._contexts) == module.KEPT
    assert TLS(insecure=True, server_name="4") not in module._contexts


@pytest.mark.parametrize("missing", [True, False], ids=["missing", "not certificates"])
async def test_a_file_without_certificates_is_refused_by_name(tmp_path, missing):
    path = tmp_path / "authority.pem"
    if not missing:
        path.write_text("no certificate")
    with pytest.raises(LocalProtocolError, match=r"^TLS.ca: no certificates in .*authority.pem"):
        await tls_context(TLS(ca=str(path)))
    shutil.copy(AUTHORITY, path)
    assert await tls_context(TLS(ca=str(path)))  # nothing wrong is remembered


@pytest.mark.parametrize(
    ("host", "told", "name"),
    [
        ("camera.test", None, "camera.test"),
        ("camera.test.", None, "camera.test"),
        ("fe80::1%eth0", None, "fe80::1"),
        ("192.0.2.1", "camera.test", "camera.test"),
    ],
)
def test_the_name_that_the_certificate_is_for(host, told, name):
    context = TlsContext(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), server_name=told)
    assert context.name_for(host) == name


def test_a_fingerprint_is_of_the_whole_certificate():
    text = Path(AUTHORITY).read_text()
    certificate = ssl.PEM_cert_to_DER_cert(text)
    right = fingerprint("authority")
    check_fingerprint(right, certificate)
    for wrong, shown in [(fingerprint("camera"), certificate), (right, None), (right, b"x")]:
        with pytest.raises(ConnectError, match=r"TLS\.fingerprint") as caught:
            check_fingerprint(wrong, shown)
        assert not caught.value.retryable
        assert caught.value.phase == "tls"


def ssl_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}]")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("WRONG_VERSION_NUMBER", "no TLS: is this an rtsp:// port?"),
        ("UNSUPPORTED_PROTOCOL", "no TLS version and cipher in common"),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", "an ssl.SSLContext of your own"),
    ],
)
def test_what_will_not_change_is_final_and_says_what_to_do(reason, words):
    error = handshake_failure(ssl_error(reason), "camera.test")
    assert isinstance(error, ConnectError)
    assert words in str(error)
    assert (error.retryable, error.phase) == (False, "tls")
    assert [type(cause) for cause in error.causes] == [ssl.SSLError]


def test_what_may_change_is_an_error_of_one_attempt():
    error = ssl_error("TLSV1_ALERT_INTERNAL_ERROR")
    assert handshake_failure(error, "camera.test") is error
