#!/usr/bin/python3
"""Runs the micro benchmarks pinned to one CPU, several times over, and writes the medians as a dated table.

    bench/micro/figures.py [--rounds 5] [--cpu 1] [--only NAME…] [--out bench/results]

Takes some minutes. Nothing else should run: the figures of a busy machine say little.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import shlex
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / "build" / "release" / "bench"
# What of each program is told, and how an item is called there. `aead_bench` has much more: what counts is a whole request.
BENCHES = {
    "aead_bench": ("^(request|forged|nettle)", "request"),
    "responder_bench": (".", "request"),
    "guard_bench": (".", "packet"),
    "key_ring_bench": (".", "call"),
    "handshake_bench": ("threads:1$", "handshake"),
}


def run(name, pattern, rounds, cpu):
    """[{benchmark}] of one program, every repetition of it."""
    words = ["taskset", "-c", str(cpu), PROGRAMS / name, f"--benchmark_filter={pattern}", f"--benchmark_repetitions={rounds}",
             "--benchmark_min_time=0.1", "--benchmark_enable_random_interleaving=true", "--benchmark_format=json"]
    return json.loads(subprocess.run(list(map(str, words)), capture_output=True, text=True, check=True).stdout)["benchmarks"]


def nanoseconds(one):
    """What an item of this run took."""
    if "per_request" in one:
        return one["per_request"] * 1e9
    if "items_per_second" in one:
        return 1e9 / one["items_per_second"]
    return one["real_time"] * {"ns": 1, "us": 1e3, "ms": 1e6}[one["time_unit"]]


def summarize(runs):
    """{benchmark: (median, least, most)} in nanoseconds an item."""
    values = {}
    for one in runs:
        if one.get("run_type") != "aggregate":
            values.setdefault(one["run_name"].removesuffix("/manual_time"), []).append(nanoseconds(one))
    in_order = sorted(values.items(), key=lambda entry: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", entry[0])])
    return {name: (statistics.median(found), min(found), max(found)) for name, found in in_order}


def cpu_model():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    facts = dict(line.split(":", 1) for line in text.partition("\n\n")[0].replace("\t", "").splitlines() if ":" in line)
    return f"{facts.get('model name', platform.machine()).strip()}, family {facts.get('cpu family', '?').strip()} model {facts.get('model', '?').strip()}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cpu", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=list(BENCHES), choices=list(BENCHES))
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "bench" / "results")
    parser.add_argument("--note", default="", help="a sentence for the top of the table")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    date = datetime.datetime.now(datetime.timezone.utc)
    lines = [f"# Micro benchmarks, {date:%Y-%m-%d}", "", f"`bench/micro/figures.py {shlex.join(sys.argv[1:])}`".replace(" `", "`"), "",
             f"{cpu_model()}; {os.cpu_count()} CPUs; Linux {platform.release()}; load average {load:.2f} at the start. Pinned to CPU "
             f"{options.cpu}; {options.rounds} rounds; median, least and most."]
    if options.note:
        lines += ["", options.note]
    figures = {}
    for name in options.only:
        pattern, item = BENCHES[name]
        figures[name] = summarize(run(name, pattern, options.rounds, options.cpu))
        lines += ["", f"## {name}", "", f"| | ns a {item} | least | most |", "|---|---:|---:|---:|"]
        lines += [f"| {what} | {median:,.1f} | {least:,.1f} | {most:,.1f} |" for what, (median, least, most) in figures[name].items()]
        print(f"{name}: done", file=sys.stderr)
    stem = options.out / f"{date:%Y-%m-%d}-micro"
    stem.parent.mkdir(parents=True, exist_ok=True)
    stem.with_suffix(".md").write_text("\n".join(lines) + "\n")
    stem.with_suffix(".json").write_text(json.dumps({"date": date.isoformat(), "cpu": cpu_model(), "ns": figures}, indent=1) + "\n")
    print(f"written: {stem}.md and .json", file=sys.stderr)


if __name__ == "__main__":
    main()
