"""How ntsd ends, and what it does when it is told to read its configuration again."""

import signal
import socket
import time

import pytest

from lab import ntp_packet
from lab.namespaces import Net
from lab.ntsd import KE_PORT, NTP_PORT
from lab.paths import BUILD


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["term", "int"])
def test_ends_with_status_0(net, ntsd, number):
    server = ntsd().start()
    assert len(ntp_packet.ask(net.client, Net.SERVER_V4[0], NTP_PORT, ntp_packet.request())) == 1
    begun = time.monotonic()
    assert server.process.stop(number) == 0, server.output()
    assert time.monotonic() - begun < 3


def test_drains_a_key_establishment_that_never_goes_on(net, ntsd):
    """ke.timeout, 5 s, bounds how long a connection that was open can hold the end up."""
    server = ntsd().start()
    with net.client, socket.create_connection((Net.SERVER_V4[0], KE_PORT), timeout=5) as idle:
        idle.sendall(b"\x16\x03\x01")  # the beginning of a ClientHello
        time.sleep(0.2)
        assert server.process.stop(signal.SIGTERM, timeout=9) == 0, server.output()




def test_goes_on_serving_after_sighup(net, ntsd):
    server = ntsd().start()
    server.process.popen.send_signal(signal.SIGHUP)
    for _ in range(20):
        assert len(ntp_packet.ask(net.client, Net.SERVER_V4[0], NTP_PORT, ntp_packet.request())) == 1
    assert server.process.running()
    assert server.stop() == 0


@pytest.mark.skipif("san" in BUILD.name, reason="sanitizers bring their own allocator")
def test_runs_with_jemalloc(ntsd):
    server = ntsd().start()
    with open(f"/proc/{server.process.pid}/maps", encoding="ascii") as text:
        assert "libjemalloc" in text.read()
