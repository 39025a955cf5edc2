#!/usr/bin/python3
"""Runs ntsd, chronyd and a bare echo in turns on one CPU, loaded from another, and writes a dated table.

    bench/peers/compare.py [--rounds 5] [--seconds 3] [--server-cpu 0] [--load-cpu 1] [--link loopback|veth] [--only NAME…]
                           [--out bench/results]

Every round runs every subject once, beginning with another one each time, so that a slow minute of the machine hits all
of them. Each run of a subject: saturated (as much load as one CPU can offer), twice that server's rate and half of it.
Figures are medians over the rounds with their spread; ratios are to the echo with the same datagram sizes. Absolute
figures of a machine move from day to day, ratios hardly do. What a second worker costs is asked at fixed rates: CPU time
with one worker on either CPU and with one on each, where the second shares its CPU with the load.

It needs root (or `unshare -Urn`) for a network namespace of its own, and apt for chronyd, which is unpacked below build/
and never installed; chronyd runs with -x, so that it cannot touch the clock.
"""

import argparse
import contextlib
import datetime
import json
import pathlib
import shlex
import signal
import statistics
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from lab.certificates import Authority  # noqa: E402
from lab.chrony import Chronyd  # noqa: E402
from lab.namespaces import Namespace, Net  # noqa: E402
from lab.ntsd import KE_PORT, NTP_PORT, Ntsd  # noqa: E402
from lab.paths import program  # noqa: E402
from lab.process import Process, pinned, run, wait_until  # noqa: E402

ECHO_PORT = 11124


class Lab:
    """One namespace or two joined by veth, a certificate, and the means to start each server."""

    def __init__(self, options, folder):
        self.options = options
        self.folder = pathlib.Path(folder)
        if options.link == "veth":
            net = Net()
            self.namespace, self.client, self.host = net.server, net.client, Net.SERVER_V4[0]
        else:
            self.namespace = self.client = Namespace()
            self.host = "127.0.0.1"
        self.authority = Authority(self.folder)
        self.certificate = self.authority.issue("compare.test", dns=["compare.test"], ip=[self.host])

    @contextlib.contextmanager
    def ntsd(self, engine="auto", cpus=(), spread="hash", executable=None, settings=(), stamps="all"):
        """One worker of each kind on the server's CPU, or one on each of `cpus`. `stamps`: "unsampled" or "none" for less."""
        cpus = cpus or [self.options.server_cpu]
        server = Ntsd(self.namespace, self.certificate, ntp=[f"{self.host}:{NTP_PORT}"], ke=[f"{self.host}:{KE_PORT}"],
                      more=f'[workers]\nntp = {len(cpus)}\nke = {len(cpus)}\nengine = "{engine}"\nspread = "{spread}"\n',
                      executable=executable, set_values=settings, prefix=[] if stamps == "all" else ["env", f"NTSD_STAMPS={stamps}"])
        try:
            with pinned(*cpus):
                server.start()
            yield server.process.pid
        finally:
            server.close()

    @contextlib.contextmanager
    def chronyd(self):
        chain, key = self.certificate
        with pinned(self.options.server_cpu):
            server = Chronyd(self.namespace, "local stratum 10", "allow", f"port {NTP_PORT}", f"ntsservercert {chain}", f"ntsserverkey {key}")
        try:
            yield server.process.pid
        finally:
            server.stop()

    @contextlib.contextmanager
    def echo(self, *words):
        log = self.folder / "echo.log"
        log.unlink(missing_ok=True)
        with pinned(self.options.server_cpu):
            server = Process([program("ntsecho"), "--listen", f"{self.host}:{ECHO_PORT}", *words], log, self.namespace)
        try:
            wait_until(lambda: "ntsecho:" in server.output(), 10, "the echo's socket")
            yield server.pid
        finally:
            server.stop(signal.SIGTERM)

    def load(self, kind, *words, cpus=()):
        """One run of ntsload on its CPU, or on `cpus`; its JSON."""
        with pinned(*(cpus or [self.options.load_cpu])):
            done = run([program("ntsload"), kind, self.host, "--quiet", "--json", "-", *words], namespace=self.client,
                       timeout=120 + 10 * self.options.seconds)
        result = json.loads(done.stdout)
        result["host"]["command"] = result["host"]["command"].replace(f"{ROOT}/", "")  # where this clone stands is nobody's business
        return result


NTS = ("--ke-port", KE_PORT, "--aead", 15)
PLAIN = ("--plain", "--ntp-port", NTP_PORT)
ECHO_OF_NTS = ("--echo", "--ntp-port", ECHO_PORT)
ECHO_OF_PLAIN = ("--echo", "--plain", "--ntp-port", ECHO_PORT)
BARE = ("--engine", "recvmmsg-sendmmsg")
SENDING_ONE_BY_ONE = ("--engine", "recvmmsg-send", "--receive-stamps")
# What a time server on io_uring cannot do without.
LIKE_A_WORKER = ("--engine", "io_uring", "--receive-stamps")

# Name: (the server, the load, the echo that it is divided by).
SUBJECTS = {
    "echo, bare, 228 octets": (lambda lab: lab.echo(*BARE), ECHO_OF_NTS, None),
    "echo, one send each, 228 octets": (lambda lab: lab.echo(*SENDING_ONE_BY_ONE), ECHO_OF_NTS, None),
    "echo, as a worker, 228 octets": (lambda lab: lab.echo(*LIKE_A_WORKER), ECHO_OF_NTS, None),
    "ntsd, NTS": (lambda lab: lab.ntsd(), NTS, "echo, as a worker, 228 octets"),
    "ntsd, NTS, mmsg": (lambda lab: lab.ntsd(engine="mmsg"), NTS, "echo, one send each, 228 octets"),
    "chronyd, NTS": (lambda lab: lab.chronyd(), NTS, "echo, as a worker, 228 octets"),
    "echo, bare, 48 octets": (lambda lab: lab.echo(*BARE), ECHO_OF_PLAIN, None),
    "echo, as a worker, 48 octets": (lambda lab: lab.echo(*LIKE_A_WORKER), ECHO_OF_PLAIN, None),
    "ntsd, plain": (lambda lab: lab.ntsd(), PLAIN, "echo, as a worker, 48 octets"),
    "chronyd, plain": (lambda lab: lab.chronyd(), PLAIN, "echo, as a worker, 48 octets"),
}
# (the load, the rate for one worker, the rate for two): rates that one worker can bear, so that only the CPU time differs. At half
# the rate each worker finds smaller batches, which costs by itself; what sharing costs shows where each has the same to do.
WORKERS = {"two workers, NTS, 30,000/s each": (("ntp", *NTS, "--clients", 200), 30_000, 60_000),
           "two workers, NTS, 60,000/s in all": (("ntp", *NTS, "--clients", 200), 60_000, 60_000),
           "two workers, handshakes, 200/s each": (("ke", "--ke-port", KE_PORT), 200, 400)}
# Two workers, loaded from both of their CPUs.
SPREADS = {"by hash, NTS at 60,000/s": "hash", "by CPU, NTS at 60,000/s": "cpu"}
HANDSHAKES = {"ntsd, handshakes": lambda lab: lab.ntsd(), "chronyd, handshakes": lambda lab: lab.chronyd()}


def cpu_seconds(pid):
    """CPU time of a process and its children (chronyd does NTS-KE in one), all threads."""
    total = 0.0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            total += int((task / "schedstat").read_text().split()[0]) / 1e9
            for child in (task / "children").read_text().split():
                total += cpu_seconds(child)
    return total


def measure_requests(lab, start, load):
    """{figure: value} of one subject in one round."""
    options = lab.options
    with start(lab) as pid:
        words = [*load, "--clients", 200, "--server-pid", pid, "--cpus", options.load_cpu]
        if "--echo" not in load and "--plain" not in load:
            words += ["--ca", lab.authority.ca]
        lab.load("ntp", *words, "--rate", "max", "--seconds", 0.5)  # caches, branch predictors, frequency
        words += ["--seconds", options.seconds]
        full = lab.load("ntp", *words, "--rate", "max")
        peak = full["answer_rate"]
        assert peak > 0, f"no answer at all: {full['answers']}"
        double = lab.load("ntp", *words, "--rate", round(2 * peak))
        half = lab.load("ntp", *words, "--rate", round(peak / 2), "--stamps", 50)
    figures = {
        "answers_per_s": peak,
        "cpu_us": full["server_us_per_answer"],
        "offered_over_answers": full["sent_rate"] / peak,
        "overload_share": double["answer_rate"] / peak,
        "half_cpu_us": half["server_us_per_answer"],
        "half_loss": half["loss"],
        "half_p50_us": half["latency"]["p50_us"],
        "half_p99_us": half["latency"]["p99_us"],
        "unexpected": full["answers"]["unexpected"] + double["answers"]["unexpected"] + half["answers"]["unexpected"],
    }
    if "--echo" not in load:
        figures["t3_early_p50_us"] = half["stamps"]["transmit_error"]["p50_us"]
        figures["t3_early_p99_us"] = half["stamps"]["transmit_error"]["p99_us"]
    return figures, full["host"]


def measure_handshakes(lab, start):
    with start(lab) as pid:
        words = ["--ke-port", KE_PORT, "--ca", lab.authority.ca, "--rate", "max", "--concurrency", 32, "--seconds", lab.options.seconds]
        before = cpu_seconds(pid)
        result = lab.load("ke", *words)
        spent = cpu_seconds(pid) - before
    good = result["endings"]["honest"].get("ok", 0)
    return {
        "handshakes_per_s": result["ok_rate"], "cpu_us": spent * 1e6 / max(good, 1), "p50_us": result["total"]["p50_us"],
        "failed": result["started"] - good, "generator_busy": result["own_cpu_s"] / result["seconds"],
    }


def measure_workers(lab, load, rate_of_one, rate_of_two):
    """CPU an answer with one worker on the server's CPU, with one on the load's, and with one on each."""
    options, figures = lab.options, {}
    places = {"on_first_us": [options.server_cpu], "on_second_us": [options.load_cpu], "cpu_us": [options.server_cpu, options.load_cpu]}
    for figure, cpus in places.items():
        with lab.ntsd(cpus=cpus) as pid:
            words = [*load, "--ca", lab.authority.ca, "--rate", rate_of_one if len(cpus) == 1 else rate_of_two]
            lab.load(*words, "--seconds", 0.3)
            before = cpu_seconds(pid)
            result = lab.load(*words, "--seconds", options.seconds)
            spent = cpu_seconds(pid) - before
        answered = result["answer_rate"] * result["seconds"] if load[0] == "ntp" else result["endings"]["honest"].get("ok", 0)
        figures[figure] = spent * 1e6 / max(answered, 1)
    figures["over_one"] = figures["cpu_us"] / ((figures["on_first_us"] + figures["on_second_us"]) / 2)
    return figures


def measure_spread(lab, spread):
    cpus = [lab.options.server_cpu, lab.options.load_cpu]
    with lab.ntsd(cpus=cpus, spread=spread) as pid:
        words = [*NTS, "--ca", lab.authority.ca, "--clients", 200, "--threads", 2, "--rate", 60_000, "--server-pid", pid]
        result = lab.load("ntp", *words, "--seconds", lab.options.seconds, cpus=cpus)
    return {"cpu_us": result["server_us_per_answer"], "p50_us": result["latency"]["p50_us"], "p99_us": result["latency"]["p99_us"],
            "loss": result["loss"]}


def summarize(rounds):
    """{figure: [median, least, most]} over the rounds."""
    summary = {}
    for figure in rounds[0]:
        values = [one[figure] for one in rounds if one[figure] is not None]
        if values:
            summary[figure] = [statistics.median(values), min(values), max(values)]
    return summary


def ratios(results):
    """For each subject: how its CPU an answer compares with its echo's, round by round, and its answers a second with chronyd's."""
    found = {}
    for name, (_, _, reference) in SUBJECTS.items():
        if reference in results and name in results:
            pairs = zip(results[reference], results[name])
            found[f"{name} against {reference}: CPU an answer"] = statistics.median(a["cpu_us"] / b["cpu_us"] for a, b in pairs)
            pairs = zip(results[reference], results[name])
            found[f"{name} against {reference}: p99 at half load"] = statistics.median(a["half_p99_us"] / b["half_p99_us"] for a, b in pairs)
    for ours, barest in (("ntsd, NTS", "echo, bare, 228 octets"), ("ntsd, plain", "echo, bare, 48 octets")):
        if ours in results and barest in results:
            pairs = zip(results[barest], results[ours])
            found[f"{ours} against {barest}: CPU an answer"] = statistics.median(a["cpu_us"] / b["cpu_us"] for a, b in pairs)
    for what, figure in (("NTS", "cpu_us"), ("plain", "cpu_us"), ("handshakes", "cpu_us")):
        ours, theirs = f"ntsd, {what}", f"chronyd, {what}"
        if ours in results and theirs in results:
            pairs = zip(results[theirs], results[ours])
            found[f"{ours} against chronyd: CPU"] = statistics.median(a[figure] / b[figure] for a, b in pairs)
    return found


COLUMNS = (
    ("answers/s", "answers_per_s", "{:,.0f}"), ("CPU µs", "cpu_us", "{:.2f}"), ("at 2×", "overload_share", "{:.3f}"),
    ("half: CPU µs", "half_cpu_us", "{:.2f}"), ("half: p50 µs", "half_p50_us", "{:.1f}"), ("half: p99 µs", "half_p99_us", "{:.1f}"),
    ("half: loss", "half_loss", "{:.5f}"), ("T3 early p50 µs", "t3_early_p50_us", "{:.2f}"), ("T3 early p99 µs", "t3_early_p99_us", "{:.2f}"),
    ("offered ×", "offered_over_answers", "{:.1f}"), ("unexpected", "unexpected", "{:.0f}"),
)
HANDSHAKE_COLUMNS = (
    ("handshakes/s", "handshakes_per_s", "{:,.0f}"), ("CPU µs", "cpu_us", "{:.1f}"), ("p50 µs", "p50_us", "{:,.0f}"),
    ("failed", "failed", "{:.0f}"), ("generator busy", "generator_busy", "{:.2f}"),
)

WORKERS_COLUMNS = (
    ("one on the first CPU: µs", "on_first_us", "{:.2f}"), ("one on the second: µs", "on_second_us", "{:.2f}"),
    ("one on each: µs", "cpu_us", "{:.2f}"), ("over the mean of one", "over_one", "{:.3f}"),
)

SPREAD_COLUMNS = (
    ("CPU µs", "cpu_us", "{:.2f}"), ("p50 µs", "p50_us", "{:.1f}"), ("p99 µs", "p99_us", "{:.1f}"), ("loss", "loss", "{:.5f}"),
)


def table(summaries, names, columns):
    lines = ["| | " + " | ".join(title for title, _, _ in columns) + " |", "|---|" + "---:|" * len(columns)]
    for name in names:
        cells = []
        for _, figure, shape in columns:
            median, least, most = summaries[name].get(figure, (None, None, None))
            cells.append("–" if median is None else f"{shape.format(median)} ({shape.format(least)}–{shape.format(most)})")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def page(options, host, summaries, found):
    requests = [name for name in SUBJECTS if name in summaries]
    handshakes = [name for name in HANDSHAKES if name in summaries]
    workers = [name for name in WORKERS if name in summaries]
    spreads = [name for name in SPREADS if name in summaries]
    facts = ("cpu", "cpus", "kernel", "mitigations", "virtual", "governor", "load_average", "aead_implementation", "ntsload")
    lines = [f"# Side by side, {host['date'][:10]}", ""]
    if options.note:
        lines += [options.note, ""]
    lines += [f"`bench/peers/compare.py {shlex.join(sys.argv[1:])}`".replace(" `", "`"), "",
              f"Server on CPU {options.server_cpu}, load on CPU {options.load_cpu}, {options.link}; {options.rounds} rounds of {options.seconds:g} s. "
              "Median over the rounds, and in brackets the least and the most.", "", "| machine | |", "|---|---|"]
    lines += [f"| {fact} | {host[fact]} |" for fact in facts if host.get(fact) not in (None, "")]
    if requests:
        lines += ["", "## Requests", "", "Saturated, at twice the saturated rate (as a share of it), and at half of it.", ""]
        lines += table(summaries, requests, COLUMNS)
    if handshakes:
        lines += ["", "## Handshakes", ""] + table(summaries, handshakes, HANDSHAKE_COLUMNS)
    if workers:
        lines += ["", "## Two workers", "", "CPU time an answer, at fixed rates.", ""] + table(summaries, workers, WORKERS_COLUMNS)
    if spreads:
        lines += ["", "## Which worker gets a datagram", "", "Two workers, loaded from both of their CPUs, so that each receives half.", ""]
        lines += table(summaries, spreads, SPREAD_COLUMNS)
    if found:
        lines += ["", "## Ratios", "", "Medians of the rounds' ratios of CPU time and of latency; above 1, the one named first costs less or waits less.", "", "| | |", "|---|---:|"]
        lines += [f"| {name} | {value:.3f} |" for name, value in found.items()]
    return "\n".join(lines) + "\n"


def options_of(words):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="length of each run")
    parser.add_argument("--server-cpu", type=int, default=0)
    parser.add_argument("--load-cpu", type=int, default=1)
    parser.add_argument("--link", choices=["loopback", "veth"], default="loopback", help="what joins the load to the server")
    parser.add_argument("--only", action="append", metavar="WORDS", help="subjects whose names contain this; may be repeated")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "bench" / "results")
    parser.add_argument("--name", help="part of the files' names after the date (compare, compare-veth)")
    parser.add_argument("--note", default="", help="a sentence for the top of the table")
    return parser.parse_args(words)


def wanted(names, options):
    return [name for name in names if not options.only or any(words in name for words in options.only)]


def measure(options, lab):
    results, host = {}, None
    names = wanted([*SUBJECTS, *HANDSHAKES, *WORKERS, *SPREADS], options)
    for number in range(options.rounds):
        for name in names[number % len(names):] + names[:number % len(names)]:
            if name in SUBJECTS:
                figures, facts = measure_requests(lab, *SUBJECTS[name][:2])
                host = host or facts
            elif name in HANDSHAKES:
                figures = measure_handshakes(lab, HANDSHAKES[name])
            elif name in WORKERS:
                figures = measure_workers(lab, *WORKERS[name])
            else:
                figures = measure_spread(lab, SPREADS[name])
            results.setdefault(name, []).append(figures)
            print(f"round {number + 1}: {name}: {figures['cpu_us']:.2f} µs", file=sys.stderr, flush=True)
    return results, host


def main():
    options = options_of(sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="compare-", dir="/tmp") as folder:
        results, host = measure(options, Lab(options, folder))
    if host is None:
        host = {"date": datetime.datetime.now(datetime.timezone.utc).isoformat()}
    summaries = {name: summarize(rounds) for name, rounds in results.items()}
    found = ratios(results)
    options.out.mkdir(parents=True, exist_ok=True)
    name = options.name or ("compare" if options.link == "loopback" else f"compare-{options.link}")
    stem = options.out / f"{host['date'][:10]}-{name}"
    text = page(options, host, summaries, found)
    stem.with_suffix(".md").write_text(text)
    stem.with_suffix(".json").write_text(json.dumps({"host": host, "rounds": results, "summary": summaries, "ratios": found}, indent=1) + "\n")
    print(text)
    print(f"written: {stem}.md and .json", file=sys.stderr)


if __name__ == "__main__":
    main()
