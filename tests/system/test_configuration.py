"""What a wrong configuration gets: file, line, key and expectation, and exit status 2."""

import pytest

from lab.paths import ROOT
from lab.process import run

# A text of the sound configuration, what stands there instead, the key that the message must name, and words of what was expected.
MISTAKES = {
    "an unknown key": ('source = "local"', 'sauce = "local"', "reference.sauce", "unknown key"),
    "an unknown table": ("[reference]", "[refrence]", "refrence", "unknown"),
    "a word that is not one of the choices": ('source = "local"', 'source = "lokal"', "reference.source", '"local"'),
    "a text where a number belongs": ("rate = 0", 'rate = "none"', "limits.ntp.rate", "a number"),
    "an address without a port": ("0.0.0.0:11123", "0.0.0.0", "ntp[0].listen[0]", "ADDRESS:PORT"),
    "a number out of range": ("rate = 0", "rate = -1", "limits.ntp.rate", "from 0"),
    "an engine of another version": ("[reference]", '[workers]\nengine = "xdp"\n[reference]', "workers.engine", "xdp"),
    "a key source of another version": ("[keys]", '[keys]\nsource = "etcd"', "keys.source", "etcd"),
    "the same address twice": ('"[::]:11123"', '"0.0.0.0:11123"', "ntp[0].listen", "0.0.0.0:11123"),
}


def start(server, *words):
    return run(server.command(*words), namespace=server.namespace, timeout=20, check=False)


@pytest.mark.parametrize("name", MISTAKES)
@pytest.mark.parametrize("words", [[], ["--check"]], ids=["start", "check"])
def test_names_file_line_key_and_expectation(ntsd, name, words):
    server = ntsd()
    before, instead, key, expectation = MISTAKES[name]
    text = server.config.read_text().replace(before, instead, 1)
    server.config.write_text(text)
    changed = instead.splitlines()[-1] if "\n[reference]" not in instead else instead.splitlines()[1]
    line = next(number for number, one in enumerate(text.splitlines(), start=1) if changed in one)
    done = start(server, *words)
    assert done.returncode == 2, done.stderr
    (message,) = [one for one in done.stderr.splitlines() if key in one]
    assert f"{server.config}:{line}:" in message and expectation in message


def test_names_the_line_that_is_not_toml(ntsd):
    server = ntsd()
    lines = server.config.read_text().splitlines()
    lines.insert(4, "this is not = = TOML")
    server.config.write_text("\n".join(lines))
    done = start(server)
    assert done.returncode == 2 and f"{server.config}:5:" in done.stderr


def test_names_every_mistake_at_once(ntsd):
    server = ntsd()
    server.config.write_text(server.config.read_text().replace('"local"', '"lokal"').replace("rate = 0", "rate = -1", 1))
    done = start(server, "--check")
    assert done.returncode == 2
    assert "reference.source" in done.stderr and "limits.ntp.rate" in done.stderr


def test_refuses_a_configuration_without_any_listener(ntsd):
    server = ntsd()
    text = server.config.read_text()
    server.config.write_text(text[text.index("[keys]"):])
    done = start(server)
    assert done.returncode == 2 and "[[ntp]]" in done.stderr and "[[ke]]" in done.stderr


@pytest.mark.parametrize(
    "value, words",
    [("reference.source=lokal", "reference.source"), ("reference.sauce=local", "reference.sauce"), ("nonsense", "nonsense")],
)
def test_names_the_set_option_that_is_wrong(ntsd, value, words):
    done = start(ntsd(set_values=[value]))
    assert done.returncode == 2 and "--set" in done.stderr and words in done.stderr


def test_a_file_that_is_not_there_is_an_error_of_the_environment(ntsd):
    server = ntsd()
    server.config.unlink()
    done = start(server)
    assert done.returncode == 1 and str(server.config) in done.stderr and "No such file" in done.stderr


def test_check_prints_the_effective_configuration_which_is_itself_sound(ntsd):
    server = ntsd(set_values=["reference.stratum=7", 'ntp[0].listen=["127.0.0.1:11123"]'])
    done = start(server, "--check")
    assert done.returncode == 0, done.stderr
    assert "stratum = 7" in done.stdout.replace("  ", "")
    server.config.write_text(done.stdout)
    server.set_values = []
    again = start(server, "--check")
    assert again.returncode == 0, again.stderr
    assert again.stdout == done.stdout


def test_warns_of_a_worker_count_in_quotes_in_one_line(ntsd):
    server = ntsd(set_values=['workers.ntp="0"'])
    done = start(server, "--check")
    assert done.returncode == 0
    (warning,) = done.stderr.splitlines()
    assert "workers.ntp" in warning and "the list of one CPU, number 0" in warning
    server.start()
    assert server.output().count("the list of one CPU") == 1


def test_secrets_are_never_printed(ntsd):
    """--check names files with secrets; what is in them appears nowhere, not even when they are broken."""
    server = ntsd().start()
    assert server.stop() == 0
    secret = "s3cr3t-t0ken-of-a-p00l"
    tokens = server.folder / "tokens"
    tokens.write_text(secret + "\n")
    server.config.write_text(server.config.read_text().replace("[keys]", f'pool-tokens = "{tokens}"\n[keys]', 1))
    keys = [word for word in server.keys.read_text().split() if len(word) >= 32]
    assert keys
    said = [start(server, "--check")]
    server.keys.write_text(server.keys.read_text() + "broken\n")
    said.append(start(server))
    assert said[0].returncode == 0 and said[1].returncode == 1
    for done in said:
        for word in [secret, *keys, "PRIVATE KEY"]:
            assert word not in done.stdout + done.stderr


def test_unknown_options_are_named_with_what_was_meant(ntsd):
    done = start(ntsd(), "--chek")
    assert done.returncode == 2 and done.stderr == "ntsd: there is no option --chek; did you mean --check?\n"


def test_the_configuration_for_kubernetes_is_good(ntsd, certificate):
    server = ntsd()
    text = (ROOT / "deploy/kubernetes/ntsd.yaml").read_text()
    lines = text[text.index("ntsd.toml: |\n") + len("ntsd.toml: |\n"):text.index("\n---")].splitlines()
    server.config.write_text("\n".join(line.removeprefix("    ") for line in lines))
    chain, key = certificate
    server.set_values = [f'ke[0].certificates=[{{ chain = "{chain}", key = "{key}" }}]', f"keys.file={server.keys}", "process.user="]
    done = start(server, "--check")
    assert done.returncode == 0, done.stderr


def test_version_is_told_without_a_configuration(ntsd):
    done = run([*ntsd().command()[:1], "--version"], timeout=10)
    assert done.stdout.startswith("ntsd ")
