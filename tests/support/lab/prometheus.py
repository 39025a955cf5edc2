"""A real Prometheus, unpacked and never installed, that scrapes as deploy/prometheus says, only more often."""

import http.client
import json
import os
import pathlib
import re
import subprocess
import tempfile
import urllib.parse

from lab.paths import ROOT, peer
from lab.process import Process, wait_until

FOLDER = ROOT / "deploy" / "prometheus"
ADDRESS = ("127.0.0.1", 9090)
START_SECONDS = 30


def promtool(*words, stdin=None):
    """Runs promtool in deploy/prometheus; a CompletedProcess."""
    program, libraries = peer("prometheus")
    return subprocess.run(
        [program / "usr/bin/promtool", *words], env={**os.environ, "LD_LIBRARY_PATH": libraries}, cwd=FOLDER, input=stdin,
        capture_output=True, text=True, timeout=60, check=False,
    )


class Prometheus:
    def __init__(self, namespace):
        self.namespace = namespace
        self._folder = tempfile.TemporaryDirectory(prefix="prometheus-", dir="/tmp")
        folder = pathlib.Path(self._folder.name)
        config = (FOLDER / "ntsd-scrape.yml").read_text()
        config = re.sub(r"_interval: \d+s", "_interval: 1s", config).replace("- ntsd-rules.yml", f"- {FOLDER}/ntsd-rules.yml")
        (folder / "prometheus.yml").write_text(config)
        program, libraries = peer("prometheus")
        self.process = Process(
            [program / "usr/bin/prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address={ADDRESS[0]}:{ADDRESS[1]}"],
            folder / "log", namespace, {"LD_LIBRARY_PATH": libraries},
        )
        wait_until(self._is_ready, START_SECONDS, "Prometheus answers")

    def _get(self, path):
        with self.namespace:
            connection = http.client.HTTPConnection(*ADDRESS, timeout=10)
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                return answer.status, answer.read()
            finally:
                connection.close()

    def _is_ready(self):
        assert self.process.running(), self.process.output()
        try:
            return self._get("/-/ready")[0] == 200
        except OSError:
            return False

    def query(self, expression):
        """The samples of an instant query, as [({label: value}, number)]."""
        status, body = self._get("/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
        assert status == 200, f"{expression}: {body.decode()}"
        return [(one["metric"], float(one["value"][1])) for one in json.loads(body)["data"]["result"]]

    def stop(self):
        self.process.stop()
        self._folder.cleanup()
