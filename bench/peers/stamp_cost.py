#!/usr/bin/python3
"""What timestamps cost ntsd: CPU time an answer with all of them, without asking for departures, and without any.

    bench/peers/stamp_cost.py [--rounds 60] [--seconds 0.5] [--server-cpu 0] [--load-cpu 1] [--out bench/results]

Three servers run at the same time on one CPU, each in a namespace of its own, and two echoes beside them; only one of them is
loaded at a time, in short turns whose order changes with every round. What the machine does meanwhile so hits all of them
alike, and differences of a percent show. Every figure is a median of the rounds' ratios, with the standard error of a median.

It needs what compare.py needs. `--rounds 3 --seconds 0.1` is a trial.
"""

import contextlib
import json
import math
import pathlib
import shlex
import statistics
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import compare  # noqa: E402

ROUNDS, SECONDS = 60, 0.5
ECHO = ("--engine", "io_uring")


def ntsd(stamps):
    return lambda lab: lab.ntsd(stamps=stamps)


# Name: how it is started, and the load for NTS and for plain requests.
ARMS = {
    "ntsd, all stamps": (ntsd("all"), compare.NTS, compare.PLAIN),
    "ntsd, no departures asked for": (ntsd("unsampled"), compare.NTS, compare.PLAIN),
    "ntsd, no stamps": (ntsd("none"), compare.NTS, compare.PLAIN),
    "echo, receive stamps": (lambda lab: lab.echo(*ECHO, "--receive-stamps"), compare.ECHO_OF_NTS, compare.ECHO_OF_PLAIN),
    "echo, no stamps": (lambda lab: lab.echo(*ECHO), compare.ECHO_OF_NTS, compare.ECHO_OF_PLAIN),
}
KINDS = {"NTS": 0, "plain": 1}
# What is asked: the cost of what the first has and the second has not.
COSTS = {
    "asking for departures": ("ntsd, all stamps", "ntsd, no departures asked for"),
    "all stamps": ("ntsd, all stamps", "ntsd, no stamps"),
    "receive stamps, in an echo": ("echo, receive stamps", "echo, no stamps"),
}


def turn(lab, pid, load, seconds):
    """(CPU µs an answer, the machine's facts) of one short turn."""
    words = [*load, "--clients", 50, "--server-pid", pid, "--cpus", lab.options.load_cpu]
    if load is compare.NTS:
        words += ["--ca", lab.authority.ca]
    result = lab.load("ntp", *words, "--rate", "max", "--seconds", seconds)
    return result["server_us_per_answer"], result["host"]


def median_and_error(values):
    """A median, and how far another run's would be from it (1.25 standard errors of the mean, robustly)."""
    middle = statistics.median(values)
    spread = 1.4826 * statistics.median(abs(value - middle) for value in values)
    return middle, 1.2533 * spread / math.sqrt(len(values))


def page(options, host, rounds):
    lines = [f"# What timestamps cost, {host['date'][:10]}", "", f"`bench/peers/stamp_cost.py {shlex.join(sys.argv[1:])}`".replace(" `", "`"), ""]
    if options.note:
        lines += [options.note, ""]
    lines += [f"{host['cpu']}, {host['kernel']}; servers on CPU {options.server_cpu}, load on CPU {options.load_cpu}, loopback; "
              f"{options.rounds} rounds of turns of {options.seconds:g} s, saturated. Medians.", "",
              "| | " + " | ".join(f"{kind}: CPU µs an answer" for kind in KINDS) + " |", "|---|" + "---:|" * len(KINDS)]
    for arm in ARMS:
        lines.append(f"| {arm} | " + " | ".join(f"{statistics.median(rounds[arm, kind]):.3f}" for kind in KINDS) + " |")
    lines += ["", "| share of the CPU time an answer that goes to | " + " | ".join(KINDS) + " |", "|---|" + "---:|" * len(KINDS)]
    for what, (with_it, without) in COSTS.items():
        cells = []
        for kind in KINDS:
            middle, error = median_and_error([1 - b / a for a, b in zip(rounds[with_it, kind], rounds[without, kind])])
            cells.append(f"{100 * middle:.2f} % ± {100 * error:.2f}")
        lines.append(f"| {what} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def measure(options, folder):
    rounds, host = {(arm, kind): [] for arm in ARMS for kind in KINDS}, None
    with contextlib.ExitStack() as stack:
        running = {}
        for number, (arm, (start, *loads)) in enumerate(ARMS.items()):
            place = pathlib.Path(folder) / str(number)
            place.mkdir()
            lab = compare.Lab(options, place)
            running[arm] = lab, stack.enter_context(start(lab)), loads
            for load in loads:
                turn(lab, running[arm][1], load, options.seconds)  # caches, branch predictors, frequency
        names = list(ARMS)
        for number in range(options.rounds):
            for kind, column in KINDS.items():
                order = names[number % len(names):] + names[:number % len(names)]
                for arm in order if number % 2 else reversed(order):
                    lab, pid, loads = running[arm]
                    figure, host = turn(lab, pid, loads[column], options.seconds)
                    rounds[arm, kind].append(figure)
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
    return rounds, host


def main(words):
    options = compare.options_of(["--rounds", str(ROUNDS), "--seconds", str(SECONDS), *words])
    with tempfile.TemporaryDirectory(prefix="stamp-cost-", dir="/tmp") as folder:
        rounds, host = measure(options, folder)
    text = page(options, host, rounds)
    options.out.mkdir(parents=True, exist_ok=True)
    base = options.out / f"{host['date'][:10]}-{options.name or 'stamp-cost'}"
    base.with_suffix(".md").write_text(text)
    data = {f"{arm}, {kind}": values for (arm, kind), values in rounds.items()}
    base.with_suffix(".json").write_text(json.dumps({"host": host, "rounds": data}, indent=1) + "\n")
    print(text)


if __name__ == "__main__":
    main(sys.argv[1:])
