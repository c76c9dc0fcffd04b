"""The addresses of this computer at which a phone may reach it."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

Kind = Literal["wifi", "ethernet", "virtual", "vpn", "loopback", "other"]
_PREFIXES: tuple[tuple[Kind, tuple[str, ...]], ...] = (
    ("loopback", ("lo", "loopback")),
    ("virtual", ("docker", "br-", "veth", "virbr", "vmnet", "vboxnet", "vethernet", "bridge",
                 "podman", "lxc", "lxd", "awdl", "llw", "anpi")),
    ("vpn", ("tun", "tap", "wg", "utun", "tailscale", "zt", "ppp", "ipsec", "nordlynx", "wireguard",
             "openvpn")),
    ("wifi", ("wl", "wifi", "wi-fi", "wlan", "ath", "ap")),
    ("ethernet", ("en", "eth", "em", "usb", "local area connection")),
)  # fmt: skip
_RANK: dict[Kind, int] = {
    "wifi": 0,
    "ethernet": 1,
    "other": 2,
    "vpn": 3,
    "virtual": 4,
    "loopback": 5,
}
WORDS: dict[Kind, str] = {
    "wifi": "Wi-Fi",
    "ethernet": "Ethernet",
    "virtual": "virtual network",
    "vpn": "VPN",
    "loopback": "this computer, USB cable",
    "other": "network",
}
"""What the user reads for each kind."""


@dataclass(frozen=True)
class Interface:
    """An address of this computer: its adapter, the adapter's kind, whether it is the best guess.

    ``is_up`` False: the adapter is there, but no cable or network.
    """

    address: str
    name: str
    kind: Kind
    is_up: bool = True
    is_best: bool = False

    @property
    def label(self) -> str:
        """A line for the chooser, such as "Wi-Fi (wlan0): 192.168.1.20"."""
        return f"{WORDS[self.kind]} ({self.name}): {self.address}"


def interfaces() -> list[Interface]:
    """Return the private addresses of this computer, the likeliest for a phone first.

    Link-local IPv6 addresses are left out: browsers refuse the zone that they need.
    """
    states = psutil.net_if_stats()
    found = []
    for name, addresses in psutil.net_if_addrs().items():
        state = states.get(name)
        for entry in addresses:
            if entry.family in (socket.AF_INET, socket.AF_INET6) and is_private(entry.address):
                is_up = state is None or state.isup
                found.append(Interface(entry.address, name, kind_of(name), is_up))
    return ranked(found, default_address())


def ranked(found: list[Interface], default: str | None) -> list[Interface]:
    """Sort by what a phone can reach and mark the best; ``default`` leads to the internet."""

    def rank(one: Interface) -> tuple[object, ...]:
        is_virtual = one.kind in ("virtual", "vpn", "loopback")
        is_v6 = ":" in one.address
        link_local = ipaddress.ip_address(one.address).is_link_local
        return (
            not one.is_up,
            is_virtual,
            link_local,
            is_v6,
            one.address != default,
            _RANK[one.kind],
            one.name,
        )

    ordered = sorted(found, key=rank)
    if ordered and ordered[0].is_up and ordered[0].kind != "loopback":
        first = ordered[0]
        ordered[0] = Interface(first.address, first.name, first.kind, True, True)
    return ordered


def is_private(address: str) -> bool:
    """Tell whether an address can only be reached from the own networks, and from a browser."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return False
    if known.is_unspecified or known.is_multicast:
        return False
    if known.version == 6 and known.is_link_local:
        return False
    return any(known in network for network in PRIVATE if network.version == known.version)


def kind_of(name: str, root: Path = Path("/sys/class/net")) -> Kind:
    """Guess what an adapter is by its name, and on Linux by what the kernel says of it."""
    folder = root / name
    if (folder / "wireless").exists() or (folder / "phy80211").exists():
        return "wifi"
    lowered = name.lower()
    for kind, prefixes in _PREFIXES:
        if lowered.startswith(prefixes):
            return kind
    return "other"


def default_address() -> str | None:
    """Return the address that this computer would use towards the internet; sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1 of RFC 5737: nobody has it
        except OSError:
            return None
        return str(probe.getsockname()[0])


PRIVATE = [
    ipaddress.ip_network(text)
    for text in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10",
        "127.0.0.0/8", "fc00::/7", "fe80::/10", "::1/128",
    )
]  # fmt: skip
"""Networks at which the server listens and for which its authority may sign."""
