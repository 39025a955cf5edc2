"""Abuse of NTS-KE: while bad connections of every kind fill half a core, good handshakes succeed, and NTP loses nothing.

The server has one CPU, all load the other one. How many connections fill half a core is measured first, so that the test means
the same on a fast machine and under sanitizers.
"""

import json
import os

import pytest

from lab.namespaces import Net
from lab.ntsd import KE_PORT, NTP_PORT
from lab.paths import program
from lab.process import Process, pinned, run

SERVER = Net.SERVER_V4[0]
SERVER_CPU, LOAD_CPU = 0, 1
KINDS = ("slow", "half-open", "garbage", "wrong-alpn", "oversized")
BAD_SHARE = 0.5  # of a core, filled by bad connections
GOOD_SHARE = 0.25  # half of what remains
FLOOD_SECONDS = 5
NTP_RATE = 200
SOURCES = "192.0.2.128/25"  # of the load: one network alone would soon have all the connections that it may have
BAD_RATE_MAX = 1500  # what the load's own CPU can do beside the rest


class Load:
    """ntsload against the server, on the load's CPU."""

    def __init__(self, net, authority, server, folder):
        self.net, self.folder, self.number = net, folder, 0
        self.common = ("--ca", authority.ca, "--ke-port", KE_PORT, "--server-pid", server.process.popen.pid, "--quiet",
                       "--source", SOURCES)
        run(["ip", "route", "add", "local", SOURCES, "dev", "lo"], namespace=net.client)

    def start(self, kind, *words):
        """(process, the file in which its JSON will be)."""
        self.number += 1
        result = self.folder / f"{self.number}.json"
        with pinned(LOAD_CPU):
            argv = [program("ntsload"), kind, SERVER, *self.common, "--json", result, *words]
            return Process(argv, self.folder / f"{self.number}.log", self.net.client), result

    def run(self, kind, *words):
        return finish(self.start(kind, *words))


def finish(started):
    process, result = started
    process.wait(60)
    assert result.exists(), process.output()
    return json.loads(result.read_text())


@pytest.mark.skipif(os.cpu_count() < 2, reason="one CPU for the server and one for the load are needed")
def test_good_handshakes_and_ntp_go_on_while_bad_connections_fill_half_a_core(net, ntsd, authority, tmp_path):
    server = ntsd(more='[workers]\nntp = 1\nke = 1\n')
    with pinned(SERVER_CPU):
        server.start()
    load = Load(net, authority, server, tmp_path)
    bad_ones = ("--misbehave", *(f"{kind}={1 / len(KINDS)}" for kind in KINDS), "--concurrency", 8000)

    good = load.run("ke", "--rate", "max", "--concurrency", 16, "--seconds", 1.5)
    bad = load.run("ke", "--rate", 200, "--seconds", 1.5, *bad_ones)
    good_rate = GOOD_SHARE * 1e6 / good["server_us_per_handshake"]
    bad_rate = min(BAD_SHARE * bad["started"] / bad["server_cpu_s"], BAD_RATE_MAX)

    ntp = load.start("ntp", "--ntp-port", NTP_PORT, "--rate", NTP_RATE, "--seconds", FLOOD_SECONDS + 1)
    flood = load.start("ke", "--rate", round(bad_rate), "--seconds", FLOOD_SECONDS, *bad_ones)
    wanted = load.start("ke", "--rate", round(good_rate), "--seconds", FLOOD_SECONDS, "--arrivals", "poisson", "--concurrency", 1000)
    wanted, ntp, flood = finish(wanted), finish(ntp), finish(flood)

    ends = {name: count for name, count in server.metrics().items() if name.startswith("ntsd_ke_connections_total") and count}
    told = f"{good_rate:.0f} good and {bad_rate:.0f} bad connections a second: {wanted['endings']}, {flood['endings']}; {ends}"
    honest = wanted["endings"]["honest"]
    assert honest["ended"] >= 0.8 * good_rate * FLOOD_SECONDS, told
    assert honest["ok"] >= 0.95 * honest["ended"], told
    assert ntp["answers"]["kinds"]["ok"] == ntp["answers"]["sent"] >= NTP_RATE * FLOOD_SECONDS, ntp["answers"]["kinds"]
    assert all(flood["endings"][kind].get("ok", 0) == 0 for kind in KINDS), told
    assert run([program("ntsctl"), "--socket", server.socket, "check"], namespace=net.server).returncode == 0
