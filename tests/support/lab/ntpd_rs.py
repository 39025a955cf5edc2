"""ntpd-rs of Debian 13 as a client, unpacked and never installed. It must believe that it steers the clock, or it does not run: the
clock is frozen for it, and it has no CAP_SYS_TIME either."""

import pathlib
import re
import tempfile

from lab.frozen_clock import freeze
from lab.paths import peer_program
from lab.process import Process, run

RELEASE = "trixie"


class NtpdRs:
    """ntp-daemon with one NTS source. Its polls are 16 s apart, which is as fast as it goes."""

    def __init__(self, namespace, address, ca):
        self.namespace = namespace
        self._folder = tempfile.TemporaryDirectory(prefix="ntpd-rs-", dir="/tmp")
        folder = pathlib.Path(self._folder.name)
        self._config = folder / "ntp.toml"
        self._config.write_text(f"""\
[observability]
log-level = "info"
observation-path = "{folder / 'observe'}"
[[source]]
mode = "nts"
address = "{address}"
certificate-authority = "{ca}"
[synchronization]
minimum-agreeing-sources = 1
[source-defaults]
poll-interval-limits = {{ min = 4, max = 4 }}
initial-poll-interval = 4
""")
        daemon, env, _ = peer_program("ntpd-rs", "usr/bin/ntp-daemon", RELEASE)
        self.process = Process(
            ["setpriv", "--bounding-set=-sys_time", "--inh-caps=-sys_time", *daemon, "-c", self._config],
            folder / "log", namespace, env, before_exec=freeze,
        )

    def status(self):
        """The figures of `ntp-ctl -f prometheus status` by name, labels left out."""
        tool, env, _ = peer_program("ntpd-rs", "usr/bin/ntp-ctl", RELEASE)
        done = run([*tool, "-c", self._config, "-f", "prometheus", "status"], namespace=self.namespace, env=env, timeout=20, check=False)
        return {name: float(value) for name, value in re.findall(r"^(\w+)(?:\{.*\})? (\S+)$", done.stdout, re.MULTILINE)}

    def stop(self):
        self.process.stop()
        self._folder.cleanup()
