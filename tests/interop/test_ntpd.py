"""NTPsec's ntpd, the second NTS client that people run, follows ntsd."""

from lab.namespaces import Net
from lab.process import wait_until

FAST = "minpoll 0 maxpoll 3 iburst"


def test_ntpd_follows_ntsd_over_nts(net, ntsd, ntpd, authority):
    server = ntsd().start()
    client = ntpd(net.client, f"server {Net.SERVER_V4[0]} nts ca {authority.ca} {FAST}")
    wait_until(lambda: client.selected() == Net.SERVER_V4[0], 60, "ntpd follows ntsd")
    counters = client.nts()
    assert counters["NTS KE client probes good"] == 1 and counters["NTS KE client probes bad"] == 0
    assert counters["NTS client recvs good"] >= 4 and counters["NTS client recvs w error"] == 0
    assert server.metric("ntp_responses_total", kind="nts") >= 4
    assert server.metric("ntp_responses_total", kind="nak") == 0


def test_ntpd_follows_ntsd_without_nts(net, ntsd, ntpd):
    # ntpd knows no other port than 123.
    server = ntsd(ntp=["0.0.0.0:123"]).start()
    client = ntpd(net.client, f"server {Net.SERVER_V4[0]} {FAST}")
    wait_until(lambda: client.selected() == Net.SERVER_V4[0], 60, "ntpd follows ntsd")
    assert server.metric("ntp_responses_total", kind="plain") >= 4
