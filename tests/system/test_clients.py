"""Who asks, and how much happens each second: ntsctl clients and ntsctl top."""

import json
import re
import socket

from lab import ntp_packet
from lab.namespaces import Net
from lab.ntp_packet import request
from lab.ntsd import NTP_PORT
from lab.process import wait_until

BURST = 4


def ask(net, count):
    ntp_packet.ask(net.client, Net.SERVER_V4[0], NTP_PORT, *[request()] * count)


def test_networks_are_counted_and_only_listed_when_told(net, ntsd):
    server = ntsd().start()
    ask(net, 1)
    report = json.loads(server.ctl("--json", "clients").stdout)["result"]
    assert report["networks_this_hour"] == 1
    assert not report["is_listed"] and report["clients"] == []
    assert "limits.ntp.clients = true" in server.ctl("clients").stdout


def test_the_busiest_networks_and_what_was_refused(net, ntsd):
    limits = ["limits.ntp.rate=0.01", f"limits.ntp.burst={BURST}", "limits.ntp.leak=0", "limits.ntp.kod=0", "limits.ntp.clients=true"]
    server = ntsd(set_values=limits).start()
    with net.client, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        for _ in range(5 * BURST):
            udp.sendto(request(), (Net.SERVER_V4[0], NTP_PORT))
    wait_until(lambda: server.metric("ntp_dropped_total") == 4 * BURST, 5, "what exceeds the burst is refused")
    report = json.loads(server.ctl("--json", "clients", "--sort", "drops", "-n", "1").stdout)["result"]
    (client,) = report["clients"]
    assert client["network"].startswith(Net.CLIENT_V4[0])
    assert client["requests_per_s"] > client["refused_per_s"] > 0
    assert client["network"] in server.ctl("clients").stdout


def test_top_shows_rates_until_it_has_looked_often_enough(net, ntsd):
    server = ntsd().start()
    ask(net, 3)
    screens = server.ctl("top", "--interval", "0.2", "-n", "2").stdout
    assert len(re.findall(r"^NTP requests +0\.0/s$", screens, re.MULTILINE)) == 2
    assert "synchronized" in screens and "\x1b" not in screens
    lines = server.ctl("--json", "top", "--interval", "0.2", "-n", "2").stdout.splitlines()
    assert [json.loads(line)["ok"] for line in lines] == [True, True]
