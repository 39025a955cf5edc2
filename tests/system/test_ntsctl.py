"""ntsctl as scripts and people meet it: JSON of every command, words for what goes wrong, colours on terminals alone."""

import json
import os
import pty
import shutil
import subprocess

import pytest

from lab.namespaces import Net
from lab.ntsd import KE_PORT
from lab.paths import program
from lab.process import run

SERVER = Net.SERVER_V4[0]
# A command, and a name of its result by which it is known.
COMMANDS = {
    "status": "reference", "stats": "families", "clients": "is_listed", "keys": "fingerprint", "keys rotate": "fingerprint",
    "reload": "certificates", "log-level debug": "note", "check": "items", "drain": "note",
}


def test_every_command_answers_in_json(net, ntsd, authority):
    server = ntsd().start()
    for command, name in COMMANDS.items():
        answer = json.loads(server.ctl("--json", *command.split()).stdout)
        assert answer["ok"] and name in answer["result"], command
    assert server.process.wait() == 0, "drain was the last"
    server.start()
    exported = server.folder / "exported"
    assert json.loads(server.ctl("--json", "keys", "export", exported).stdout) == {"ok": True, "result": {"note": ""}}
    key = json.loads(server.ctl("--json", "keys").stdout)["result"]["keys"][-1]["id"]
    assert len(key) == 8
    for words in (["import", exported], ["revoke", key]):
        assert "fingerprint" in json.loads(server.ctl("--json", "keys", *words).stdout)["result"]
    looks = server.ctl("--json", "top", "--interval", 0.1, "-n", 2).stdout.splitlines()
    assert len(looks) == 2 and all("families" in json.loads(line)["result"] for line in looks)
    done = run([program("ntsctl"), "--json", "query", SERVER, "--ke-port", KE_PORT, "--ca", authority.ca, "--count", 1],
               namespace=net.client)
    assert json.loads(done.stdout)["good"] is True


def test_errors_are_json_too_and_words_on_standard_error(ntsd):
    server = ntsd()
    for words in (["status"], ["top"], ["keys", "rotate"]):
        done = server.ctl("--json", *words, check=False)
        assert done.returncode == 1
        answer = json.loads(done.stdout)
        assert answer["ok"] is False and str(server.socket) in answer["error"] and answer["error"] in done.stderr


def test_a_file_that_is_no_socket(ntsd):
    done = run([program("ntsctl"), "--socket", ntsd().config, "status"], check=False)
    assert done.returncode == 1 and "is no socket" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="only root can ask as somebody else")
def test_strangers_are_told_whose_socket_it_is(ntsd):
    server = ntsd().start()
    if run(["setpriv", "--reuid=65534", "true"], check=False).returncode != 0:
        pytest.skip("this user namespace has no other user")
    server.folder.chmod(0o755)
    ntsctl = shutil.copy(program("ntsctl"), server.folder)
    done = run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", ntsctl, "--socket", server.socket, "status"], check=False)
    assert done.returncode == 1 and "become root or a member of its group" in done.stderr


def on_terminal(words, **environment):
    """What a program writes when its standard output is a terminal."""
    try:
        ours, its = pty.openpty()
    except OSError as error:
        pytest.skip(f"no terminals here: {error}")
    try:
        subprocess.run([str(word) for word in words], stdout=its, timeout=20, check=True, env=dict(os.environ, **environment))
        return os.read(ours, 65536).decode()
    finally:
        os.close(ours)
        os.close(its)


def test_colours_are_for_terminals_and_who_wants_them(ntsd):
    server = ntsd().start()
    words = [program("ntsctl"), "--socket", server.socket, "status"]
    assert "\x1b[" in on_terminal(words, NO_COLOR="")
    assert "\x1b[" not in on_terminal(words, NO_COLOR="1")
    assert "\x1b[" not in server.ctl("status").stdout
