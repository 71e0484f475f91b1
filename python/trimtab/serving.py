"""What all servers have in common: where they listen, with which keys, and what they refuse."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from trimtab.errors import InvalidDocument, Refused


class Address(NamedTuple):
    """Where a server listens. Port 0 lets the system choose; IPv6 hosts are without brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @staticmethod
    def parse(text: str, setting: str) -> Address:
        """``HOST:PORT``, ``[IPV6]:PORT`` or ``:PORT`` (all addresses); ``setting`` names it in errors."""
        host, colon, port = text.rpartition(":")
        bare = host.removeprefix("[").removesuffix("]")
        brackets = f"[{bare}]" == host
        right = colon and port.isascii() and port.isdecimal() and int(port) <= 65535
        if not right or (":" in bare) != brackets:
            raise InvalidDocument(
                f"{setting}: {text!r} is no address. Remedy: write HOST:PORT, e.g. 127.0.0.1:8080, "
                "[::1]:8080, or :8080 for all addresses of the machine."
            )
        return Address(bare or "::", int(port))


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files of a server: its certificate (chain), its key, and the CA that clients must be of.

    Without ``client_ca`` any client may connect; with it only one with a certificate of that CA.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def check(self) -> None:
        """Raise Refused, naming the file, for what cannot be read or does not belong together."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        what = f"certificate {self.certificate} with key {self.key}"
        try:
            # Without a password OpenSSL would ask for that of an encrypted key on the terminal.
            context.load_cert_chain(self.certificate, self.key, password=lambda: "")
            if self.client_ca is not None:
                what = f"client CA {self.client_ca}"
                context.load_verify_locations(self.client_ca)
        except (OSError, ValueError) as error:
            raise Refused(
                f"TLS: {what}: {error}. Remedy: give PEM files that can be read, with an "
                "unencrypted key that belongs to the certificate."
            ) from error


def require_safe(what: str, address: Address, tls: Tls | None, *, insecure: bool) -> None:
    """Refuse plaintext beyond this machine unless it was asked for, and keys that do not work."""
    if tls is not None:
        tls.check()
    elif not (address.loopback or insecure):
        raise Refused(
            f"{what}: plaintext on {address} can be read and forged on the way. Remedy: give a "
            "certificate and a key, listen on 127.0.0.1, or allow plaintext by name."
        )
