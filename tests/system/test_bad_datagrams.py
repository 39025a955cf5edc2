"""What ntsd does with octets that nobody should send: it counts them by reason, answers none of them with time, and goes on."""

import random
import socket
import struct

import pytest

from lab import capture, chrony, ntp_packet
from lab.namespaces import Net
from lab.ntp_packet import request
from lab.ntsd import KE_PORT, NTP_PORT
from lab.process import wait_until

SERVER = Net.SERVER_V4[0]
UNIQUE_IDENTIFIER, COOKIE, AUTHENTICATOR = 0x0104, 0x0204, 0x0404
RANDOM_DATAGRAMS = 20_000
DATAGRAMS_AT_ONCE = 50  # so that a socket buffer holds them


def field(kind, body):
    return struct.pack("!HH", kind, 4 + len(body)) + body


# Each gets silence, and has a reason of its own.
MALFORMED = {
    "shorter than a header": request()[:47],
    "not a multiple of four": request() + bytes(29),
    "version of the future": request(version=7),
    "mode of a server": request(mode=4),
    "legacy MAC": request() + bytes(20),
    "crypto-NAK": request() + bytes(4),
    "field longer than the datagram": request() + field(0x4321, bytes(28))[:2] + b"\x01\x00" + bytes(28),
    "field shorter than allowed": request() + struct.pack("!HH", 0x4321, 8) + bytes(28),
    "two unique identifiers": request() + 2 * field(UNIQUE_IDENTIFIER, bytes(32)),
    "too large": request() + field(0x4321, bytes(2044)),
}


def dropped(server):
    """{reason: count} of the requests that got silence."""
    return {name: value for name, value in server.metrics().items() if name.startswith("ntsd_ntp_dropped_total") and value}


@pytest.fixture
def server(ntsd):
    return ntsd().start()


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_datagram_gets_silence_and_one_count(net, server, name):
    assert ntp_packet.ask(net.client, SERVER, NTP_PORT, MALFORMED[name]) == []
    counts = dropped(server)
    assert list(counts.values()) == [1], counts
    assert server.metric("ntp_responses_total") == 1  # the request that closes the conversation


def test_malformations_are_told_apart(net, server):
    ntp_packet.ask(net.client, SERVER, NTP_PORT, *MALFORMED.values())
    counts = dropped(server)
    assert sum(counts.values()) == len(MALFORMED)
    assert len(counts) >= 6, counts


def answered_or_counted(server):
    """Every datagram that reached the host ends in exactly one of these."""
    return server.metric("ntp_responses_total") + server.metric("ntp_dropped_total") + server.metric("ntp_socket_drops_total")


def test_a_flood_of_random_octets_is_counted_and_survived(net, server, authority):
    """R-SEC-01 and R-SEC-06. Half of it begins like a request, so that it comes further."""
    randomness = random.Random(20260101)
    octets_in = octets_out = 0
    with net.client, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.connect((SERVER, NTP_PORT))
        udp.setblocking(False)
        for number in range(RANDOM_DATAGRAMS):
            datagram = randomness.randbytes(randomness.choice((0, 1, 47, 48, 68, 76, 84, 120, 228, 500, 1024, 2048)))
            if number % 2:
                datagram = b"\x23" + datagram[1:48] + field(randomness.choice((0x0104, 0x0204, 0x0304, 0x0404)), datagram[48:])
            octets_in += len(datagram)
            udp.send(datagram)
            if number % DATAGRAMS_AT_ONCE == 0:
                octets_out += receive_all(udp)
        wait_until(lambda: answered_or_counted(server) >= RANDOM_DATAGRAMS, 20, "every datagram has its count")
        octets_out += receive_all(udp)
    assert answered_or_counted(server) == RANDOM_DATAGRAMS
    assert octets_out <= octets_in
    assert server.metric("ntp_octets_total", direction="out") == octets_out
    assert server.metric("ntp_octets_total", direction="in") <= octets_in  # the kernel may have dropped some
    assert server.metric("ntp_amplified_total") == 0
    assert server.metric("ntp_responses_total", kind="nts") == 0
    assert server.process.running()
    assert chrony.query(net.client, f"{SERVER} nts", ca=authority.ca).returncode == 0


def receive_all(udp):
    """The number of octets of all replies that are there."""
    size = 0
    while True:
        try:
            size += len(udp.recv(4096))
        except BlockingIOError:
            return size


@pytest.fixture
def nts_request(net, server, authority):
    """A real request as chronyd sent it: header, unique identifier, cookie, authenticator."""
    with capture.udp_payloads(net.server, "to-client", NTP_PORT) as payloads:
        done = chrony.query(net.client, f"{SERVER} nts", ca=authority.ca)
    assert done.returncode == 0, done.stderr
    assert [kind for kind, _ in fields(payloads[0])] == [UNIQUE_IDENTIFIER, COOKIE, AUTHENTICATOR]
    return payloads[0]


def fields(datagram):
    """[(type, body)] of the extension fields."""
    found, position = [], 48
    while position < len(datagram):
        kind, size = struct.unpack_from("!HH", datagram, position)
        found.append((kind, datagram[position + 4 : position + size]))
        position += max(size, 4)
    return found


def is_authenticated(reply):
    return any(kind == AUTHENTICATOR for kind, _ in fields(reply))


def replies_to(net, datagrams):
    """Sends them a few at a time and returns every reply's octets."""
    replies = []
    for start in range(0, len(datagrams), DATAGRAMS_AT_ONCE):
        some = datagrams[start : start + DATAGRAMS_AT_ONCE]
        replies += [octets for octets, _ in ntp_packet.ask(net.client, SERVER, NTP_PORT, *some)]
    return replies


def test_the_same_request_twice_is_answered_twice(net, server, nts_request):
    """R-NTS-18; and the twin of the tests below: unchanged, it is answered with time."""
    replies = replies_to(net, [nts_request] * 2)
    assert len(replies) == 2 and all(is_authenticated(reply) for reply in replies)
    assert all(len(reply) <= len(nts_request) for reply in replies)
    assert replies[0][-100:] != replies[1][-100:], "R-AEAD-04: a nonce or a cookie was used again"


def test_no_single_bit_can_be_changed(net, server, nts_request):
    """R-NTS-02, R-NTS-12 to 14: a changed request gets a NAK or silence, never authenticated time."""
    changed = []
    for position in range(len(nts_request)):
        for bit in range(8):
            one = bytearray(nts_request)
            one[position] ^= 1 << bit
            changed.append(bytes(one))
    replies = replies_to(net, changed)
    assert not any(is_authenticated(reply) for reply in replies)
    assert all(len(reply) <= len(nts_request) for reply in replies)
    naks = [ntp_packet.read(reply) for reply in replies if ntp_packet.read(reply).stratum == 0]
    assert all(nak.reference_id == b"NTSN" and nak.leap == 3 for nak in naks)
    # All bits of the cookie, of the authenticator's nonce and ciphertext, and of the header but for version and mode.
    assert len(naks) >= 8 * (47 + 100 + 32) + 2
    assert server.metric("ntp_responses_total", kind="nak") == len(naks)


def test_no_prefix_of_a_request_gets_authenticated_time(net, server, nts_request):
    replies = replies_to(net, [nts_request[:size] for size in range(len(nts_request))])
    assert not any(is_authenticated(reply) for reply in replies)
    # 48 octets are a plain request; with the unique identifier alone it is answered too, and echoed.
    assert sorted(len(reply) for reply in replies)[:2] == [48, 84], "R-EF-10"


def test_garbage_on_the_key_establishment_port_is_survived(net, server, authority):
    """R-KE-14 below TLS: half a hello, noise, and connections that end at once."""
    randomness = random.Random(20260102)
    before = server.metric("ke_connections_total")
    attempts = [b"", b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n\r\n"] + [randomness.randbytes(size) for size in (1, 5, 100, 3000, 20000)]
    for octets in attempts:
        with net.client, socket.create_connection((SERVER, KE_PORT), timeout=5) as connection:
            try:
                connection.sendall(octets)
            except (BrokenPipeError, ConnectionResetError):
                pass
    wait_until(lambda: server.metric("ke_connections_total") - before == len(attempts), 15, "each connection has its result")
    wait_until(lambda: server.metric("ke_active") == 0, 10, "no connection is left")
    assert chrony.query(net.client, f"{SERVER} nts", ca=authority.ca).returncode == 0
