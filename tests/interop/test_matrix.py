"""Every client with every AEAD policy of ntsd, through a key rotation and a restart: each pair synchronises and keeps its cookies.

All pairs run at once, each client in a network of its own; ntpd-rs, whose polls are 16 s apart, sets the pace."""

import contextlib
import re

import pytest

from lab.chrony import Chronyd
from lab.namespaces import Namespace
from lab.ntpd_rs import NtpdRs
from lab.ntpsec import Ntpd
from lab.ntsd import Ntsd
from lab.process import wait_until

NTP_ADDRESS = "203.0.113.1"  # where NTP is when it is not where NTS-KE is
COOKIES = 8


class Chrony:
    """Polls once a second. From 4.4 on it offers AEAD 30 first, from 4.6.1 on with record 1024."""

    def __init__(self, release, aeads):
        self.release, self.aeads = release, aeads

    def start(self, namespace, server, port, ca):
        self.daemon = Chronyd(
            namespace, f"server {server} nts ntsport {port} iburst minpoll 0 maxpoll 0", f"ntstrustedcerts {ca}", release=self.release
        )
        return self

    def stop(self):
        self.daemon.stop()

    def problems(self, aead):
        authentication, data = self.daemon.authdata(), self.daemon.ntpdata()
        yield "not synchronised" if not self.daemon.selected() else ""
        yield f"AEAD {authentication['aead']}" if authentication["aead"] != aead else ""
        yield "keys were established again" if authentication["key_id"] != 1 else ""
        yield "a NAK" if authentication["nak"] else ""
        yield f"{authentication['cookies']} cookies" if authentication["cookies"] != COOKIES else ""
        yield "replies were refused" if data["valid"] != data["received"] or data["valid"] < 10 else ""


class Ntpsec:
    """Polls as often as it can. It offers AEAD 15 alone."""

    aeads = (15,)

    def __init__(self, release):
        self.release = release

    def start(self, namespace, server, port, ca):
        self.daemon = Ntpd(namespace, f"server {server}:{port} nts ca {ca} minpoll 0 maxpoll 3 iburst", release=self.release)
        return self

    def stop(self):
        self.daemon.stop()

    def problems(self, aead):
        counters = self.daemon.nts()
        yield "not synchronised" if not self.daemon.selected() else ""
        yield "keys were established again" if counters.get("NTS KE client probes good") != 1 else ""
        yield "key establishment failed" if counters.get("NTS KE client probes bad") else ""
        yield "few replies" if counters.get("NTS client recvs good", 0) < 6 else ""
        yield "replies were refused" if counters.get("NTS client recvs w error") else ""


class NtpdRust:
    """Polls every 16 s. It offers AEAD 17, then 15."""

    aeads = (17, 15)

    def start(self, namespace, server, port, ca):
        self.daemon = NtpdRs(namespace, f"{server}:{port}", ca)
        return self

    def stop(self):
        self.daemon.stop()

    def polls(self):
        return len(re.findall("Offset:", self.daemon.process.output()))

    def problems(self, aead):
        status = self.daemon.status()
        yield "not synchronised" if status.get("ntp_system_stratum") != 11 else ""
        yield f"{status.get('ntp_source_nts_cookies_available')} cookies" if status.get("ntp_source_nts_cookies_available") != COOKIES else ""
        yield "polls were not answered" if status.get("ntp_source_unanswered_polls") != 0 else ""


CLIENTS = {
    "chronyd 4.3": lambda: Chrony("bookworm", (15,)),
    "chronyd 4.6": lambda: Chrony("trixie", (30, 15)),
    "ntpsec 1.2.2": lambda: Ntpsec("bookworm"),
    "ntpsec 1.2.3": lambda: Ntpsec("trixie"),
    "ntpd-rs 1.4": NtpdRust,
}
# name: (AEADs, NTP on an address of its own)
POLICIES = {
    "15": ((15,), False),
    "15, 17": ((15, 17), False),
    "15, 30": ((15, 30), False),
    "15, 17, 30": ((15, 17, 30), False),
    "all, NTP elsewhere": ((15, 17, 30), True),
}


def expected_aead(offered, served):
    """The first of the client's list that the server does."""
    return next(aead for aead in offered if aead in served)


class Site:
    """One ntsd with its policy, and one client of each kind."""

    def __init__(self, name, authority, stack):
        self.aeads, is_apart = POLICIES[name]
        self.ke_port, self.ntp_port = (4461, 11124) if is_apart else (4460, 11123)
        self.namespace = Namespace()
        stack.callback(self.namespace.close)
        servers = [f"198.51.100.{4 * index + 1}" for index in range(len(CLIENTS))]
        networks = [self._cable(index, server, stack) for index, server in enumerate(servers)]
        self.namespace.address("lo", f"{NTP_ADDRESS}/32")
        settings = [f"ke[0].aeads={list(self.aeads)}"] + ([f"ke[0].ntp-server='{NTP_ADDRESS}'"] if is_apart else [])
        self.server = Ntsd(
            self.namespace, authority.issue(re.sub(r"\W+", "-", name), dns=["ntsd.test"], ip=servers), ke=[f"0.0.0.0:{self.ke_port}"],
            ntp=[f"{NTP_ADDRESS if is_apart else '0.0.0.0'}:{self.ntp_port}"], set_values=settings,
        )
        stack.callback(self.server.close)
        self.server.start()
        self.clients = {}
        for client, server, network in zip(CLIENTS, servers, networks):
            self.clients[client] = CLIENTS[client]().start(network, server, self.ke_port, authority.ca)
            stack.callback(self.clients[client].stop)

    def _cable(self, index, server, stack):
        network = Namespace()
        stack.callback(network.close)
        self.namespace.join(network, f"client{index}", "server")
        self.namespace.address(f"client{index}", f"{server}/30")
        network.address("server", f"198.51.100.{4 * index + 2}/30")
        network.ip("route", "add", "default", "via", server)
        return network

    def granted(self):
        """By AEAD, how often keys were established since the last start."""
        counts = {aead: self.server.metric("ke_aead_total", aead=str(aead)) for aead in (15, 17, 30)}
        return {aead: int(count) for aead, count in counts.items() if count}

    def naks(self):
        return self.server.metric("ntp_responses_total", kind="nak")


class Matrix:
    """Runs everything once; the tests look at what came of it."""

    def __init__(self, authority, stack):
        self.sites = {name: Site(name, authority, stack) for name in POLICIES}
        self._await_polls(1)
        for site in self.sites.values():
            site.server.ctl("keys", "rotate")
        self._await_polls(2)
        self.before_restart = {name: (site.granted(), site.naks()) for name, site in self.sites.items()}
        for site in self.sites.values():
            site.server.restart()
        self._await_polls(3)
        self.after_restart = {name: (site.granted(), site.naks()) for name, site in self.sites.items()}
        self.problems = {
            (client, name): ", ".join(filter(None, daemon.problems(expected_aead(daemon.aeads, site.aeads))))
            for name, site in self.sites.items() for client, daemon in site.clients.items()
        }

    def _await_polls(self, count):
        """Until the slowest clients have had so many answers; the others poll once a second or oftener."""
        slow = [daemon for site in self.sites.values() for daemon in site.clients.values() if isinstance(daemon, NtpdRust)]
        wait_until(lambda: all(daemon.polls() >= count for daemon in slow), 60, f"{count} polls of each ntpd-rs")

    def table(self):
        width = max(map(len, POLICIES)) + 2
        yield (f"{'client':14}" + "".join(f"{name:{width}}" for name in POLICIES)).rstrip()
        for client in CLIENTS:
            cells = []
            for name, site in self.sites.items():
                aead = expected_aead(site.clients[client].aeads, site.aeads)
                cells.append(f"{'AEAD ' + str(aead) if not self.problems[client, name] else 'FAILED':{width}}")
            yield (f"{client:14}" + "".join(cells)).rstrip()


@pytest.fixture(scope="module")
def matrix(authority, _namespaces, request):
    with contextlib.ExitStack() as stack:
        whole = Matrix(authority, stack)
        table = list(whole.table())
        request.config.stash[request.config.matrix_key] = table
        if hasattr(request.config, "workeroutput"):  # one process of several
            request.config.workeroutput["matrix"] = table
        yield whole
        for name, site in whole.sites.items():
            print(f"--- what ntsd ({name}) wrote:\n{site.server.output()}")


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("client", CLIENTS)
def test_synchronises_and_keeps_its_cookies_through_rotation_and_restart(matrix, client, policy):
    assert matrix.problems[client, policy] == ""


@pytest.mark.parametrize("policy", POLICIES)
def test_every_client_established_keys_once_and_with_the_aead_of_its_choice(matrix, policy):
    site = matrix.sites[policy]
    chosen = [expected_aead(daemon.aeads, site.aeads) for daemon in site.clients.values()]
    granted, naks = matrix.before_restart[policy]
    assert granted == {aead: chosen.count(aead) for aead in set(chosen)} and naks == 0
    assert matrix.after_restart[policy] == ({}, 0), "a client came back for keys"
