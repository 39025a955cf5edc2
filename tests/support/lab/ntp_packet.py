"""NTP datagrams as other programs send them, and a reader of the replies' header."""

import dataclasses
import socket
import struct

HEADER = struct.Struct("!BBbbII4sQQQQ")
SERVER_MODE = 4
CLIENT_MODE = 3


def request(version=4, mode=CLIENT_MODE, transmit=0x1122334455667788, poll=6, precision=-20, leap=0):
    """A plain client request of 48 octets."""
    return HEADER.pack(leap << 6 | version << 3 | mode, 0, poll, precision, 0, 0, bytes(4), 0, 0, 0, transmit)


def sntp_request():
    """What the smallest clients send: a first octet (version 4, client) and 47 zeros."""
    return b"\x23" + bytes(47)


@dataclasses.dataclass(frozen=True)
class Reply:
    leap: int
    version: int
    mode: int
    stratum: int
    poll: int
    precision: int
    root_delay: int
    root_dispersion: int
    reference_id: bytes
    reference: int
    origin: int
    receive: int
    transmit: int
    tail: bytes


def read(datagram):
    first, *rest = HEADER.unpack_from(datagram)
    return Reply(first >> 6, first >> 3 & 7, first & 7, *rest, datagram[HEADER.size:])


def unix_seconds(timestamp):
    """A 64-bit NTP timestamp of the era of 1900 as Unix time."""
    return timestamp / 2**32 - 2_208_988_800


def ask(namespace, server, port, *datagrams, source_port=0, timeout=5.0):
    """Sends the datagrams from one socket, then a plain request that ends the conversation. Returns the replies that came
    before that request's own: [(octets, (address, port))]. So silence is told from loss, and costs no waiting."""
    last = 0xE0D0E0D0E0D0E0D0
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with namespace, socket.socket(family, socket.SOCK_DGRAM) as udp:
        udp.bind(("", source_port))
        udp.settimeout(timeout)
        for datagram in (*datagrams, request(transmit=last)):
            udp.sendto(datagram, (server, port))
        replies = []
        while True:
            octets, address = udp.recvfrom(4096)
            if read(octets).origin == last:
                return replies
            replies.append((octets, address[:2]))
