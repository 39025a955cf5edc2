#!/usr/bin/python3
"""A long run of ntsd under load and abuse at once, in namespaces of its own. Exit status 0: nothing was lost and nothing grew.

    tests/system/soak.py --minutes 20 --share 0.8 --json soak.json

All at the same time, for so long: clients that spend every cookie once; honest NTS-KE; datagrams that are garbage, or carry forged
and stale cookies; connections that misbehave in every way that ntsload knows; a new key every 10 s, and a reload with another
certificate every 5 s. Then it asserts that

* every valid request that reached the server was answered, and every answer reached its client, be it late;
* no valid cookie was answered by NTSN, and no forged one by time;
* every honest handshake succeeded. On a machine that does other things too, a stall turns some away; then --may-fail says how
  many in a thousand may be, the result says so, and none of them may be an error of ours;
* memory did not grow (in a build without a sanitizer): a line through the second half of the samples rises by less than 4 MiB an hour, or a quarter of a MiB in all
  (whichever is more), which a leak of 50 octets in each connection would exceed at these rates;
* no descriptor is left when the load is gone.

Rates are per second. With --share S they are multiplied by S times the largest factor that is borne without loss for a few seconds,
found before the soak begins; the misbehaving connections are not. Without it they are as given. See README.md for what was run. What
never reached the server (bursts that follow a stall of the generator overflow the kernel's queues) is told and is no fault.
"""

import argparse
import json
import os
import pathlib
import shutil
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from lab.certificates import Authority  # noqa: E402
from lab.namespaces import Net  # noqa: E402
from lab.ntsd import KE_PORT, NTP_PORT, Ntsd  # noqa: E402
from lab.paths import BUILD, program  # noqa: E402
from lab.process import Process  # noqa: E402

SERVER = Net.SERVER_V4[0]
ROTATE_SECONDS, RELOAD_SECONDS, SAMPLE_SECONDS = 10, 5, 2
TURNED_AWAY = ("saturated", "table_full", "prefix_full", "handshake_timeout", "request_timeout", "response_timeout", "idle_timeout")
MISBEHAVIOUR = ("slow", "half-open", "garbage", "wrong-alpn", "oversized")
CALIBRATE_SECONDS = 5
# Which keeps what is freed, for a while; it tells of leaks itself, at the end, by the exit status.
HAS_SANITIZER = "san" in BUILD.name
SETTLE_SECONDS = 8  # what misbehaves is cut off after ke.timeout, 5 s
GROWTH_PER_HOUR, GROWTH_IN_ALL = 4 << 20, 256 << 10


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--rate", type=int, default=1000, help="valid requests")
    parser.add_argument("--handshakes", type=int, default=20, help="honest NTS-KE exchanges")
    parser.add_argument("--flood", type=int, default=1000, help="datagrams that are garbage, forged or stale")
    parser.add_argument("--abuse", type=int, default=50, help="NTS-KE connections that misbehave")
    parser.add_argument("--share", type=float, help="of what this machine bears of this mixture, 0.8 for example")
    parser.add_argument("--may-fail", type=float, default=0, metavar="PER_MILLE", help="honest handshakes, on a machine that is shared")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--json", type=pathlib.Path, help="where the result goes as well")
    return parser.parse_args()


class Load:
    """One ntsload; `result()` is its JSON, once it has ended."""

    def __init__(self, net, folder, name, *words):
        self.file = folder / f"{name}.json"
        argv = [program("ntsload"), *words[:1], SERVER, *words[1:], "--insecure", "--ke-port", KE_PORT, "--quiet", "--json", self.file]
        self.process = Process(argv, folder / f"{name}.log", net.client)

    def result(self):
        self.process.wait(60)
        assert self.file.exists(), self.process.output()
        return json.loads(self.file.read_text())


def start_loads(net, folder, options):
    seconds = ("--seconds", round(options.minutes * 60))
    loads = {
        "valid": Load(net, folder, "valid", "ntp", "--rate", options.rate, "--clients", min(2000, max(50, options.rate)), "--cookies", "fresh", "--placeholders", 1,
                      "--timeout", 10, *seconds),
        "handshakes": Load(net, folder, "handshakes", "ke", "--rate", options.handshakes, "--arrivals", "poisson", "--timeout", 20, *seconds),
    }
    if options.flood:
        loads["flood"] = Load(net, folder, "flood", "ntp", "--rate", options.flood, "--garbage", 0.5, "--forged", 0.25, "--stale", 0.25,
                              "--clients", 10, "--ntp-port", NTP_PORT, "--timeout", 10, *seconds)
    if options.abuse:
        loads["abuse"] = Load(net, folder, "abuse", "ke", "--rate", options.abuse, "--concurrency", 4000, "--timeout", 20,
                              "--misbehave", *(f"{kind}={1 / len(MISBEHAVIOUR)}" for kind in MISBEHAVIOUR), *seconds)
    return loads


def scaled(options, factor, minutes):
    changed = {name: max(1, round(getattr(options, name) * factor)) for name in ("rate", "handshakes", "flood") if getattr(options, name)}
    return argparse.Namespace(**{**vars(options), **changed, "minutes": minutes})


def is_borne(net, folder, options):
    """Whether every valid request and every honest handshake is answered at these rates, at the pace that was asked for."""
    results = {name: load.result() for name, load in start_loads(net, folder, options).items()}
    answers, honest = results["valid"]["answers"], results["handshakes"]["endings"]["honest"]
    print(f"tried {options.rate} valid requests a second: {answers['sent']} sent, {answers['kinds'].get('ok', 0)} answered in time; "
          f"{honest['ok']} of {honest['ended']} handshakes", file=sys.stderr, flush=True)
    return (answers["sent"] >= 0.98 * options.rate * options.minutes * 60 and answers["kinds"].get("ok", 0) >= 0.999 * answers["sent"]
            and honest["ok"] == honest["ended"])


def capacity(net, folder, options):
    """The largest factor of the rates that is borne, to a tenth or so."""
    borne = lambda factor: is_borne(net, folder, scaled(options, factor, CALIBRATE_SECONDS / 60))  # noqa: E731
    low = 1.0
    if not borne(low):
        raise SystemExit("soak.py: this machine does not bear the rates as they are given: give smaller ones")
    # Ends: nobody bears two million times as much.
    while borne(2 * low):
        low *= 2
    high = 2 * low
    for _ in range(3):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if borne(middle) else (low, middle)
    return low


class Samples:
    """What the process takes, over time."""

    def __init__(self, server):
        self.pid, self.begun, self.rows = server.process.pid, time.monotonic(), []

    def take(self):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        rss = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) << 10
        self.rows.append((time.monotonic() - self.begun, rss, self.descriptors()))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def growth_per_second(self):
        """The slope of a line through the second half: the first is spent with filling what is kept for use again."""
        rows = self.rows[len(self.rows) // 2:]
        mean_t = sum(row[0] for row in rows) / len(rows)
        mean_rss = sum(row[1] for row in rows) / len(rows)
        return (sum((row[0] - mean_t) * (row[1] - mean_rss) for row in rows) /
                sum((row[0] - mean_t) ** 2 for row in rows))


class Certificates:
    """Two, that take turns at one place."""

    def __init__(self, folder):
        authority = Authority(folder)
        self.pairs = [authority.issue(f"{name}.test", dns=["ntsd.test"], ip=[SERVER]) for name in ("one", "other")]
        self.chain, self.key = folder / "tls" / "chain.pem", folder / "tls" / "key.pem"
        self.chain.parent.mkdir()
        self.turn = 0
        self.swap()

    def swap(self):
        for source, target in zip(self.pairs[self.turn], (self.chain, self.key)):
            beside = target.with_suffix(".new")
            shutil.copy(source, beside)
            beside.rename(target)
        self.turn = 1 - self.turn


def disturb(server, certificates, loads, samples):
    """Until the load has ended: reloads, and samples. Keys rotate by themselves."""
    reloads, next_reload = 0, time.monotonic() + RELOAD_SECONDS
    while any(load.process.running() for load in loads.values()):
        assert server.process.running(), server.output()
        samples.take()
        if time.monotonic() >= next_reload:
            next_reload = time.monotonic() + RELOAD_SECONDS
            certificates.swap()
            server.ctl("reload")  # and not before it has ended the next swap, or it would meet one half done
            reloads += 1
        time.sleep(SAMPLE_SECONDS)
    return reloads


def judge(results, metrics, samples, baseline, left, reloads, options):
    """(what is wrong, what was seen)"""
    def metric(name, label=""):
        return sum(value for sample, value in metrics.items() if sample.split("{")[0] == f"ntsd_{name}" and label in sample)

    valid = {kind: count for kind, count in results["valid"]["answers"]["kinds"].items() if count}
    sent, answered = results["valid"]["answers"]["sent"], valid.get("ok", 0) + valid.get("late", 0)
    opened = metric("ntp_cookies_opened_total") - metric("ntp_cookies_opened_total", '"unknown"')
    growth = samples.growth_per_second()
    seconds = samples.rows[-1][0] / 2
    grown = growth * seconds
    faults = []
    if sent < options.rate * options.minutes * 60 * 0.5:
        faults.append(f"only {sent} valid requests were made")
    if metric("ntp_responses_total", '"nts"') != opened or answered < opened:
        faults.append(f"{opened:.0f} valid requests came, and {answered} answers")
    if set(valid) - {"ok", "late", "lost"}:
        faults.append(f"valid requests were answered by {valid}")
    honest = results["handshakes"]["endings"]["honest"]
    ends = {sample.split('"')[1]: count for sample, count in metrics.items() if sample.startswith("ntsd_ke_connections_total") and count}
    turned_away = honest["ended"] - honest["ok"]
    if (turned_away > honest["ended"] * options.may_fail / 1000 or turned_away > sum(ends.get(name, 0) for name in TURNED_AWAY)
            or "internal_error" in ends):
        faults.append(f"honest handshakes ended {honest}; all connections {ends}")
    flood = results.get("flood", {}).get("answers", {}).get("by_request", {})
    for kind in ("forged", "stale"):
        if kind in flood and flood[kind].get("ok", 0) != 0:
            faults.append(f"{kind} cookies were answered with time: {flood[kind]}")
    if "garbage" in flood and set(flood["garbage"]) - {"sent", "silence"}:
        faults.append(f"garbage was answered: {flood['garbage']}")
    if not HAS_SANITIZER and grown > max(GROWTH_IN_ALL, GROWTH_PER_HOUR * seconds / 3600):
        faults.append(f"memory grew by {grown / 1024:.0f} KiB in the second half")
    if left > baseline:
        faults.append(f"{left} descriptors are open, {baseline} before")
    if metric("reload_total", '"failed"') or metric("reload_total", '"ok"') < reloads * 0.9:
        faults.append(f"{metric('reload_total', 'failed')} of {reloads} reloads failed")
    seen = {
        "minutes": round(samples.rows[-1][0] / 60, 1), "share": options.share, "may_fail_per_mille": options.may_fail,
        "rates": {name: getattr(options, name) for name in ("rate", "handshakes", "flood", "abuse")}, "valid": {"sent": sent, "reached_the_server": opened, **valid},
        "honest_handshakes": honest, "connections": ends, "flood": flood,
        "abuse": results.get("abuse", {}).get("endings"), "socket_drops": metric("ntp_socket_drops_total"), "reloads": reloads,
        "rotations_seen": options.minutes * 60 / ROTATE_SECONDS, "cookies_by_key_age": {
            sample.split('"')[1]: value for sample, value in metrics.items() if sample.startswith("ntsd_ntp_cookies_opened_total") and value},
        "rss_kib": [samples.rows[0][1] >> 10, max(row[1] for row in samples.rows) >> 10, samples.rows[-1][1] >> 10],
        "growth_kib_per_hour": round(growth * 3600 / 1024, 1), "descriptors": [baseline, max(row[2] for row in samples.rows), left],
    }
    return faults, seen


def main():
    options = arguments()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="soak-", dir="/tmp"))
    net = Net()
    certificates = Certificates(folder)
    server = Ntsd(net.server, (certificates.chain, certificates.key),
                  set_values=[f"keys.rotate-every={ROTATE_SECONDS}s", f"workers.engine={options.engine}"])
    try:
        server.start()
        if options.share:
            options = scaled(options, options.share * capacity(net, folder, options), options.minutes)
            time.sleep(SETTLE_SECONDS)
            server.restart()  # counters begin anew
        samples = Samples(server)
        baseline = samples.descriptors()
        loads = start_loads(net, folder, options)
        reloads = disturb(server, certificates, loads, samples)
        results = {name: load.result() for name, load in loads.items()}
        time.sleep(SETTLE_SECONDS)
        faults, seen = judge(results, server.metrics(), samples, baseline, samples.descriptors(), reloads, options)
        if server.stop() != 0:
            faults.append("it did not end in order")
        seen["faults"] = faults
        text = json.dumps(seen, indent=1)
        print(text)
        if options.json:
            options.json.write_text(text + "\n")
        if faults:
            print(f"--- what ntsd wrote, the end of it:\n{server.output()[-4000:]}", file=sys.stderr)
        return 1 if faults else 0
    finally:
        server.close()
        net.close()
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
