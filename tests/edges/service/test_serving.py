"""Addresses, keys, and what no server does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from edges.service.parts import Keys
from hypothesis import given
from hypothesis import strategies as st

from trimtab.errors import InvalidDocument, Refused
from trimtab.serving import Address, Tls, require_safe


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8080", Address("127.0.0.1", 8080)),
        ("localhost:0", Address("localhost", 0)),
        ("[::1]:65535", Address("::1", 65535)),
        (":8080", Address("::", 8080)),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    """An address is read as people write it; without a host it means all addresses."""
    assert Address.parse(text, "--web") == address


@pytest.mark.parametrize(
    "text", ["", "8080", "host", "host:", "host:http", "host:65536", "host:-1", "::1:80", "[a]:1"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """What cannot be an address is refused with the setting's name and what to write."""
    with pytest.raises(InvalidDocument) as caught:
        Address.parse(text, "--web")
    assert str(caught.value).startswith(f"--web: {text!r} is no address. Remedy: write HOST:PORT")


@given(
    host=st.ip_addresses().map(str) | st.from_regex(r"[a-z][a-z0-9.-]{0,20}", fullmatch=True),
    port=st.integers(0, 65535),
)
def test_an_address_reads_as_it_is_written(host: str, port: int) -> None:
    """The text of an address is the address again."""
    address = Address(host, port)
    assert Address.parse(str(address), "--web") == address


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("shop.test", False),
        ("127.0.0.1.shop.test", False),
    ],
)
def test_plaintext_needs_loopback_or_leave(host: str, loopback: bool) -> None:
    """Plaintext is served where only this machine can hear it, elsewhere only by leave."""
    address = Address(host, 80)
    assert address.loopback is loopback
    require_safe("HTTP", address, None, insecure=True)
    if loopback:
        require_safe("HTTP", address, None, insecure=False)
    else:
        with pytest.raises(Refused, match="Remedy: give a certificate and a key, listen on"):
            require_safe("HTTP", address, None, insecure=False)


def test_good_keys_pass(keys: Keys) -> None:
    """Keys that belong together are accepted on any address."""
    for tls in (keys.tls, keys.mutual):
        require_safe("HTTP", Address("0.0.0.0", 80), tls, insecure=False)


def test_bad_keys_are_named(keys: Keys, tmp_path: Path) -> None:
    """A file that is missing, empty or not PEM is refused by its name."""
    missing, empty = tmp_path / "missing.pem", tmp_path / "empty.pem"
    empty.write_text("")
    for tls, name in (
        (Tls(missing, keys.server_key), missing),
        (Tls(keys.server_cert, empty), empty),
        (Tls(keys.server_cert, keys.server_key, missing), missing),
        (Tls(keys.server_cert, keys.server_key, empty), empty),
    ):
        with pytest.raises(Refused) as caught:
            tls.check()
        assert str(name) in str(caught.value)
        assert "Remedy: give PEM files" in str(caught.value)


def test_an_encrypted_key_is_refused(keys: Keys, tmp_path: Path) -> None:
    """An encrypted key is refused at once: nobody is asked for its password."""
    key = serialization.load_pem_private_key(keys.server_key.read_bytes(), None)
    encrypted = tmp_path / "encrypted.key"
    encrypted.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    code = (
        "import sys; from pathlib import Path; from trimtab.serving import Tls\n"
        "try: Tls(Path(sys.argv[1]), Path(sys.argv[2])).check()\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, keys.server_cert, encrypted],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        start_new_session=True,  # no terminal, so that a question would go to standard error
        check=True,
        text=True,
    )
    assert done.stdout.startswith(f"Refused TLS: certificate {keys.server_cert} with key ")
    assert done.stderr == ""
