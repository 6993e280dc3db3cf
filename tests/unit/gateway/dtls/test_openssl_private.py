"""Other versions of what the private module was written against are refused at the start."""

from __future__ import annotations

import importlib.metadata
import tomllib
from pathlib import Path

import pytest
from OpenSSL import SSL

from flownexus_gateway.transport.dtls import openssl_private
from flownexus_gateway.transport.dtls.openssl_private import Callbacks, UnexpectedOpenSsl


def test_what_is_installed_is_what_it_was_written_against() -> None:
    openssl_private.check()


@pytest.mark.parametrize("package", openssl_private.VERSIONS)
def test_another_version_is_refused_by_name(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "99.0" if name == package else real(name))
    with pytest.raises(UnexpectedOpenSsl, match=rf"{package} [0-9.]+ is needed, 99\.0 is installed"):
        openssl_private.check()


def test_a_missing_symbol_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openssl_private, "_SYMBOLS", ("SSL_no_such_function",))
    with pytest.raises(UnexpectedOpenSsl, match="SSL_no_such_function"):
        openssl_private.check()


def test_the_versions_are_those_that_are_pinned() -> None:
    project = tomllib.loads((Path(__file__).parents[4] / "pyproject.toml").read_text())
    pinned = project["project"]["dependencies"]
    assert {f"{package}=={version}" for package, version in openssl_private.VERSIONS.items()} <= set(pinned)


@pytest.mark.parametrize(("groups", "signatures"), [("no-such-group", "ECDSA+SHA256"), ("P-256", "ECDSA+NONE")])
def test_groups_and_signatures_that_openssl_does_not_know_are_named(groups: str, signatures: str) -> None:
    with pytest.raises(UnexpectedOpenSsl, match=r"no-such-group|ECDSA\+NONE"):
        Callbacks(SSL.Context(SSL.DTLS_SERVER_METHOD)).name_groups(groups, signatures)


def test_an_error_in_a_callback_comes_out_again() -> None:
    callbacks = Callbacks(SSL.Context(SSL.DTLS_SERVER_METHOD))

    def broken() -> int:
        raise KeyError("a bug")

    assert callbacks._keep("int(void)", broken, -1)() == -1
    with pytest.raises(KeyError):
        callbacks.raise_again()
    callbacks.raise_again()
