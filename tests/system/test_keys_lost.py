"""All keys are lost at once: every cookie becomes unknown at one moment, and the clients come back for new ones in a storm.

That real chronyd comes back by itself is shown in tests/interop; here are many.
"""

import json
import pathlib

from lab.namespaces import Net
from lab.ntsd import KE_PORT, NTP_PORT
from lab.paths import program
from lab.process import Process, run, wait_until

SERVER = Net.SERVER_V4[0]
SOURCES = "192.0.2.128/25"  # of the storm: one network alone would soon have all the connections that it may have
RATE, STORM_SECONDS = 200, 4
RESIDENT_KIB_MAX = 512 * 1024  # with sanitizers, which double and treble it


class Load:
    def __init__(self, net, server, name, *words):
        self.file = server.folder / f"{name}.json"
        argv = [program("ntsload"), words[0], SERVER, *words[1:], "--insecure", "--ke-port", KE_PORT, "--quiet", "--json", self.file]
        self.process = Process(argv, server.folder / f"{name}.log", net.client)

    def result(self):
        assert self.process.wait(60) == 0, self.process.output()
        return json.loads(self.file.read_text())


def counted(result):
    return {kind: count for kind, count in result["answers"]["kinds"].items() if count}


def test_a_storm_for_new_keys_is_survived_and_ntp_goes_on(net, ntsd):
    server = ntsd(set_values=["workers.ntp=1", "workers.ke=1"]).start()
    old = Load(net, server, "old", "ntp", "--rate", RATE, "--clients", 50, "--seconds", STORM_SECONDS + 4, "--timeout", 10)
    wait_until(lambda: server.metric("ntp_responses_total", kind="nts") > RATE / 2, 20, "clients are served")
    assert server.stop() == 0
    server.keys.unlink()
    server.start()
    assert "made new keys" in server.output()

    plain = Load(net, server, "plain", "ntp", "--plain", "--ntp-port", NTP_PORT, "--rate", RATE, "--seconds", STORM_SECONDS, "--timeout", 10)
    run(["ip", "route", "add", "local", SOURCES, "dev", "lo"], namespace=net.client)
    storm = Load(net, server, "storm", "ke", "--source", SOURCES, "--rate", "max", "--concurrency", 400, "--seconds", STORM_SECONDS, "--timeout", 20)
    returned = Load(net, server, "returned", "ntp", "--rate", RATE, "--clients", 20, "--cookies", "fresh", "--placeholders", 1,
                    "--seconds", STORM_SECONDS, "--timeout", 10)
    plain, storm, returned, old = plain.result(), storm.result(), returned.result(), old.result()

    # Who has not come back yet is told so, every time, and asks again.
    found = counted(old)
    assert found["nak"] > RATE and set(found) <= {"ok", "nak", "lost"}, found
    assert server.metric("ntp_responses_total", kind="nak") == server.metric("ntp_cookies_opened_total", key_age="unknown") >= found["nak"]
    # Who has is served, and so is who never had a cookie.
    assert counted(plain) == {"ok": plain["answers"]["sent"]}, counted(plain)
    assert counted(returned) == {"ok": returned["answers"]["sent"]}, counted(returned)
    # Handshakes go as fast as one thread can; who is too many is refused at once, and comes back later.
    honest = storm["endings"]["honest"]
    ends = {sample.split('"')[1]: count for sample, count in server.metrics().items() if sample.startswith("ntsd_ke_connections_total") and count}
    assert honest["ok"] > 100 and honest["ok"] >= 0.5 * honest["ended"], (honest, ends)
    # A slow build has some under way when the load ends, and closes them.
    assert set(ends) <= {"served", "saturated", "prefix_full", "table_full", "closed_in_handshake"}, ends
    assert ends.get("closed_in_handshake", 0) <= storm["endings"]["honest"]["ended"] * 0.05, ends
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    assert int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) < RESIDENT_KIB_MAX
    assert run([program("ntsctl"), "--socket", server.socket, "check"], namespace=net.server).returncode == 0
