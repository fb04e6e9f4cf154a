"""`HOST:PORT` as a command line writes it."""

from __future__ import annotations

import ipaddress

from probe.errors import ConfigError
from probe.net.address import Address


def parse_listen(text: str) -> Address:
    """`:40000`, `192.0.2.1:40000` or `[2001:db8::1]:40000`; ConfigError for anything else."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or "0.0.0.0"
    example = "write an address and a port, such as 192.0.2.1:40000, or :40000 for every address"
    if not colon:
        raise ConfigError(f"--listen {text}: no port", hint=example)
    if not (port.isascii() and port.isdecimal()) or int(port) > 65_535:
        raise ConfigError(f"--listen {text}: '{port}' is no port (0 to 65535)", hint=example)
    try:
        return str(ipaddress.ip_address(host)), int(port)
    except ValueError:
        raise ConfigError(f"--listen {text}: '{host}' is not an IP address", hint=example) from None
