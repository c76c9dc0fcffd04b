"""Where the studio may listen, and why it cannot."""

from __future__ import annotations

import errno
import ipaddress
from typing import Literal

from backend.core.errors import FretsawError
from device_bridge import wire

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def route_of(host: str) -> Literal["usb", "wifi"]:
    """Return by which route a phone came: only the cable leads to the loopback address."""
    return "usb" if host in LOOPBACK else "wifi"


def require_private(command: wire.Listen) -> None:
    """Refuse addresses that strangers could reach, and plain text on a network.

    Raises:
        FretsawError: such an address.
    """
    if command.host in LOOPBACK:
        return
    try:
        address = ipaddress.ip_address(command.host)
    except ValueError:
        raise FretsawError(
            f'"{command.host}" is no address of a network.', "Choose a network from the list."
        ) from None
    if not address.is_private or address.is_unspecified:
        raise FretsawError(
            f"{command.host} can be reached from outside, so the studio does not listen there.",
            "Choose a home or office network, or USB.",
        )
    if not command.tls and not address.is_loopback:
        raise FretsawError(
            "On a network the studio listens with a certificate only.", "Leave TLS on, or use USB."
        )


def cannot_listen(command: wire.Listen, error: OSError | ValueError) -> FretsawError:
    """Return the sentence for an address that could not be opened."""
    code = error.errno if isinstance(error, OSError) else None
    if code == errno.EADDRINUSE:
        return FretsawError(
            f"Port {command.port} of {command.host} is taken by another program.",
            "Choose another port, or 0 for any.",
        )
    if code == errno.EADDRNOTAVAIL or isinstance(error, ValueError):
        return FretsawError(
            f"This computer does not have the address {command.host} any more.",
            "Choose another network.",
        )
    if code in (errno.EACCES, errno.EPERM):
        return FretsawError(
            f"The system does not allow listening on port {command.port}.",
            "Choose a port above 1023.",
        )
    return FretsawError(f"The studio cannot listen on {command.host}: {error}.", "Try USB.")
