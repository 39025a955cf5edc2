"""Requests as small and old clients send them, octet by octet, and the reply they get."""

import time

import pytest

from lab import ntp_packet
from lab.namespaces import Net
from lab.ntp_packet import request
from lab.ntsd import NTP_PORT

SERVER = Net.SERVER_V4[0]
CLOCK_SLACK = 0.001  # both sides read the same clock

# What is on the wire when these programs ask.
CLIENTS = {
    "sntp, version 4 and zeros": (b"\x23" + bytes(47), 4),
    "ntpdate, version 4, leap unknown": (request(version=4, leap=3, poll=3, precision=-6), 4),
    "Windows, version 3, leap unknown": (request(version=3, leap=3, poll=10, precision=-6), 3),
    "busybox, version 4": (b"\x23\x00\x04\x00" + bytes(36) + b"\x01\x02\x03\x04\x05\x06\x07\x08", 4),
    "old sntp, version 3 and zeros": (b"\x1b" + bytes(47), 3),
    "xntp, version 2": (request(version=2), 2),
    "version 1, mode 3": (request(version=1), 1),
    "version 1 as of RFC 1059, mode 0": (request(version=1, mode=0), 1),
}


@pytest.fixture
def server(ntsd):
    return ntsd().start()


@pytest.mark.parametrize("name", CLIENTS)
def test_answers_in_the_version_of_the_request(net, server, name):
    datagram, version = CLIENTS[name]
    before = time.time()
    ((octets, source),) = ntp_packet.ask(net.client, SERVER, NTP_PORT, datagram)
    after = time.time()
    assert source == (SERVER, NTP_PORT)
    assert len(octets) == 48, "R-NTP-01"
    reply, asked = ntp_packet.read(octets), ntp_packet.read(datagram)
    assert reply.version == version, "R-NTP-02"
    assert reply.mode == ntp_packet.SERVER_MODE
    assert reply.origin == asked.transmit, "R-NTP-04"
    assert reply.poll == asked.poll, "R-NTP-07"
    assert (reply.leap, reply.stratum, reply.reference_id) == (0, 10, bytes([127, 127, 1, 1]))
    assert reply.precision < -15
    receive, transmit = ntp_packet.unix_seconds(reply.receive), ntp_packet.unix_seconds(reply.transmit)
    assert before - CLOCK_SLACK <= receive <= transmit <= after + CLOCK_SLACK, "R-NTP-05"
    assert reply.receive != reply.transmit
    assert reply.reference != 0 and ntp_packet.unix_seconds(reply.reference) <= receive


@pytest.mark.parametrize("transmit", [0, 1, 2**63, 2**64 - 1])
def test_echoes_any_transmit_timestamp(net, server, transmit):
    ((octets, _),) = ntp_packet.ask(net.client, SERVER, NTP_PORT, request(transmit=transmit))
    assert ntp_packet.read(octets).origin == transmit, "R-NTP-04"


@pytest.mark.parametrize(
    "datagram",
    [request(version=version) for version in (0, 5, 6, 7)]
    + [request(mode=mode) for mode in (0, 1, 2, 4, 5, 6, 7)]
    + [request(version=3, mode=0), b"\x16\x02" + bytes(10), b"\x17\x00\x03\x2a" + bytes(4)]
    + [request()[:size] for size in (0, 1, 47)] + [request() + bytes(size) for size in (1, 2, 4, 20, 24)],
    ids=lambda octets: f"{octets[:1].hex()}-{len(octets)}",
)
def test_is_silent_to_what_is_not_a_request(net, server, datagram):
    """R-NTP-03, R-NTP-14 to 17, R-NTP-26; the mode 6 and 7 ones are readvar and monlist."""
    assert ntp_packet.ask(net.client, SERVER, NTP_PORT, datagram) == []


def test_answers_whatever_port_the_client_uses(net, server):
    for port in (123, 1024, 65535):
        assert len(ntp_packet.ask(net.client, SERVER, NTP_PORT, request(), source_port=port)) == 1, "R-NTP-13"


EVERY_ADDRESS = [*Net.SERVER_V4, *Net.SERVER_V6]


@pytest.mark.parametrize(
    "listeners",
    [
        [f"0.0.0.0:{NTP_PORT}", f"[::]:{NTP_PORT}"],
        [f"{address}:{NTP_PORT}" for address in Net.SERVER_V4] + [f"[{address}]:{NTP_PORT}" for address in Net.SERVER_V6],
        [f"{Net.SERVER_V4[1]}:{NTP_PORT}", f"0.0.0.0:{NTP_PORT}", f"[::]:{NTP_PORT}"],
    ],
    ids=["wildcard", "each address", "both"],
)
def test_replies_from_the_address_that_was_asked(net, ntsd, listeners):
    ntsd(ntp=listeners).start()
    for address in EVERY_ADDRESS:
        replies = ntp_packet.ask(net.client, address, NTP_PORT, request())
        assert [source for _, source in replies] == [(address, NTP_PORT)], "R-NTP-12"


def test_listens_only_where_it_was_told_to(net, ntsd):
    ntsd(ntp=[f"{Net.SERVER_V4[0]}:{NTP_PORT}"]).start()
    assert len(ntp_packet.ask(net.client, Net.SERVER_V4[0], NTP_PORT, request())) == 1
    for address in EVERY_ADDRESS[1:]:
        with pytest.raises((ConnectionRefusedError, TimeoutError)):
            ntp_packet.ask(net.client, address, NTP_PORT, request(), timeout=0.3)
