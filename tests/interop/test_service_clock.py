"""What the whole service says about its clock, to clients, health checks and the operator; and the marks on its answers."""

import socket

import pytest

from lab import ntp_packet
from lab.namespaces import Net
from lab.ntsd import NTP_PORT
from lab.process import wait_until

UPSTREAM_PORT = 11230
COMMAND_PORT = 11323
UPSTREAM = ["local stratum 3", f"port {UPSTREAM_PORT}", "bindaddress 127.0.0.1", "allow 127.0.0.1"]
# 20,000 ppm by chronyd's own account: 0.2 s of dispersion ten seconds after it lost its source.
FOLLOWER = [
    f"server 127.0.0.1 port {UPSTREAM_PORT} iburst minpoll 0 maxpoll 0", "port 0", f"cmdport {COMMAND_PORT}", "maxclockerror 20000",
]
IPV6_RECVTCLASS = 66  # <linux/in6.h>


def told(net):
    (octets, _), = ntp_packet.ask(net.client, Net.SERVER_V4[0], NTP_PORT, ntp_packet.request())
    return ntp_packet.read(octets)


def test_says_so_when_the_source_is_lost_and_when_it_is_back(net, ntsd, chronyd):
    upstream = chronyd(net.server, *UPSTREAM)
    chronyd(net.server, *FOLLOWER)
    server = ntsd(set_values=[
        "reference.source=chrony", f"reference.address=127.0.0.1:{COMMAND_PORT}", "reference.max-distance=200ms",
    ]).start()

    def is_fit():
        return server.get("/healthz")[0] == 200

    def expect(fit, stratum, leap):
        reply = told(net)
        assert (reply.stratum, reply.leap) == (stratum, leap)
        assert server.ctl("check", check=False).returncode == (0 if fit else 1)
        assert server.metric("reference_synchronized") == (1 if fit else 0)
        assert server.get("/livez")[0] == 200

    wait_until(is_fit, 30, "the source is found")
    expect(True, 4, 0)
    upstream.process.stop()
    wait_until(lambda: not is_fit(), 40, "the dispersion grows beyond the largest distance")
    expect(False, 0, 3)
    assert told(net).reference_id == bytes(4), "not to be taken for a kiss code"
    chronyd(net.server, *UPSTREAM)
    wait_until(is_fit, 40, "the source is back")
    expect(True, 4, 0)


@pytest.mark.parametrize("dscp", [0, 46])
def test_answers_carry_the_services_code_point_of_their_listener(net, ntsd, dscp):
    ntsd(set_values=[f"ntp[0].dscp={dscp}"]).start()
    for family, address, level, option, kind in (
        (socket.AF_INET, Net.SERVER_V4[0], socket.IPPROTO_IP, socket.IP_RECVTOS, socket.IP_TOS),
        (socket.AF_INET6, Net.SERVER_V6[0], socket.IPPROTO_IPV6, IPV6_RECVTCLASS, socket.IPV6_TCLASS),
    ):
        with net.client, socket.socket(family, socket.SOCK_DGRAM) as udp:
            udp.settimeout(5)
            udp.setsockopt(level, option, 1)
            udp.sendto(ntp_packet.request(), (address, NTP_PORT))
            _, messages, _, _ = udp.recvmsg(512, 256)
            classes = [data[0] for got_level, got_kind, data in messages if (got_level, got_kind) == (level, kind)]
            assert classes == [dscp << 2]


def test_answers_tell_no_shorter_poll_than_the_limit_allows(net, ntsd):
    server = ntsd(set_values=["limits.ntp.rate=0.125", "limits.ntp.burst=1000"]).start()
    for poll, expected in ((-3, 3), (3, 3), (6, 6)):
        (octets, _), = ntp_packet.ask(net.client, Net.SERVER_V4[0], NTP_PORT, ntp_packet.request(poll=poll))
        assert ntp_packet.read(octets).poll == expected
    assert server.metric("ntp_responses_total", kind="plain") == 6


def test_smears_on_private_addresses_or_when_told_that_it_may(ntsd):
    refused = ntsd(set_values=["ntp[0].smear=linear-24h"]).fail_to_start()
    assert refused[0] == 2 and any("must not smear" in line for line in refused[1]), refused
    for more in ("ntp[0].smear-public=true", f'ntp[0].listen=["127.0.0.1:{NTP_PORT}"]'):
        server = ntsd(set_values=["ntp[0].smear=linear-24h", more]).start()
        assert "smear" in server.ctl("status").stdout
        assert server.stop() == 0
