#!/usr/bin/python3
"""What a change gives: several builds of ntsd in turns on one CPU, loaded from another, and a dated table.

    bench/peers/builds.py --build NAME=PATH[,KEY=VALUE…]… [--rounds 5] [--seconds 1] [--kind NTS|plain] [--engine io_uring|mmsg] [--out bench/results]
                          [--server-cpu 0] [--load-cpu 1] [--link loopback|veth] [--name builds] [--note WORDS]

PATH is a program `ntsd`; KEY=VALUE, such as process.sandbox=off, a setting that this one has beside the common ones, so that the same
program can stand twice. Every round runs every build once, beginning with another one each time, as compare.py does, and the
echo as a worker beside them. Ratios are to the build named first, round by round.

It needs root (or `unshare -Urn`); the load comes from build/release/bin/ntsload.
"""

import argparse
import json
import pathlib
import statistics
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import compare  # noqa: E402

ECHO = "echo, as a worker"
LOADS = {"NTS": (compare.NTS, compare.ECHO_OF_NTS), "plain": (compare.PLAIN, compare.ECHO_OF_PLAIN)}
RATIOS = (("CPU", "cpu_us"), ("CPU at half load", "half_cpu_us"), ("p50 at half load", "half_p50_us"), ("p99 at half load", "half_p99_us"),
          ("T3 early p50", "t3_early_p50_us"), ("T3 early p99", "t3_early_p99_us"))


def options_of(words):
    own = argparse.ArgumentParser(add_help=False)
    own.add_argument("--build", action="append", required=True, metavar="NAME=PATH[,KEY=VALUE…]")
    own.add_argument("--kind", choices=sorted(LOADS), default="NTS")
    own.add_argument("--engine", default="auto")
    mine, rest = own.parse_known_args(words)
    options = compare.options_of(rest)
    options.kind, options.engine = mine.kind, mine.engine
    options.builds = {}
    for name, words in (build.split("=", 1) for build in mine.build):
        path, *settings = words.split(",")
        options.builds[name] = (pathlib.Path(path).resolve(), settings)
    return options


def measure(options, lab):
    load, echo_load = LOADS[options.kind]
    subjects = {ECHO: (lambda lab: lab.echo(*compare.LIKE_A_WORKER), echo_load)}
    for name, (path, settings) in options.builds.items():
        subjects[name] = (lambda lab, path=path, settings=settings: lab.ntsd(engine=options.engine, executable=path, settings=settings), load)
    results, host, names = {}, None, list(subjects)
    for number in range(options.rounds):
        for name in names[number % len(names):] + names[:number % len(names)]:
            figures, host = compare.measure_requests(lab, *subjects[name])
            results.setdefault(name, []).append(figures)
            print(f"round {number + 1}: {name}: {figures['cpu_us']:.2f} µs", file=sys.stderr, flush=True)
    return {name: results[name] for name in names}, host


def ratio_lines(options, results):
    first, *others = options.builds
    lines = ["| against " + first + " | " + " | ".join(title for title, _ in RATIOS) + " |", "|---|" + "---:|" * len(RATIOS)]
    for name in others:
        cells = []
        for _, figure in RATIOS:
            pairs = list(zip(results[first], results[name]))
            cells.append(f"{statistics.median(b[figure] / a[figure] for a, b in pairs):.3f}" if all(a[figure] for a, _ in pairs) else "–")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def page(options, host, results):
    summaries = {name: compare.summarize(rounds) for name, rounds in results.items()}
    builds = " ".join(f"--build '{','.join([f'{name}=…', *settings])}'" for name, (_, settings) in options.builds.items())
    lines = [f"# Builds side by side, {host['date'][:10]}", ""]
    if options.note:
        lines += [options.note, ""]
    lines += [f"`bench/peers/builds.py {builds} --kind {options.kind} --engine {options.engine} --rounds {options.rounds} --seconds {options.seconds:g} "
              f"--link {options.link}`", "",
              f"{host['cpu']}, {host['kernel']}; server on CPU {options.server_cpu}, load on CPU {options.load_cpu}. Median over the rounds, "
              "and in brackets the least and the most.", ""]
    lines += compare.table(summaries, list(results), compare.COLUMNS)
    lines += ["", "Medians of the rounds' ratios; below 1, less than the first.", ""] + ratio_lines(options, results)
    return "\n".join(lines) + "\n"


def main(words):
    options = options_of(words)
    with tempfile.TemporaryDirectory(prefix="builds-", dir="/tmp") as folder:
        results, host = measure(options, compare.Lab(options, folder))
    options.out.mkdir(parents=True, exist_ok=True)
    base = options.out / f"{host['date'][:10]}-{options.name or 'builds'}"
    text = page(options, host, results)
    base.with_suffix(".md").write_text(text)
    base.with_suffix(".json").write_text(json.dumps({"host": host, "rounds": results}, indent=1) + "\n")
    print(text)


if __name__ == "__main__":
    main(sys.argv[1:])
