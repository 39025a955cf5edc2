#!/usr/bin/env python3
"""Says which line breaks the house rules that a compiler does not check. Exit status 0 when none does, else 1.

    tests/include_rule.py [ROOT]

1. The arrows: core/base <- core/{crypto,ntp,keys,guard} <- core/nts <- {server, ke, bench} <- tests, where core/keys also
   knows core/crypto. server and ke meet only in server/main; tools reach the other side of NTS-KE by ke/client.h.
2. Own headers are included by their path from the root, in quotes; all others in angle brackets.
3. A header of another project is met by few .cc files (two, if not said otherwise below) outside bench and tests, and by no
   header of ours: those files give the rest of the tree our own words for it.
4. No file is longer than 450 lines, and none carries a word that promises work for later or a path of somebody's machine.
5. Every folder says in a README.md what it is for.
"""

import collections
import pathlib
import re
import sys

# Who is named here may include the folders after it, itself and core/limits.h. The longest matching name counts.
ARROWS = {
    "core": [],
    "core/base": [],
    "core/crypto": ["core/base"],
    "core/ntp": ["core/base"],
    "core/keys": ["core/base", "core/crypto"],
    "core/guard": ["core/base"],
    "core/nts": ["core/base", "core/crypto", "core/ntp", "core/keys", "core/guard"],
    "ke": ["core"],
    "server": ["core"],
    "server/main": ["core", "server", "ke"],
    "server/ntsctl": ["core", "server", "ke/client.h"],
    "bench": ["core", "ke/client.h"],
    "bench/micro": ["core", "ke", "tests/support"],  # it stands beside the tests and is built with them
    "tests": ["core", "ke", "server", "bench"],
    # ntsconform judges any server, so it knows nothing of ours.
    "tests/conformance": ["core", "ke", "tests/support/packet_builder.h"],
}

# Headers of other projects, by the beginning of their name.
FOREIGN = (
    "CLI/", "benchmark/", "fmt/", "gmock/", "gtest/", "httplib.h", "jemalloc/", "liburing", "nettle/", "nlohmann/",
    "openssl/", "prometheus/", "seccomp.h", "sodium", "spdlog/", "systemd/", "tl/", "toml++/", "valgrind/", "zlib.h",
)
# These are part of the language that we write in, or of the tests' own: they may be met anywhere.
VOCABULARY = ("fmt/", "gmock/", "gtest/", "benchmark/", "valgrind/")
# Our own word for something foreign, in a header because it is a type; and who wrote the wrapper once.
WRAPPERS = {"core/base/expected.h": "tl/", "ke/openssl.h": "openssl/"}
FOREIGN_USERS_MAX = 2
# libsodium gives core three things that it may not do by itself: wiping, a seed, and locked memory. One file each.
MORE_FOREIGN_USERS = {"sodium.h": 3}

# Put together from halves, so that this file does not break its own rule.
LATER = re.compile(r"\b(" + "|".join(a + b for a, b in (("TO", "DO"), ("FIX", "ME"), ("XX", "X"), ("HA", "CK"))) + r")\b")
SOMEBODYS_PATH = re.compile(r"(?<![\w.$}])/(?:home|work|Users)/\w+/")

LINES_MAX = 450
TREES = ("core", "ke", "server", "bench", "tests", "deploy")
CODE = {".cc", ".h"}
TEXT = CODE | {".py", ".sh", ".md", ".txt", ".cmake", ".toml", ".json"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
# Written by programs or people elsewhere: seeds of fuzzing, tables of results.
NOT_OURS = re.compile(r"(^|/)(corpus|results|vectors|__pycache__)(/|$)")


def owner(path):
    """The longest name of ARROWS that path lies under."""
    names = [name for name in ARROWS if path == name or path.startswith(name + "/")]
    return max(names, key=len)


def may_include(includer, included):
    name = owner(includer)
    if name == "tests" or included == "core/limits.h":
        return included.split("/")[0] in TREES
    allowed = ARROWS[name] + [name if not name.endswith(".cc") else str(pathlib.PurePath(name).parent)]
    if name == "core":
        return False
    # What lies in a nested owner (server/ntsctl) belongs to that owner, not to the folder around it.
    if owner(included) != name and owner(included).startswith(name + "/"):
        return False
    return any(included == place or included.startswith(place + "/") for place in allowed)


class Rules:
    """Reads files one by one and gathers what they break, as lines `path:line: what is wrong`."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.breaches = []
        self.foreign_users = collections.defaultdict(list)

    def report(self, path, line, message):
        self.breaches.append(f"{path}:{line}: {message}")

    def check(self):
        folders = set()
        for path in sorted(self.files()):
            folders.add(str(pathlib.PurePath(path).parent))
            self.check_text(path)
        self.check_foreign_users()
        for folder in sorted(folders):
            if not (self.root / folder / "README.md").is_file() and self.needs_readme(folder):
                self.report(folder, 1, "this folder has no README.md that says what it is for")
        return self.breaches

    def files(self):
        for tree in TREES:
            for found in (self.root / tree).rglob("*"):
                path = found.relative_to(self.root).as_posix()
                if found.is_file() and found.suffix in TEXT and not NOT_OURS.search(path):
                    yield path

    @staticmethod
    def needs_readme(folder):
        # The unit tests mirror the source path, whose own pages say what is tested.
        return not folder.startswith("tests/unit/") and folder.count("/") <= 1

    def check_text(self, path):
        lines = (self.root / path).read_text(encoding="utf-8").splitlines()
        is_code = pathlib.PurePath(path).suffix in CODE
        for number, line in enumerate(lines, start=1):
            if later := LATER.search(line):
                self.report(path, number, f"'{later.group(1)}' promises work for later: do it, or open an issue")
            if SOMEBODYS_PATH.search(line):
                self.report(path, number, "a path of somebody's machine")
            if is_code and (include := INCLUDE.match(line)):
                self.check_include(path, number, *include.groups())
        if len(lines) > LINES_MAX and not path.endswith((".md", ".json")):
            self.report(path, len(lines), f"longer than {LINES_MAX} lines: look for the part that wants its own file")

    def check_include(self, path, number, bracket, name):
        if bracket == '"':
            if not (self.root / name).is_file():
                self.report(path, number, f'"{name}" is not a path from the root')
            elif not may_include(path, name):
                self.report(path, number, f"{owner(path)} may not include {name}")
            return
        if (self.root / name).is_file():
            self.report(path, number, f'<{name}> is ours: write "{name}"')
        if name.startswith(FOREIGN) and not name.startswith(VOCABULARY) and path.split("/")[0] not in ("bench", "tests"):
            self.check_foreign(path, number, name)

    def check_foreign(self, path, number, name):
        if name.startswith(WRAPPERS.get(path, "\0")):
            return
        if path.endswith(".h"):
            self.report(path, number, f"<{name}> in a header: let one .cc file meet it and give us our own words")
        self.foreign_users[name].append((path, number))

    def check_foreign_users(self):
        for name, users in sorted(self.foreign_users.items()):
            most = MORE_FOREIGN_USERS.get(name, FOREIGN_USERS_MAX)
            for path, number in users[most:]:
                others = ", ".join(user for user, _ in users[:most])
                self.report(path, number, f"<{name}> is met by {others} already; {most} files are the most")


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent
    breaches = Rules(root).check()
    for breach in breaches:
        print(breach)
    if breaches:
        print(f"{len(breaches)} lines break the rules at the top of tests/include_rule.py")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
