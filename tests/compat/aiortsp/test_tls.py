from __future__ import annotations

import ssl

from rtspkit.compat.aiortsp.tls import tls_of
from rtspkit.options import TLS


def test_nothing_means_no_tls():
    assert tls_of(None) is None
    assert tls_of(False) is None


def test_true_means_the_systems_authorities():
    assert tls_of(True) == TLS()


def test_a_context_and_our_own_options_are_taken_as_they_are():
    context, options = ssl.create_default_context(), TLS(fingerprint="ab" * 32)
    assert tls_of(context) is context
    assert tls_of(options) is options
