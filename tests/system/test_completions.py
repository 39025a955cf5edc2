"""Shells complete what ntsctl takes: all of it, and nothing else."""

import re

import pytest

from lab.paths import ROOT, program
from lab.process import run

FOLDER = ROOT / "deploy/completions"
FILES = ["ntsctl.bash", "_ntsctl", "ntsctl.fish"]


def help_of(*words):
    return run([program("ntsctl"), *words, "--help"]).stdout


def subcommands(*words):
    """The names under "Subcommands:"."""
    section = help_of(*words).partition("Subcommands:")[2]
    return re.findall(r"^  ([a-z][a-z-]*) ", section, re.MULTILINE)


def everything():
    """Every command and long option that ntsctl takes."""
    commands = [(name,) for name in subcommands()] + [("keys", name) for name in subcommands("keys")]
    assert len(commands) > 10
    words = {command[-1] for command in commands}
    for command in [(), *commands]:
        words |= set(re.findall(r"--([a-z-]+)", help_of(*command)))
    return words


@pytest.mark.parametrize("name", FILES)
def test_every_command_and_option_is_known(name):
    text = (FOLDER / name).read_text()
    assert sorted(word for word in everything() if not re.search(rf"(?<![\w]){re.escape(word)}(?![\w-])", text)) == []


def complete(*words):
    """What bash offers for the last word."""
    script = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ntsctl; printf "%s\\n" "${COMPREPLY[@]}"'
    return run(["bash", "-c", script, "bash", FOLDER / "ntsctl.bash", *words]).stdout.split()


@pytest.mark.parametrize(("words", "expected"), [
    (("ntsctl", "sta"), ["status", "stats"]),
    (("ntsctl", "--socket", "/x", "keys", "r"), ["rotate", "revoke"]),
    (("ntsctl", "log-level", "w"), ["warning"]),
    (("ntsctl", "clients", "--sort", ""), ["rate", "drops"]),
    (("ntsctl", "query", "--aead", "1"), ["15", "17"]),
    (("ntsctl", "top", "--i"), ["--interval"]),
], ids=lambda value: " ".join(value))
def test_bash_offers_what_fits(words, expected):
    assert complete(*words) == expected


def test_the_other_shells_can_read_their_files():
    for shell, arguments in (("zsh", ["-n", FOLDER / "_ntsctl"]), ("fish", ["--no-execute", FOLDER / "ntsctl.fish"])):
        if run(["which", shell], check=False).returncode == 0:
            run([shell, *arguments])
