"""A local ACME server (pebble) and certbot as its client, both unpacked and never installed."""

import json
import pathlib
import shutil
import tempfile

from lab.paths import ROOT, peer
from lab.process import Process, run, wait_until

HOST = "127.0.0.1"
DIRECTORY_PORT, VALIDATION_PORT = 14000, 5002
HOOK = ROOT / "deploy/certbot/ntsd-deploy-hook"


class Acme:
    """pebble in a namespace, and a certbot that has an account there; `certificates` is where the deploy hook copies to."""

    def __init__(self, namespace, authority):
        self.namespace = namespace
        self._folder = tempfile.TemporaryDirectory(prefix="acme-", dir="/tmp")
        self.folder = pathlib.Path(self._folder.name)
        self.certificates = self.folder / "certificates"
        self.certificates.mkdir()
        self._ca = authority.ca
        chain, key = authority.issue("acme.test", dns=["localhost"], ip=[HOST])
        (self.folder / "pebble.json").write_text(json.dumps({"pebble": {
            "listenAddress": f"{HOST}:{DIRECTORY_PORT}", "managementListenAddress": f"{HOST}:{DIRECTORY_PORT + 1000}",
            "certificate": str(chain), "privateKey": str(key), "httpPort": VALIDATION_PORT, "tlsPort": VALIDATION_PORT + 1,
            "ocspResponderURL": "", "externalAccountBindingRequired": False,
        }}))
        program, libraries = peer("pebble")
        self.process = Process(
            [program / "usr/bin/pebble", "-config", self.folder / "pebble.json"], self.folder / "log", namespace,
            # It asks nobody whether a name is ours: there is no DNS here.
            {"LD_LIBRARY_PATH": libraries, "PEBBLE_VA_ALWAYS_VALID": "1", "PEBBLE_VA_NOSLEEP": "1"},
        )
        wait_until(lambda: "Listening on" in self.process.output() or not self.process.running(), 15, "pebble listens")
        assert self.process.running(), self.process.output()

    def certbot(self, *words):
        program, _ = peer("certbot")
        # As certbot's package sets it, but all of it in our folder.
        argv = ["/usr/bin/python3", "-W", "ignore", program / "usr/bin/certbot", *words, "--non-interactive",
                "--server", f"https://{HOST}:{DIRECTORY_PORT}/dir", "--config-dir", self.folder / "etc",
                "--work-dir", self.folder / "work", "--logs-dir", self.folder / "logs"]
        return run(argv, namespace=self.namespace, timeout=60, env={
            "PYTHONPATH": str(program / "usr/lib/python3/dist-packages"), "REQUESTS_CA_BUNDLE": str(self._ca),
            "NTSD_CERTIFICATES": str(self.certificates), "NTSD_GROUP": "root",
        })

    def issue(self, name):
        """The first certificate; returns (chain, key) as the hook left them."""
        self.certbot("certonly", "--standalone", "--http-01-port", VALIDATION_PORT, "--agree-tos",
                     "--register-unsafely-without-email", "-d", name, "--deploy-hook", HOOK)
        return self.certificates / "fullchain.pem", self.certificates / "privkey.pem"

    def renew(self):
        # Without a terminal certbot waits up to eight minutes, so that not all the world renews at once.
        self.certbot("renew", "--force-renewal", "--no-random-sleep-on-renew")

    def stop(self):
        self.process.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        self._folder.cleanup()
