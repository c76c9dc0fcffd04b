"""The chooser's list of addresses, by real adapters and by made-up ones."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path

import pytest

from device_bridge.interfaces import (
    WORDS,
    Interface,
    default_address,
    interfaces,
    is_private,
    kind_of,
    ranked,
)


def test_this_computer_has_its_loopback_and_only_private_addresses() -> None:
    found = interfaces()
    assert any(one.address == "127.0.0.1" and one.kind == "loopback" for one in found)
    assert all(is_private(one.address) for one in found)
    assert sum(one.is_best for one in found) <= 1
    assert not any(one.is_best and one.kind == "loopback" for one in found)
    for one in found:
        assert one.address in one.label
        assert WORDS[one.kind] in one.label


def test_a_listed_address_can_be_bound() -> None:
    for one in interfaces():
        family = socket.AF_INET6 if ":" in one.address else socket.AF_INET
        if one.is_up:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.bind((one.address, 0))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("wlan0", "wifi"), ("wlp3s0", "wifi"), ("Wi-Fi", "wifi"), ("WLAN", "wifi"),
        ("eth0", "ethernet"), ("enp0s31f6", "ethernet"), ("Ethernet 2", "ethernet"),
        ("docker0", "virtual"), ("br-1234", "virtual"), ("vEthernet (WSL)", "virtual"),
        ("virbr0", "virtual"), ("tun0", "vpn"), ("wg0", "vpn"), ("utun3", "vpn"),
        ("tailscale0", "vpn"), ("lo", "loopback"), ("lo0", "loopback"),
        ("Loopback Pseudo-Interface 1", "loopback"), ("xyz", "other"),
    ],
)  # fmt: skip
def test_kinds_by_name(name: str, kind: str, tmp_path: Path) -> None:
    assert kind_of(name, tmp_path) == kind


def test_the_kernel_knows_wifi_by_any_name(tmp_path: Path) -> None:
    (tmp_path / "en7" / "wireless").mkdir(parents=True)
    assert kind_of("en7", tmp_path) == "wifi"


@pytest.mark.parametrize(
    "address",
    ["10.1.2.3", "172.16.0.1", "192.168.0.4", "127.0.0.1", "169.254.3.4", "100.64.0.9", "fd00::1",
     "::1"],
)  # fmt: skip
def test_private_addresses(address: str) -> None:
    assert is_private(address)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "172.32.0.1", "0.0.0.0", "::", "224.0.0.1", "2001:db8::1", "fe80::1",
     "fe80::1%eth0", "00:11:22:33:44:55", "name", ""],
)  # fmt: skip
def test_addresses_that_no_phone_gets(address: str) -> None:
    assert not is_private(address)


def test_the_best_guess_is_real_up_and_on_the_way_out() -> None:
    docker = Interface("172.17.0.1", "docker0", "virtual")
    vpn = Interface("10.8.0.2", "tun0", "vpn")
    wifi = Interface("192.168.1.20", "wlan0", "wifi")
    cable = Interface("192.168.7.2", "eth0", "ethernet")
    lo = Interface("127.0.0.1", "lo", "loopback")
    down = Interface("192.168.9.9", "wlan1", "wifi", is_up=False)
    assert ranked([lo, docker, vpn, cable, wifi, down], None)[0].address == wifi.address
    assert ranked([lo, docker, vpn, wifi, cable], cable.address)[0].address == cable.address
    assert ranked([lo, docker, vpn, wifi], vpn.address)[0].address == wifi.address
    ordered = ranked([lo, down], None)
    assert not any(one.is_best for one in ordered)
    assert [one.is_best for one in ranked([lo, docker, wifi], None)] == [True, False, False]
    assert ranked([], None) == []


def test_the_default_address_is_one_of_this_computer_or_none() -> None:
    address = default_address()
    assert address is None or ipaddress.ip_address(address).version == 4
