"""ntsd in its sandbox, as an ordinary user: every thread is shut in, and all that an operator does goes on working.

What the sandbox forbids is tried from inside by tests/unit/server/sandbox. A build with a sanitizer has no call filter: there
these tests run with `auto` and look at the rest.
"""

import hashlib
import os
import pathlib
import shutil
import signal
import stat
import subprocess

import pytest

from lab.namespaces import Net
from lab.ntsd import KE_PORT
from lab.paths import BUILD, program
from lab.process import run, wait_until
from lab.users import other_users_exist

SERVER = Net.SERVER_V4[0]
HAS_FILTER = "san" not in BUILD.name
NOBODY = 65534


def has_landlock():
    return subprocess.run(
        ["/usr/bin/python3", "-c", "import ctypes,sys; sys.exit(ctypes.CDLL(None).syscall(444, None, 0, 1) < 1)"], check=False
    ).returncode == 0


pytestmark = [
    pytest.mark.skipif(not other_users_exist(), reason="only root can become another user, and here is no other"),
    pytest.mark.skipif(not has_landlock(), reason="this kernel has no Landlock"),
]


@pytest.fixture
def shut_in(ntsd, certificate):
    """shut_in(*overrides, more=…) makes a server that becomes nobody, its certificate in <folder>/tls, its keys in <folder>/state."""

    def make(*overrides, more=""):
        sandbox = "strict" if HAS_FILTER else "auto"
        server = ntsd(user="nobody", set_values=["control.group=nogroup", f"process.sandbox={sandbox}", *overrides], more=more)
        text = server.config.read_text()
        (server.folder / "tls").mkdir()
        for path in certificate:
            text = text.replace(str(path), shutil.copy(path, server.folder / "tls"))
        (server.folder / "state").mkdir()
        text = text.replace(str(server.keys), str(server.folder / "state" / "keys"))
        server.config.write_text(text)
        run(["chown", "-R", "nobody:nogroup", server.folder])
        run(["chmod", "755", server.folder])
        return server

    return make


def threads_of(pid):
    """What the kernel says of each thread: a dictionary by the names of /proc/…/status."""
    for path in pathlib.Path(f"/proc/{pid}/task").iterdir():
        lines = (path / "status").read_text().splitlines()
        yield {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def served_certificate(net):
    done = run(["openssl", "s_client", "-connect", f"{SERVER}:{KE_PORT}", "-alpn", "ntske/1", "-tls1_3"], namespace=net.client, check=False)
    done = subprocess.run(["openssl", "x509", "-noout", "-serial"], input=done.stdout, capture_output=True, text=True, check=True)
    return done.stdout


def assert_serves(net):
    run([program("ntsctl"), "query", SERVER, "--ke-port", KE_PORT, "--insecure", "--count", 2], namespace=net.client)


def reload(server):
    server.ctl("reload")
    return server.report("status")["last_reload"]


@pytest.mark.parametrize("engine", ["io_uring", "mmsg"])
def test_every_thread_is_shut_in_and_the_service_works(net, shut_in, authority, engine):
    server = shut_in(f"workers.engine={engine}").start()
    threads = list(threads_of(server.process.pid))
    assert len(threads) >= 6
    for thread in threads:
        assert thread["NoNewPrivs"] == "1" and thread["Uid"].split() == [str(NOBODY)] * 4, thread
        assert thread["Seccomp"] == ("2" if HAS_FILTER else "0"), thread
        for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(thread[kind], 16) == 0, (kind, thread)
    # Not dumpable: what tells about the process belongs to root, and no debugger of the same user gets in.
    assert os.stat(f"/proc/{server.process.pid}/environ").st_uid == 0
    status = server.report("status")
    assert status["engine"] == engine
    for words in ("no capabilities", "Landlock", "seccomp", "locked keys"):
        assert words in status["sandbox"], status["sandbox"]
    assert ("missing: seccomp" in status["sandbox"]) == (not HAS_FILTER)
    assert status["sandbox"] in server.output().replace('\\"', '"')

    assert_serves(net)
    assert server.metric("ntp_responses_total", kind="nts") == 2 and server.get("/healthz")[0] == 200
    before = server.fingerprint()
    server.ctl("keys", "rotate")
    assert server.fingerprint() != before
    first = served_certificate(net)
    chain, key = authority.issue(f"renewed-{engine}.test", dns=["ntsd.test"], ip=[SERVER])
    for source, target in ((chain, "ntsd.test.pem"), (key, "ntsd.test.key")):
        beside = server.folder / "tls" / "new"
        shutil.copy(source, beside)
        shutil.chown(beside, "nobody", "nogroup")
        beside.rename(server.folder / "tls" / target)
    assert reload(server)["is_good"]
    assert served_certificate(net) != first
    server.process.popen.send_signal(signal.SIGHUP)
    for _ in range(3):
        assert_serves(net)
    ring = server.fingerprint()
    server.restart()
    assert server.fingerprint() == ring
    assert server.stop() == 0
    assert not server.socket.exists(), "the control socket is removed from inside"


def test_a_file_outside_after_a_reload_needs_a_restart(net, shut_in, authority):
    server = shut_in().start()
    first = served_certificate(net)
    chain, key = authority.issue("elsewhere.test", dns=["ntsd.test"], ip=[SERVER])
    outside = server.folder / "elsewhere"
    outside.mkdir()
    for path in (chain, key):
        shutil.chown(shutil.copy(path, outside), "nobody", "nogroup")
    # The configuration's own directory is granted, and all below it: a place that was not is needed.
    place = pathlib.Path(f"{server.folder}-outside")
    outside.rename(place)
    try:
        text = server.config.read_text()
        moved = text.replace(f"{server.folder}/tls/ntsd.test.pem", str(place / chain.name))
        moved = moved.replace(f"{server.folder}/tls/ntsd.test.key", str(place / key.name)) + "[log]\nlevel = \"debug\"\n"
        server.config.write_text(moved)
        report = reload(server)
        assert report["is_good"] and report["applied"] == ["log.level"], report
        assert report["needs_restart"] == ["ke[0].certificates (a file outside the directories of the sandbox)"], report
        assert served_certificate(net) == first
        # A file that is not there at all is another matter.
        server.config.write_text(text.replace("ntsd.test.pem", "absent.pem"))
        assert "absent.pem" in server.ctl("reload", check=False).stdout + server.output()
        server.config.write_text(moved)
        server.restart()
        assert served_certificate(net) != first
    finally:
        shutil.rmtree(place)


def test_a_certificate_link_that_is_swapped_is_followed(net, shut_in, authority):
    """As Kubernetes does it: files are links through a link to a directory, and that link is replaced."""
    server = shut_in()
    folder = server.folder / "tls"

    def publish(version, chain, key):
        (folder / version).mkdir()
        shutil.copy(chain, folder / version / "ntsd.test.pem")
        shutil.copy(key, folder / version / "ntsd.test.key")
        run(["chown", "-R", "nobody:nogroup", folder / version])
        (folder / "new").symlink_to(version)
        (folder / "new").rename(folder / "..data")

    publish("..1", folder / "ntsd.test.pem", folder / "ntsd.test.key")
    for name in ("ntsd.test.pem", "ntsd.test.key"):
        (folder / name).unlink()
        (folder / name).symlink_to(f"..data/{name}")
    server.start()
    first = served_certificate(net)
    publish("..2", *authority.issue("swapped.test", dns=["ntsd.test"], ip=[SERVER]))
    wait_until(lambda: served_certificate(net) != first, 15, "the new certificate is found without being asked for")


def test_followed_keys_are_read_again(net, shut_in):
    leader = shut_in("metrics.listen=").start()
    ring = (leader.folder / "state" / "keys").read_bytes()
    leader.ctl("keys", "rotate")
    rotated = (leader.folder / "state" / "keys").read_bytes()
    assert leader.stop() == 0

    follower = shut_in("keys.source=follow")
    path = follower.folder / "state" / "keys"

    def write(octets):
        beside = path.with_name("new")
        beside.write_bytes(octets)
        beside.chmod(0o600)
        shutil.chown(beside, "nobody", "nogroup")
        beside.rename(path)

    write(ring)
    follower.start()
    before = follower.fingerprint()
    write(rotated)
    wait_until(lambda: follower.fingerprint() != before, 10, "the rotated file is followed")
    assert_serves(net)


@pytest.mark.parametrize("engine", ["io_uring", "mmsg"])
def test_a_list_of_leap_seconds_is_read_again(net, shut_in, engine):
    server = shut_in(f"workers.engine={engine}")
    path = server.folder / "leap" / "list"
    path.parent.mkdir(mode=0o755)
    path.write_text("#$ 3676924800\n#@ 4200000000\n2272060800 10\n")
    server.set_values.append(f"reference.leap-seconds={path}")
    server.start()
    assert "there is no line with the hash" in server.output() and "cannot be read" not in server.output()
    # As a package or a timer does: another file in its place.
    digest = hashlib.sha1(b"3676924800" b"4200000000" b"227206080010").hexdigest()
    beside = path.with_name("new")
    beside.write_text(path.read_text() + "#h " + " ".join(digest[i:i + 8] for i in range(0, 40, 8)) + "\n")
    beside.rename(path)
    server.ctl("reload")
    wait_until(lambda: "the list of leap seconds can be used again" in server.output(), 5, "the new list is in use")


def test_chronyd_may_come_late_and_come_back(net, shut_in, chronyd):
    port = 11323
    server = shut_in("reference.source=chrony", f"reference.address=127.0.0.1:{port}").start()
    assert server.metric("reference_synchronized") == 0
    lines = ("local stratum 3", "port 0", f"cmdport {port}")
    for _ in range(2):
        daemon = chronyd(net.server, *lines)
        wait_until(lambda: server.metric("reference_synchronized") == 1, 15, "chronyd is heard")
        daemon.process.stop()


def test_strict_says_what_is_missing(ntsd):
    server = ntsd(set_values=["process.sandbox=strict"])
    status, lines = server.fail_to_start()
    assert status == 1 and "process.user" in lines[-1] and "strict" in lines[-1], lines
    assert ("seccomp" in lines[-1]) == (not HAS_FILTER), lines


def test_off_leaves_what_costs_nothing(net, shut_in):
    server = shut_in("process.sandbox=off").start()
    for thread in threads_of(server.process.pid):
        assert thread["Seccomp"] == "0" and thread["NoNewPrivs"] == "1" and int(thread["CapEff"], 16) == 0
    status = server.report("status")
    assert "otherwise off" in status["sandbox"] and "Landlock" not in status["sandbox"]
    assert_serves(net)


@pytest.mark.parametrize("who, may_read, may_change", [("root", True, True), ("nobody", True, True), ("daemon", False, False)])
def test_the_control_socket_knows_its_peer(shut_in, who, may_read, may_change):
    """By the credentials that the kernel vouches for: the socket's mode is opened wide, and changes nothing."""
    server = shut_in().start()
    assert stat.S_IMODE(server.socket.stat().st_mode) == 0o660
    server.socket.chmod(0o666)
    as_who = ["setpriv", "--reuid", who, "--regid", who if who == "daemon" else "0", "--clear-groups"] if who != "root" else []

    def ctl(*words):
        return run([*as_who, program("ntsctl"), "--socket", server.socket, *words], namespace=server.namespace, check=False).returncode == 0

    assert ctl("status") == may_read
    before = server.fingerprint()
    assert ctl("keys", "rotate") == may_change
    assert (server.fingerprint() != before) == may_change
    members = ["setpriv", "--reuid", "daemon", "--regid", "nogroup", "--clear-groups"]
    as_who = members
    assert ctl("status") and not ctl("keys", "rotate") and not ctl("keys", "export", "--format", "ntsd", "/dev/null")
