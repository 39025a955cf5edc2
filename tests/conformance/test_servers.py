"""ntsconform against three servers at once: ntsd has to pass, and what is known of the others has to be found, which shows that
the checks can fail."""

import contextlib
import json
import secrets
import xml.etree.ElementTree

import pytest

from lab import namespaces
from lab.chrony import Chronyd
from lab.namespaces import Net
from lab.ntpsec import Ntpd
from lab.ntsd import NTP_PORT, Ntsd
from lab.paths import program
from lab.process import Process, run, wait_until

SERVER = Net.SERVER_V4[0]
KE_TIMEOUT = "ke[0].timeout='2s'"

# What chronyd 4.3 to 4.6 does otherwise than the texts say, by the ids of the requirements.
CHRONYD_DEVIATES = {
    "R-TLS-05": "no alert for a foreign ALPN: the handshake is done, and then the connection closed",
    "R-TLS-10": "no alert for a ClientHello without required extensions",
    "R-KE-14": "no Error for an incomplete request",
    "R-KE-15": "no Error for a request that does not come",
    "R-KE-36": "critical Server and Port records are unknown to it",
    "R-NTP-16": "mode 1 is answered with mode 2",
    "R-EF-10": "a request with a unique identifier alone is dropped",
    "R-EF-18": "a field behind the authenticator has the request dropped",
    "R-NTS-15": "a NAK instead of silence where there is no room for the nonce",
}
# What NTPsec's ntpd 1.2.2 and 1.2.3 does otherwise.
NTPSEC_DEVIATES = {
    "R-TLS-05": "a foreign ALPN is served all the same",
    "R-KE-05": "no Error for an unknown critical record",
    "R-EF-03": "an unknown field has the request dropped",
    "R-EF-10": "a request with a unique identifier alone is dropped",
    "R-EF-17": "encrypted placeholders do not count",
    "R-EF-18": "a field behind the authenticator has the request dropped",
    "R-EF-22": "a request without unique identifier gets time under NTS",
    "R-NTS-12": "no NAK for a bad cookie",
    "R-NTS-13": "no NAK for a bad authenticator",
    "R-NTS-16": "only nonces of 16 octets",
}
# NTPsec sleeps for a second before each NTS-KE connection, so it is not asked for all of them.
NTPSEC_SECTIONS = "R-TLS-03,R-TLS-05,R-TLS-17,R-KE-01,R-KE-05,R-KE-28,R-EX-01,R-NTP,R-EF,R-NTS,R-AEAD,R-CK-01,R-LEAP"

# What needs a host with several addresses.
BOTH_FAMILIES = ["--address", Net.SERVER_V4[0], "--address", Net.SERVER_V6[0]]
BY_NAME = "R-TLS-01,R-TLS-12,R-TLS-13,R-KE-35,R-NTP-12,R-CK-13,R-SEC-09"


class Run:
    """One ntsconform under way; `report()` waits for its end."""

    def __init__(self, net, folder, *words, host=SERVER):
        self._json, self.junit = folder / "report.json", folder / "report.xml"
        argv = [program("ntsconform"), host, "--fast", "--json", "--junit", self.junit, *words]
        self._process = Process(argv, self._json, net.client)
        self._report = None

    def report(self):
        if self._report is None:
            self.status = self._process.wait(timeout=150)
            assert self.status in (0, 1), self._process.output()
            self._report = json.loads(self._process.output())
        return self._report

    def verdicts(self):
        return {check["id"]: check["verdict"] for check in self.report()["checks"]}

    def told(self, *verdicts):
        """The checks with these verdicts in words, for a test that fails."""
        return "\n".join(
            f"{check['id']} {check['verdict']}: {check['title']}; sent {check.get('sent')}; expected {check.get('expected')}; "
            f"came {check.get('came', check.get('reason'))}"
            for check in self.report()["checks"] if check["verdict"] in verdicts
        )


@pytest.fixture(scope="module")
def runs(tmp_path_factory, authority, certificate, _namespaces):
    """All servers and all runs at once: most of the time is spent waiting for silence."""
    chain, key = certificate
    with contextlib.ExitStack() as stack:

        def network():
            net = Net()
            stack.callback(net.close)
            return net

        def start_ntsd(net, **arguments):
            server = Ntsd(net.server, certificate, **arguments)
            stack.callback(server.close)
            return server.start()

        def start(net, *words, **arguments):
            return Run(net, tmp_path_factory.mktemp("report"), "--ca", authority.ca, "--name", "ntsd.test", *words, **arguments)

        token = tmp_path_factory.mktemp("pool") / "token"
        token.write_text(secrets.token_hex(40) + "\n")
        token.chmod(0o600)
        own, limited, other, third, mute, denying = (network() for _ in range(6))
        start_ntsd(own, set_values=[KE_TIMEOUT, f"ke[0].pool-tokens='{token}'"])
        start_ntsd(limited, set_values=[KE_TIMEOUT, "limits.ntp.rate=2", "limits.ntp.burst=64"])
        start_ntsd(mute, set_values=["ntp[0].require-nts='ignore'"])
        start_ntsd(denying, set_values=["ntp[0].require-nts='deny'"])
        chronyd = Chronyd(other.server, "local stratum 10", "allow", f"port {NTP_PORT}", f"ntsservercert {chain}",
                          f"ntsserverkey {key}")
        stack.callback(chronyd.stop)
        ntpd = Ntpd(third.server, "nts enable", f"nts cert {chain}", f"nts key {key}",
                    f"nts cookie {tmp_path_factory.mktemp('ntpd') / 'cookies'}", "refclock local stratum 10",
                    "limit average 1000000 burst 1000000")
        stack.callback(ntpd.process.stop)
        listens = ["ss", "-Hltn", "sport", "=", ":4460"]
        wait_until(lambda: run(listens, namespace=third.server).stdout, 20, "NTPsec's NTS-KE")
        yield {
            "ntsd": start(own, "--pool-token", token),
            "ntsd-ipv6": start(own, "--only", "R-TLS-01,R-TLS-12,R-KE-33,R-KE-35,R-KE-38,R-NTP,R-EF-10,R-NTS", host=Net.SERVER_V6[0]),
            "ntsd-by-name": start(own, *BOTH_FAMILIES, "--only", BY_NAME, host="ntsd.test"),
            "mute": start(mute, "--only", "R-NTP,R-EF-18,R-NTS-12,R-LEAP,R-IL"),
            "denying": start(denying, "--only", "R-NTP,R-EF,R-NTS,R-LEAP,R-IL"),
            "limited": start(limited, "--only", "R-NTP-21,R-NTS-21"),
            "chronyd": start(other),
            "ntpd": start(third, "--only", NTPSEC_SECTIONS),
        }


def test_ntsd_does_all_that_a_server_must_and_should(runs):
    run_ = runs["ntsd"]
    assert not run_.told("fail", "warning")
    assert run_.report()["passed"] >= 160, "checks have gone"
    assert run_.status == 0


def test_ntsd_passes_the_pools_checks_with_a_token(runs):
    verdicts = runs["ntsd"].verdicts()
    pool = {id_: verdict for id_, verdict in verdicts.items() if id_.startswith("R-POOL") and id_ != "R-POOL-09"}
    assert set(pool.values()) == {"pass"}, runs["ntsd"].told("fail", "warning", "skipped")


def test_ntsd_over_ipv6(runs):
    assert not runs["ntsd-ipv6"].told("fail", "warning")


def test_ntsd_by_a_name_with_addresses_of_both_families(runs):
    assert set(runs["ntsd-by-name"].verdicts().values()) == {"pass"}, runs["ntsd-by-name"].told("fail", "warning", "skipped")


@pytest.mark.parametrize("server", ["mute", "denying"])
def test_ntsd_that_wants_nts_of_everybody_is_not_blamed_for_it(runs, server):
    assert not runs[server].told("fail", "warning")
    verdicts = runs[server].verdicts()
    assert verdicts["R-NTP-01"] == "skipped" and verdicts["R-NTS-12"] == verdicts["R-NTP-14"] == verdicts["R-EF-18"] == "pass"


def test_ntsd_that_limits_rates_tells_nts_clients_so_under_their_unique_identifier(runs):
    assert runs["limited"].verdicts()["R-NTS-21"] == "pass", runs["limited"].told("fail", "warning", "skipped")
    assert not runs["limited"].told("fail", "warning")


@pytest.mark.parametrize("requirement", CHRONYD_DEVIATES)
def test_finds_where_chronyd_deviates(runs, requirement):
    assert runs["chronyd"].verdicts()[requirement] in ("fail", "warning"), CHRONYD_DEVIATES[requirement]
    assert runs["chronyd"].status == 1


@pytest.mark.parametrize("requirement", NTPSEC_DEVIATES)
def test_finds_where_ntpsec_deviates(runs, requirement):
    assert runs["ntpd"].verdicts()[requirement] in ("fail", "warning"), NTPSEC_DEVIATES[requirement]


@pytest.mark.parametrize("server", ["chronyd", "ntpd"])
def test_finds_what_the_others_do_right(runs, server):
    right = ["R-TLS-03", "R-TLS-17", "R-KE-01", "R-KE-28", "R-EX-01", "R-NTP-01", "R-NTP-04", "R-EF-12", "R-EF-15",
             "R-NTS-03", "R-NTS-05", "R-NTS-06", "R-NTS-07", "R-NTS-08", "R-NTS-09", "R-NTS-18", "R-AEAD-01", "R-CK-01"]
    verdicts = runs[server].verdicts()
    assert {id_: verdicts[id_] for id_ in right if verdicts[id_] != "pass"} == {}, runs[server].told("fail", "warning")


@pytest.mark.parametrize("server", ["ntsd", "chronyd"])
def test_finds_interleaved_mode_where_it_is(runs, server):
    verdicts = runs[server].verdicts()
    assert {verdict for id_, verdict in verdicts.items() if id_.startswith("R-IL-")} == {"pass"}, runs[server].told("fail", "warning", "skipped")


def test_junit_says_the_same_as_json(runs):
    report, suite = runs["chronyd"].report(), xml.etree.ElementTree.parse(runs["chronyd"].junit).find("testsuite")
    assert int(suite.get("tests")) == len(report["checks"]) == len(suite.findall("testcase"))
    assert int(suite.get("failures")) == report["failed"] == len(suite.findall("testcase/failure")) > 0
    assert int(suite.get("skipped")) == report["skipped"] == len(suite.findall("testcase/skipped"))


class TestCommandLine:
    @staticmethod
    def conform(*words, namespace=None):
        return run([program("ntsconform"), *words], namespace=namespace, timeout=60, check=False)

    def test_a_server_that_is_not_there_is_status_2(self, net):
        done = self.conform(SERVER, "--fast", namespace=net.client)
        assert done.returncode == 2 and "NTS-KE at 192.0.2.1:4460" in done.stderr and not done.stdout

    def test_usage_errors_are_status_2(self):
        for words in ([], ["--no-such-option"], [SERVER, "--plain", "--only", "R-KE"], [SERVER, "--pool-token", "/no/such/file"]):
            done = self.conform(*words)
            assert done.returncode == 2 and done.stderr.startswith("ntsconform: "), words

    def test_list_names_every_requirement_and_gives_a_reason_for_what_cannot_be_seen(self):
        checks = json.loads(self.conform("--list", "--json").stdout)
        assert len(checks) == 218 and len({check["id"] for check in checks}) == 218
        assert all(check["visible"] or check["reason"] for check in checks)
        only = self.conform("--list", "--only", "R-KE-05,R-LEAP").stdout
        assert "R-KE-05" in only and "R-LEAP-01" in only and "R-KE-06" not in only and "R-NTP" not in only

    def test_plain_ntp_alone(self, net, ntsd):
        ntsd().start()
        words = [SERVER, "--plain", "--ntp-port", NTP_PORT, "--fast", "--only", "R-NTP,R-EF"]
        done = self.conform(*words, namespace=net.client)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "\x1b" not in done.stdout, "colours are for terminals"

    def test_polite_by_default(self, net, ntsd):
        """Two datagrams a second: a handful of checks takes seconds."""
        ntsd().start()
        done = self.conform(SERVER, "--plain", "--ntp-port", NTP_PORT, "--only", "R-NTP-01,R-NTP-07", "--json", namespace=net.client)
        report = json.loads(done.stdout)
        assert done.returncode == 0 and report["passed"] == 2
        assert report["seconds"] >= 5 * 0.5, "five requests, half a second before each"
