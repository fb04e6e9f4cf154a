from __future__ import annotations

import socket

import pytest

from probe.errors import Unreachable
from probe.methods.batch import ADDRESS_BYTES
from probe.net.address import pack_address, resolve, unpack_address


@pytest.mark.parametrize(
    "address",
    [("127.0.0.1", 40000), ("192.0.2.255", 1), ("2001:db8::1", 65535), ("::1", 0), ("fe80::1%7", 40000)],
)
def test_a_packed_address_is_of_fixed_size_and_comes_back(address: tuple[str, int]) -> None:
    packed = pack_address(address)
    assert len(packed) == ADDRESS_BYTES
    assert unpack_address(packed) == address


def test_numeric_hosts_are_themselves() -> None:
    assert resolve("192.0.2.7", 40000) == ("192.0.2.7", 40000)
    assert resolve("2001:db8::7", 40000) == ("2001:db8::7", 40000)


def test_a_name_without_address_is_unreachable_in_a_sentence() -> None:
    with pytest.raises(Unreachable, match=r"^no-such-host\.invalid has no address: "):
        resolve("no-such-host.invalid", 40000)


def test_an_interface_may_be_told_by_name() -> None:
    number, name = socket.if_nameindex()[0]
    assert unpack_address(pack_address((f"fe80::1%{name}", 1))) == (f"fe80::1%{number}", 1)
