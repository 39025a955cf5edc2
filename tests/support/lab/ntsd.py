"""ntsd as a process: its configuration, its start until READY, its control socket, its metrics, its end."""

import grp
import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import tempfile

from lab.paths import program
from lab.process import Process, run, wait_until

KE_PORT = 4460
NTP_PORT = 11123
METRICS = ("127.0.0.1", 9976)
START_SECONDS = 20  # with sanitizers on a busy machine; it takes a few hundredths


def quoted(values):
    return ", ".join(f'"{value}"' for value in values)


class Ntsd:
    """Not started on construction. `folder` holds its configuration, keys, socket and log, and is gone after `close`.
    `ntp` and `ke` are the addresses to listen on; an empty list leaves that half of the service out."""

    def __init__(self, namespace, certificate, ntp=None, ke=None, user="", more="", set_values=(), metrics=METRICS,
                 prefix=(), executable=None):
        self.namespace = namespace
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ntsd-", dir="/tmp"))
        self.config = self.folder / "ntsd.toml"
        self.keys = self.folder / "keys"
        self.socket = self.folder / "control.sock"
        self.log = self.folder / "log"
        self.set_values = list(set_values)
        self.prefix = list(prefix)  # of its command line, such as prlimit with its arguments
        self.executable = executable  # of another build than the tested one
        self.process = None
        chain, key = certificate
        ntp = [f"0.0.0.0:{NTP_PORT}", f"[::]:{NTP_PORT}"] if ntp is None else ntp
        ke = [f"0.0.0.0:{KE_PORT}", f"[::]:{KE_PORT}"] if ke is None else ke
        ntp_table = f"[[ntp]]\nlisten = [{quoted(ntp)}]\n"
        ke_table = f'[[ke]]\nlisten = [{quoted(ke)}]\ncertificates = [{{ chain = "{chain}", key = "{key}" }}]\n'
        self.metrics_address = metrics
        self.config.write_text(f"""\
{ntp_table if ntp else ""}{ke_table if ke else ""}[keys]
file = "{self.keys}"
[reference]
source = "local"
[limits.ntp]
rate = 0
[limits.ke]
rate = 0
[metrics]
listen = "{metrics[0]}:{metrics[1]}"
[control]
socket = "{self.socket}"
group = "{grp.getgrgid(os.getegid()).gr_name}"
[process]
user = "{user}"
{more}""")

    def command(self, *words):
        overrides = [word for value in self.set_values for word in ("--set", value)]
        return [*self.prefix, self.executable or program("ntsd"), "--config", self.config, *overrides, *words]

    def start(self):
        """Starts it and returns when it has said READY; a start that fails shows what it wrote."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            address = self.folder / "notify"
            address.unlink(missing_ok=True)
            ready.bind(str(address))
            # As the service manager's own: who is told "ready" has become another user by then.
            address.chmod(0o777)
            ready.setblocking(False)
            said = []

            def is_ready():
                try:
                    said.extend(ready.recv(4096).decode().split("\n"))
                except BlockingIOError:
                    return not self.process.running()
                return "READY=1" in said

            self.process = Process(self.command(), self.log, self.namespace, {"NOTIFY_SOCKET": str(address)})
            wait_until(is_ready, START_SECONDS, f"READY=1 from ntsd, which said {said} and wrote:\n{self.output()}")
            assert self.process.running(), f"ntsd ended at once:\n{self.output()}"
        return self

    def fail_to_start(self, timeout=START_SECONDS):
        """For a start that must be refused: (exit status, lines on stderr)."""
        done = run(self.command(), namespace=self.namespace, timeout=timeout, check=False)
        return done.returncode, done.stderr.splitlines()

    def output(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def stop(self):
        """SIGTERM; returns the exit status."""
        status = self.process.stop()
        self.process = None
        return status

    def restart(self):
        assert self.stop() == 0, self.output()
        return self.start()

    def close(self):
        if self.process:
            self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ctl(self, *words, check=True):
        """Runs ntsctl against it; a CompletedProcess."""
        return run([program("ntsctl"), "--socket", self.socket, *words], namespace=self.namespace, timeout=20, check=check)

    def report(self, command):
        """What ntsctl prints for programs: the members of the answer."""
        return json.loads(self.ctl("--json", command).stdout)["result"]

    def fingerprint(self):
        """Of the ring of keys."""
        return self.report("keys")["fingerprint"]

    def get(self, path):
        """(HTTP status, text) of a page of the metrics listener."""
        with self.namespace:
            connection = http.client.HTTPConnection(*self.metrics_address, timeout=10)
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                return answer.status, answer.read().decode()
            finally:
                connection.close()

    def metrics(self):
        """The samples of /metrics: {'name{labels}': value}."""
        status, text = self.get("/metrics")
        assert status == 200, text
        return {name: float(value) for name, value in SAMPLE.findall(text)}

    def metric(self, name, **labels):
        """The sum of all samples called ntsd_<name> that carry these labels; 0 when there is none."""
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        return sum(
            value for sample, value in self.metrics().items()
            if sample.split("{")[0] == f"ntsd_{name}" and all(one in sample for one in wanted)
        )


SAMPLE = re.compile(r"^([a-zA-Z_:][^\s{]*(?:\{[^}]*\})?) (\S+)$", re.MULTILINE)
