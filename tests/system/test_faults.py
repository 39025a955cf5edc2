"""What breaks around ntsd: disks, files, networks, threads. It goes on serving wherever that is possible, and says why not elsewhere."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import threading

import pytest

from lab import freezer, ntp_packet
from lab.namespaces import Net
from lab.ntsd import KE_PORT, NTP_PORT
from lab.paths import program
from lab.process import Process, run, wait_until
from lab.users import other_users_exist

SERVER = Net.SERVER_V4[0]
ENGINES = pytest.mark.parametrize("engine", ["io_uring", "mmsg"])


def answers(net, address=SERVER, wait=1.0):
    """True when one plain request is answered within so many seconds."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with net.client, socket.socket(family, socket.SOCK_DGRAM) as udp:
        udp.settimeout(wait)
        with contextlib.suppress(OSError):  # silence, or its own kernel says that there is no way
            udp.sendto(ntp_packet.request(), (address, NTP_PORT))
            return len(udp.recv(2048)) == 48
    return False


def establish(net, *more):
    """A whole NTS-KE and one sample; True when both were good."""
    return run([program("ntsctl"), "query", SERVER, "--ke-port", KE_PORT, "--insecure", "--count", 1, *more],
               namespace=net.client, check=False).returncode == 0


def descriptors(server):
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


# --- Disks ---


@pytest.fixture
def on_small_disk(ntsd):
    """An ntsd whose key directory is a file system of its own, of 64 KiB, in a mount namespace of its own."""
    server = ntsd()
    state = server.folder / "state"
    state.mkdir()
    server.keys = state / "keys"
    server.set_values.append(f"keys.file={server.keys}")
    server.prefix = ["unshare", "--mount", "sh", "-c", f'mount -t tmpfs -o size=64k,mode=700 none {state} && exec "$@"', "sh"]
    if run([*server.prefix, "true"], check=False).returncode != 0:
        pytest.skip("file systems cannot be mounted here")
    server.start()
    return server


def on_its_disk(server, command):
    """Runs a shell command where the server sees its files."""
    return run(["nsenter", f"--mount=/proc/{server.process.pid}/ns/mnt", "sh", "-c", command], check=False)


def test_a_full_disk_refuses_a_rotation_and_nothing_else(net, on_small_disk):
    server = on_small_disk
    folder = server.keys.parent
    before, stored = server.fingerprint(), on_its_disk(server, f"cat {server.keys}").stdout
    on_its_disk(server, f"head -c 1M /dev/zero > {folder}/filler")
    refused = server.ctl("keys", "rotate", check=False)
    assert refused.returncode != 0 and str(folder) in refused.stderr and "No space left" in refused.stderr, refused.stderr
    assert server.fingerprint() == before and on_its_disk(server, f"cat {server.keys}").stdout == stored
    assert establish(net)
    assert on_its_disk(server, f"rm {folder}/filler").returncode == 0
    server.ctl("keys", "rotate")
    assert server.fingerprint() != before
    assert set(on_its_disk(server, f"ls {folder}").stdout.split()) <= {"keys", "keys.lock"}, "what was half written is gone"


@pytest.mark.skipif(not other_users_exist(), reason="root writes to every directory, and here is no other user")
def test_a_read_only_key_directory_refuses_a_rotation_and_nothing_else(net, ntsd):
    server = ntsd(user="nobody", set_values=["control.group=nogroup"])
    folder = server.folder / "state"
    folder.mkdir()
    server.keys = folder / "keys"
    server.set_values.append(f"keys.file={server.keys}")
    server.folder.chmod(0o755)
    run(["chown", "nobody:nogroup", folder])
    server.start()
    before, stored = server.fingerprint(), server.keys.read_bytes()
    folder.chmod(0o555)
    refused = server.ctl("keys", "rotate", check=False)
    assert refused.returncode != 0 and str(folder) in refused.stderr and "Permission denied" in refused.stderr, refused.stderr
    assert server.fingerprint() == before and server.keys.read_bytes() == stored
    assert establish(net)
    folder.chmod(0o755)
    server.ctl("keys", "rotate")
    assert server.fingerprint() != before


# --- Networks ---


@ENGINES
def test_an_interface_goes_down_and_comes_back(net, ntsd, engine):
    server = ntsd(set_values=[f"workers.engine={engine}"]).start()
    for _ in range(2):
        assert answers(net) and answers(net, Net.SERVER_V6[0])
        net.server.ip("link", "set", "to-client", "down")
        assert not answers(net, wait=0.2)
        net.server.ip("link", "set", "to-client", "up")
        # IPv6 addresses go with the link.
        net.server.address("to-client", *(f"{address}/64" for address in Net.SERVER_V6))
        wait_until(lambda: answers(net, wait=0.2), 10, "the link carries again")
    wait_until(lambda: answers(net, Net.SERVER_V6[0], wait=0.2), 10, "IPv6, too")
    assert establish(net) and server.process.running()


@ENGINES
def test_an_address_is_removed_and_added(net, ntsd, engine):
    """A listener on one address, which need not be there: neither at the start nor later."""
    absent = "192.0.2.77"
    server = ntsd(ntp=[f"{absent}:{NTP_PORT}"], ke=[f"{absent}:{KE_PORT}"], set_values=[f"workers.engine={engine}"]).start()
    for _ in range(2):
        net.server.address("to-client", f"{absent}/24")
        wait_until(lambda: answers(net, absent, wait=0.2), 10, "the address is served")
        done = run([program("ntsctl"), "query", absent, "--ke-port", KE_PORT, "--insecure", "--count", 1], namespace=net.client, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        net.server.ip("address", "del", f"{absent}/24", "dev", "to-client")
        assert not answers(net, absent, wait=0.2)
    assert server.process.running()


# --- Files ---


def replace(path, octets):
    beside = path.with_suffix(".new")
    beside.write_bytes(octets)
    beside.chmod(0o600)
    beside.rename(path)


@pytest.fixture
def own_certificate(ntsd, certificate):
    """A server whose certificate lies in its own folder, for a test to spoil: (server, chain, key)."""
    server = ntsd()
    chain, key = (pathlib.Path(shutil.copy(path, server.folder)) for path in certificate)
    server.set_values.append(f'ke[0].certificates=[{{ chain = "{chain}", key = "{key}" }}]')
    return server.start(), chain, key


@pytest.mark.parametrize("which", ["chain", "key"])
def test_a_certificate_that_becomes_garbage_changes_nothing(net, own_certificate, which):
    server, chain, key = own_certificate
    path = {"chain": chain, "key": key}[which]
    sound = path.read_bytes()
    replace(path, b"\x00garbage" * 500)
    refused = server.ctl("reload", check=False)
    assert refused.returncode != 0 and path.name in refused.stderr + refused.stdout, refused
    assert not server.report("status")["last_reload"]["is_good"]
    assert establish(net) and server.get("/healthz")[0] == 200
    assert server.metric("reload_total", result="failed") == 1
    replace(path, sound)
    server.ctl("reload")
    assert establish(net)
    # Found by the watch, not by a reload: one line, however often it looks.
    replace(path, sound[: len(sound) // 2])
    wait_until(lambda: server.output().count(path.name) > 1, 15, "the watch has seen it")
    assert establish(net)


def test_a_key_file_that_becomes_garbage_changes_nothing(net, ntsd):
    """The keys in force stay in force, and somebody else's file is not overwritten."""
    server = ntsd().start()
    before = server.fingerprint()
    garbage = b"This file belongs to somebody else.\n" * 10
    replace(server.keys, garbage)
    assert establish(net)
    server.ctl("reload", check=False)
    rotated = server.ctl("keys", "rotate", check=False)
    assert server.keys.read_bytes() == garbage, "a foreign file was overwritten"
    assert rotated.returncode != 0 and str(server.keys) in rotated.stderr, rotated.stderr
    assert server.fingerprint() == before and establish(net)


def test_a_followed_file_that_becomes_garbage_changes_nothing(net, ntsd):
    leader = ntsd().start()
    ring = leader.keys.read_bytes()
    leader.ctl("keys", "rotate")
    rotated = leader.keys.read_bytes()
    assert leader.stop() == 0
    server = ntsd(set_values=["keys.source=follow"])
    server.keys.write_bytes(ring)
    server.keys.chmod(0o600)
    server.start()
    before = server.fingerprint()
    for garbage in (b"", b"\xff" * 4096, ring[: len(ring) // 2]):
        replace(server.keys, garbage)
        assert server.ctl("reload", check=False).returncode != 0
        assert server.fingerprint() == before and establish(net)
    server.keys.unlink()
    assert server.fingerprint() == before and establish(net)
    replace(server.keys, rotated)
    wait_until(lambda: server.fingerprint() != before, 10, "a good file is followed again")


# --- Storms ---


def test_a_storm_of_reloads_loses_nothing(net, ntsd, authority):
    server = ntsd().start()
    assert establish(net)
    before = descriptors(server)
    load = Process([program("ntsload"), "ntp", SERVER, "--ke-port", KE_PORT, "--ca", authority.ca, "--rate", 300, "--seconds", 4,
                    "--clients", 10, "--cookies", "fresh", "--quiet", "--json", server.folder / "result.json"],
                   server.folder / "load.log", net.client)
    over = threading.Event()
    handshakes = []

    def handshake():
        while not over.is_set():
            handshakes.append(establish(net))

    thread = threading.Thread(target=handshake)
    thread.start()
    reloads = 0
    while load.running():
        server.process.popen.send_signal(signal.SIGHUP)
        assert server.ctl("reload").returncode == 0
        reloads += 1
    over.set()
    thread.join()
    assert load.wait() == 0, load.output()
    result = json.loads((server.folder / "result.json").read_text())
    assert {kind: count for kind, count in result["answers"]["kinds"].items() if count} == {"ok": result["answers"]["sent"]}
    assert reloads >= 10 and server.metric("reload_total", result="ok") >= reloads
    assert handshakes and all(handshakes)
    assert descriptors(server) <= before + 2


def test_killed_under_load_and_started_again_nobody_needs_new_keys(net, ntsd, authority):
    server = ntsd().start()
    load = Process([program("ntsload"), "ntp", SERVER, "--ke-port", KE_PORT, "--ca", authority.ca, "--rate", 300, "--seconds", 6,
                    "--clients", 10, "--quiet", "--json", server.folder / "result.json"],
                   server.folder / "load.log", net.client)
    wait_until(lambda: server.metric("ntp_responses_total", kind="nts") > 100, 20, "the load runs")
    server.process.kill()
    server.start()
    assert load.wait(30) == 0, load.output()
    answers = json.loads((server.folder / "result.json").read_text())["answers"]
    found = {kind: count for kind, count in answers["kinds"].items() if count}
    assert found["ok"] > 300 and set(found) <= {"ok", "lost", "late"}, found
    # Since the second start, which counts anew:
    assert server.metric("ntp_responses_total", kind="nts") > 100
    assert server.metric("ntp_responses_total", kind="nak") == 0
    assert server.metric("ntp_cookies_opened_total", key_age="unknown") == 0
    assert server.metric("ke_connections_total") == 0


# --- Threads ---


class Manager:
    """The end of the service manager, to which ntsd says what it does."""

    def __init__(self, path):
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        path.chmod(0o777)

    def hears_the_watchdog(self, within):
        """True when WATCHDOG=1 comes within that many seconds from now."""
        self._socket.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            while self._socket.recv(4096):
                pass
        self._socket.settimeout(within)
        try:
            while b"WATCHDOG=1" not in self._socket.recv(4096):
                pass
        except TimeoutError:
            return False
        return True

    def close(self):
        self._socket.close()


def threads_called(pid, name):
    return [int(path.name) for path in pathlib.Path(f"/proc/{pid}/task").iterdir() if (path / "comm").read_text().strip() == name]


@pytest.mark.skipif(freezer.why_unavailable() is not None, reason=freezer.why_unavailable() or "")
@ENGINES
def test_the_watchdog_starves_while_a_worker_is_stuck(net, ntsd, monkeypatch, engine):
    monkeypatch.setenv("WATCHDOG_USEC", "4000000")
    server = ntsd(set_values=[f"workers.engine={engine}", "workers.ntp=2"]).start()
    manager = Manager(server.folder / "notify")
    try:
        assert manager.hears_the_watchdog(within=3)
        assert server.get("/livez")[0] == 200
        stuck = threads_called(server.process.pid, "ntp-worker")[0]
        with freezer.frozen(server.process.pid, stuck):
            wait_until(lambda: server.get("/livez")[0] == 503, 5, "/livez sees it")
            assert not manager.hears_the_watchdog(within=2.5)
            status, text = server.get("/healthz")
            assert status == 503 and "an NTP worker does not answer" in text
            # The rest goes on: other threads, and clients of the other worker.
            server.ctl("status")
            assert any(answers(net, wait=0.2) for _ in range(20))
        wait_until(lambda: server.get("/livez")[0] == 200, 5, "it answers again")
        assert manager.hears_the_watchdog(within=3)
    finally:
        manager.close()
    assert server.stop() == 0


# --- Disks that hang ---


@contextlib.contextmanager
def watched(server):
    """The service manager, in front of whom the watchdog must not starve."""
    manager = Manager(server.folder / "notify")
    try:
        yield manager
    finally:
        manager.close()


def assert_goes_on(net, server, manager):
    """Whoever asks is answered at once, and whoever watches is told."""
    assert answers(net)
    assert establish(net)
    assert server.get("/livez")[0] == 200
    server.ctl("status")
    assert manager.hears_the_watchdog(within=3)


def test_a_certificate_that_cannot_be_read_to_its_end_holds_up_nobody(net, ntsd, certificate, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "4000000")
    server = ntsd()
    chain, key = (pathlib.Path(shutil.copy(path, server.folder)) for path in certificate)
    server.set_values.append(f'ke[0].certificates=[{{ chain = "{chain}", key = "{key}" }}]')
    server.start()
    sound, stuck = chain.read_bytes(), chain.with_suffix(".stuck")
    with watched(server) as manager:
        assert_goes_on(net, server, manager)
        # Whoever opens this waits until somebody writes, as on a disk that does not answer.
        os.mkfifo(stuck, 0o600)
        chain.unlink()
        os.link(stuck, chain)
        os.kill(server.process.pid, signal.SIGHUP)
        assert_goes_on(net, server, manager)
        refused = server.ctl("reload", check=False)
        assert refused.returncode != 0 and "nothing was done" in refused.stderr + refused.stdout, refused
        wait_until(lambda: "is not read to its end" in server.output(), 15, "it says what it waits for")
        assert_goes_on(net, server, manager)
        replace(chain, sound)
        stuck.write_bytes(sound)
        wait_until(lambda: "files are read again" in server.output(), 5, "it goes on reading")
        server.ctl("reload")
        assert_goes_on(net, server, manager)
    assert server.stop() == 0


@pytest.fixture
def on_frozen_disk(ntsd, tmp_path, monkeypatch):
    """A function that freezes the file system of the key directory, or thaws it; and its ntsd."""
    monkeypatch.setenv("WATCHDOG_USEC", "4000000")
    image = tmp_path / "image"
    server = ntsd()
    state = server.folder / "state"
    state.mkdir()
    server.keys = state / "keys"
    server.set_values.append(f"keys.file={server.keys}")
    server.prefix = ["unshare", "--mount", "sh", "-c", f'mount -o loop {image} {state} && chmod 700 {state} && exec "$@"', "sh"]
    made = run(["sh", "-c", f"truncate -s 2M {image} && mkfs.ext4 -q {image}"], check=False)
    if made.returncode != 0 or run([*server.prefix, "sh", "-c", f"fsfreeze -f {state} && fsfreeze -u {state}"], check=False).returncode != 0:
        pytest.skip("no file system can be frozen here")
    server.start()
    freeze = lambda flag: on_its_disk(server, f"fsfreeze {flag} {state}").returncode == 0  # noqa: E731
    yield server, freeze
    if server.process:
        freeze("-u")


def test_a_key_directory_that_hangs_holds_up_nobody(net, on_frozen_disk):
    server, freeze = on_frozen_disk
    before = server.fingerprint()
    with watched(server) as manager:
        assert freeze("-f")
        refused = server.ctl("keys", "rotate", check=False)
        assert refused.returncode != 0 and "the keys in force stay until it does" in refused.stderr, refused
        assert_goes_on(net, server, manager)
        refused = server.ctl("keys", "revoke", "all", check=False)
        assert refused.returncode != 0 and "nothing was done" in refused.stderr, refused
        os.kill(server.process.pid, signal.SIGHUP)
        wait_until(lambda: "reloaded" in server.output(), 5, "the configuration is read again")
        assert_goes_on(net, server, manager)
        assert server.fingerprint() == before
        assert freeze("-u")
        wait_until(lambda: server.fingerprint() != before, 5, "the rotation is stored and in force")
        assert_goes_on(net, server, manager)
    assert server.stop() == 0
