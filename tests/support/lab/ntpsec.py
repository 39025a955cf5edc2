"""NTPsec's ntpd as a client, unpacked and never installed. It runs without CAP_SYS_TIME, so that the clock is out of its reach."""

import contextlib
import pathlib
import re
import tempfile

from lab.paths import own_release, peer_program
from lab.process import Process, run


class Ntpd:
    """ntpd with the given configuration lines, of `release` or else of this machine's own. Its port 123 is in the namespace."""

    def __init__(self, namespace, *lines, release=None):
        self.release = release
        self.namespace = namespace
        self._folder = tempfile.TemporaryDirectory(prefix="ntpd-", dir="/tmp")
        folder = pathlib.Path(self._folder.name)
        daemon, env, self._peer = peer_program("ntpsec", "usr/sbin/ntpd", release)
        config = folder / "ntp.conf"
        # Unless told otherwise, this ntpd answers no questions, not even those of ntpq on the same host.
        config.write_text("\n".join([*lines, "restrict default", "restrict 127.0.0.1"]) + "\n")
        self.process = Process(
            ["setpriv", "--bounding-set=-sys_time", "--inh-caps=-sys_time", *daemon, "-n", "-N", "-c", config,
             "-p", folder / "pid"],
            folder / "log", namespace, env,
        )

    def selected(self):
        """The address of the server that ntpd follows, or None."""
        found = re.search(r"^\*(\S+)", self._ntpq("-p", "-n"), re.MULTILINE)
        return found.group(1) if found else None

    def nts(self):
        """The counters of `ntpq -c nts`, by their labels."""
        found = re.findall(r"^(.+?):\s+(-?\d+)\s*$", self._ntpq("-c", "nts"), re.MULTILINE)
        return {label.strip(): int(value) for label, value in found}

    def _ntpq(self, *words):
        packages = self._peer / "usr/lib/python3/dist-packages"
        # ntpq looks for its C library beside its Python files before it looks into the system's folders.
        library = packages / "ntp" / "libntpc.so"
        with contextlib.suppress(FileExistsError):
            library.symlink_to(next(self._peer.glob("usr/lib/*/ntp/libntpc.so")))
        # Another release's C library wants that release's own Python.
        if self.release in (None, own_release()):
            python, env = ["/usr/bin/python3"], {}
        else:
            python, _, _ = peer_program("ntpsec", "usr/bin/python3", self.release)
            env = {"PYTHONHOME": str(self._peer / "usr")}
        argv = [*python, "-W", "ignore", self._peer / "usr/bin/ntpq", *words, "127.0.0.1"]
        return run(argv, namespace=self.namespace, env={**env, "PYTHONPATH": str(packages)}, timeout=20, check=False).stdout

    def stop(self):
        self.process.stop()
        self._folder.cleanup()
