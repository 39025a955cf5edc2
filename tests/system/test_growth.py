"""What is done again and again leaves nothing behind: reloads with a new certificate, and rotations of the keys."""

import json
import pathlib
import shutil
import socket

import pytest

from lab.paths import BUILD

pytestmark = pytest.mark.skipif("san" in BUILD.name, reason="a sanitizer keeps what is freed")

REPETITIONS, WARM_UP = 500, 150
# Of the part after the warm-up. A leak of one key ring or of one TLS context in each turn would be ten times as much.
GROWTH_MAX = 512 << 10


def ask(server, **request):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
        control.settimeout(20)
        control.connect(str(server.socket))
        control.sendall(json.dumps(request).encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            answer += control.recv(65536)
    return json.loads(answer)


def memory(server):
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) << 10


def test_reloads_and_rotations_leave_nothing_behind(ntsd, certificate, authority):
    server = ntsd()
    chain, key = (pathlib.Path(shutil.copy(path, server.folder)) for path in certificate)
    server.set_values.append(f'ke[0].certificates=[{{ chain = "{chain}", key = "{key}" }}]')
    server.start()
    pairs = [certificate, authority.issue("other.test", dns=["ntsd.test"])]
    taken = []
    for turn in range(REPETITIONS):
        for source, target in zip(pairs[turn % 2], (chain, key)):
            shutil.copy(source, target)
        for command in ("reload", "keys-rotate"):
            answer = ask(server, command=command)
            assert answer["ok"] and answer["result"].get("is_good", True), answer
        taken.append(memory(server))
    grown = taken[-1] - taken[WARM_UP]
    print(f"{taken[0] >> 10} KiB at first, {taken[WARM_UP] >> 10} after {WARM_UP}, {taken[-1] >> 10} at last")
    assert grown < GROWTH_MAX, f"{grown >> 10} KiB in {REPETITIONS - WARM_UP} turns"
    assert server.metric("reload_total", result="ok") == REPETITIONS
    assert server.stop() == 0
