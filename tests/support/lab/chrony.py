"""Real chronyd, unpacked and never installed. It never touches the clock: -x for the daemon, -Q for one query."""

import pathlib
import tempfile

from lab.paths import peer_program
from lab.process import Process, run, wait_until


def _program(name, release):
    argv, env, _ = peer_program("chrony", f"usr/{name}", release)
    return argv, env


def query(namespace, server, ca=None, timeout=8, release=None):
    """`chronyd -Q`: one measurement of `server` (address and options as chrony.conf has them). Status 0: it got time."""
    daemon, env = _program("sbin/chronyd", release)
    with tempfile.TemporaryDirectory(prefix="chrony-", dir="/tmp") as folder:
        lines = ["user root", f"server {server} iburst maxsamples 1", "cmdport 0", f"pidfile {folder}/pid"]
        if ca:
            lines.append(f"ntstrustedcerts {ca}")
        return run([*daemon, "-Q", "-d", "-t", timeout, *lines], namespace=namespace, env=env, timeout=timeout + 10, check=False)


class Chronyd:
    """A chronyd daemon with the given configuration lines, in the foreground and with a command socket of its own. It is the
    chronyd of `release`, "bookworm" (4.3) or "trixie" (4.6), or else of this machine's own."""

    def __init__(self, namespace, *lines, environment=None, release=None):
        self.release = release
        self.namespace = namespace
        self._folder = tempfile.TemporaryDirectory(prefix="chrony-", dir="/tmp")
        folder = pathlib.Path(self._folder.name)
        (folder / "run").mkdir(mode=0o700)
        self.socket = folder / "run" / "command"
        config = folder / "chrony.conf"
        own = ["user root", "cmdport 0", f"bindcmdaddress {self.socket}", f"pidfile {folder}/pid"]
        config.write_text("\n".join([*own, *lines]) + "\n")
        daemon, env = _program("sbin/chronyd", release)
        self.process = Process([*daemon, "-x", "-d", "-f", config], folder / "log", namespace, {**env, **(environment or {})})
        wait_until(lambda: self.socket.exists() or not self.process.running(), 10, "chronyd's command socket")
        assert self.process.running(), self.process.output()

    def command(self, *words):
        """What chronyc prints, as a list of rows of fields."""
        tool, env = _program("bin/chronyc", self.release)
        done = run([*tool, "-c", "-n", "-h", self.socket, *words], namespace=self.namespace, env=env, timeout=10, check=False)
        assert done.returncode == 0, f"chronyc {words}: {done.stdout}{done.stderr}\n{self.process.output()}"
        return [line.split(",") for line in done.stdout.splitlines()]

    def authdata(self):
        """The first source's authentication: how chrony itself sees cookies and NTS-KE."""
        name, mode, key_id, kind, length, last, attempts, nak, cookies, cookie_length = self.command("authdata")[0]
        return {
            "name": name, "mode": mode, "key_id": int(key_id), "aead": int(kind), "key_length": int(length), "last": int(last),
            "attempts": int(attempts), "nak": int(nak), "cookies": int(cookies), "cookie_length": int(cookie_length),
        }

    def ntpdata(self):
        """The first source's counters of packets and the header fields of its last reply."""
        row = self.command("ntpdata")[0]
        return {
            "address": row[0], "port": int(row[2]), "leap": row[5], "version": int(row[6]), "mode": row[7], "stratum": int(row[8]),
            "offset": float(row[18]), "authenticated": row[27] == "Yes", "sent": int(row[30]), "received": int(row[31]), "valid": int(row[32]), "good": int(row[33]),
        }

    def selected(self):
        """Whether the first source is the one that chronyd follows."""
        return self.command("sources")[0][1] == "*"

    def stop(self):
        self.process.stop()
        self._folder.cleanup()
