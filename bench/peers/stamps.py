#!/usr/bin/python3
"""How true the timestamps of ntsd and chronyd are, side by side on one machine: idle, at half load, at nine tenths, saturated.

    bench/peers/stamps.py [--rounds 3] [--seconds 2] [--server-cpu 0] [--load-cpu 1] [--link loopback|veth] [--only WORDS…]
                          [--out bench/results]

ntsload takes kernel stamps of its own of one request in some, on the same clock, and tells how far the server's receive
timestamp (T2) is behind the real departure of the request, how far the real arrival of the answer is behind the server's
transmit timestamp (T3), and what offset a client would compute from them: its error, since the clocks are the same. At zero
load that includes the way through the kernel, which is the same for all servers. Each load is a share of what that very
server can do; every round asks all of them, beginning with another one each time. The line "interleaved" is of clients that
ask for the departure of the answer before (RFC 9769).

It needs root (or `unshare -Urn`) and apt for chronyd, as compare.py does.
"""

import json
import pathlib
import shlex
import statistics
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import compare  # noqa: E402

IDLE_RATE = 1000
LOADS = {"idle": None, "50 %": 0.5, "90 %": 0.9, "saturated": "max"}
SERVERS = {"ntsd": lambda lab: lab.ntsd(), "ntsd, mmsg": lambda lab: lab.ntsd(engine="mmsg"), "chronyd": lambda lab: lab.chronyd()}
KINDS = {"plain": compare.PLAIN, "NTS": compare.NTS}
SUBJECTS = {f"{server}, {kind}": (SERVERS[server], KINDS[kind]) for server in SERVERS for kind in KINDS}
FIGURES = ("receive_error", "transmit_error", "offset_error")


def percentile(stamps, figure, share):
    # An offset is as wrong to one side as to the other: its 99th percentile is without the sign.
    return stamps[figure][f"{'size_' if figure == 'offset_error' and share == 99 else ''}p{share}_us"]


def measure(lab, start, load):
    """{(load, figure): value} of one server in one round."""
    figures, options = {}, lab.options
    with start(lab) as pid:
        words = [*load, "--clients", 200, "--server-pid", pid, "--cpus", options.load_cpu]
        if load is compare.NTS:
            words += ["--ca", lab.authority.ca]
        lab.load("ntp", *words, "--rate", "max", "--seconds", 0.5)
        peak = lab.load("ntp", *words, "--rate", "max", "--seconds", 1)["answer_rate"]
        for name, share in LOADS.items():
            rate = share if share == "max" else round(share * peak) if share else IDLE_RATE
            result = lab.load("ntp", *words, "--rate", rate, "--seconds", options.seconds, "--stamps", 50 if share else 1)
            figures[name, "cpu_us"] = result["server_us_per_answer"]
            for figure in FIGURES:
                for share_of in (50, 99):
                    figures[name, f"{figure}_p{share_of}"] = percentile(result["stamps"], figure, share_of)
        result = lab.load("ntp", *words, "--rate", IDLE_RATE, "--seconds", options.seconds, "--stamps", 1, "--interleaved")
        if result["stamps"]["interleaved"] > 0:
            for figure in FIGURES:
                for share_of in (50, 99):
                    figures["idle, interleaved", f"{figure}_p{share_of}"] = percentile(result["stamps"], figure, share_of)
        host = result["host"]
    return figures, host


def page(options, host, rounds):
    lines = [f"# Timestamps, side by side, {host['date'][:10]}", "", f"`bench/peers/stamps.py {shlex.join(sys.argv[1:])}`", ""]
    if options.note:
        lines += [options.note, ""]
    lines += [f"{host['cpu']}, {host['kernel']}; server on CPU {options.server_cpu}, load on CPU {options.load_cpu}, {options.link}; "
              f"medians of {options.rounds} rounds of {options.seconds:g} s. µs, median / 99th percentile, that of the offset without regard to its sign.", "",
              "| server | load | T2 late | T3 early | offset error | CPU an answer |", "|---|---|---:|---:|---:|---:|"]
    for name, measured in rounds.items():
        for load in [*LOADS, "idle, interleaved"]:
            def middle(figure):
                values = [one[load, figure] for one in measured if one.get((load, figure)) is not None]
                return f"{statistics.median(values):.2f}" if values else "–"

            cells = [f"{middle(f'{figure}_p50')} / {middle(f'{figure}_p99')}" for figure in FIGURES]
            lines.append(f"| {name} | {load} | " + " | ".join([*cells, middle("cpu_us")]) + " |")
    return "\n".join(lines) + "\n"


def main(words):
    options = compare.options_of(words)
    rounds, host = {}, None
    names = [name for name in SUBJECTS if not options.only or any(word in name for word in options.only)]
    with tempfile.TemporaryDirectory(prefix="stamps-", dir="/tmp") as folder:
        lab = compare.Lab(options, folder)
        for number in range(options.rounds):
            for name in names[number % len(names):] + names[:number % len(names)]:
                figures, host = measure(lab, *SUBJECTS[name])
                rounds.setdefault(name, []).append(figures)
                print(f"round {number + 1}: {name}: T3 early by {figures['50 %', 'transmit_error_p50']:.2f} µs at half load", file=sys.stderr, flush=True)
    text = page(options, host, {name: rounds[name] for name in names})
    options.out.mkdir(parents=True, exist_ok=True)
    base = options.out / f"{host['date'][:10]}-{options.name or 'stamps'}"
    base.with_suffix(".md").write_text(text)
    data = {name: [{f"{load}: {figure}": value for (load, figure), value in one.items()} for one in rounds[name]] for name in names}
    base.with_suffix(".json").write_text(json.dumps({"host": host, "rounds": data}, indent=1) + "\n")
    print(text)


if __name__ == "__main__":
    main(sys.argv[1:])
