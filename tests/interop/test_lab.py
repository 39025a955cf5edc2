"""The peers among themselves, without ntsd: when these fail, it is the laboratory that is broken, not the server."""

import pytest

from lab import chrony, ntp_packet
from lab.frozen_clock import freeze
from lab.namespaces import Net
from lab.process import Process, wait_until


def nts_server_lines(certificate):
    chain, key = certificate
    return ("local stratum 3", "allow", "port 11123", f"ntsservercert {chain}", f"ntsserverkey {key}")


@pytest.mark.parametrize("release", [None, "bookworm", "trixie"], ids=["own", "bookworm", "trixie"])
def test_chronyd_queries_chronyd_over_nts(net, chronyd, certificate, authority, release):
    chronyd(net.server, *nts_server_lines(certificate), release=release)
    for address in (Net.SERVER_V4[0], Net.SERVER_V6[0]):
        done = chrony.query(net.client, f"{address} nts", ca=authority.ca, release=release)
        assert done.returncode == 0, done.stderr
        assert "changed port to 11123" in done.stderr


def test_chronyd_refuses_a_server_that_it_cannot_verify(net, chronyd, certificate, tmp_path):
    chronyd(net.server, *nts_server_lines(certificate))
    done = chrony.query(net.client, f"{Net.SERVER_V4[0]} nts", timeout=4)
    assert done.returncode == 1 and "TLS handshake" in done.stderr


def test_chronyd_keeps_eight_cookies(net, chronyd, certificate, authority):
    chronyd(net.server, *nts_server_lines(certificate))
    client = chronyd(net.client, f"server {Net.SERVER_V4[0]} nts iburst minpoll -2 maxpoll -2", f"ntstrustedcerts {authority.ca}")
    wait_until(lambda: client.ntpdata()["valid"] >= 8, 20, "eight polls")
    assert client.authdata()["cookies"] == 8


@pytest.mark.parametrize(("release", "version"), [("bookworm", "4.3"), ("trixie", "4.6")])
def test_chronyd_is_of_the_release_that_was_asked_for(net, chronyd, release, version):
    assert f"chronyd version {version}" in chronyd(net.client, "port 0", release=release).process.output()


@pytest.mark.parametrize("release", [None, "trixie"], ids=["own", "trixie"])
def test_ntpd_synchronises_without_the_right_to_set_the_clock(net, chronyd, ntpd, certificate, authority, release):
    chronyd(net.server, *nts_server_lines(certificate))
    server = f"server {Net.SERVER_V4[0]} nts ca {authority.ca} minpoll 0 maxpoll 3 iburst"
    client = ntpd(net.client, server, release=release)
    wait_until(lambda: client.selected() == Net.SERVER_V4[0], 40, "ntpd follows the server")
    assert client.nts()["NTS client recvs good"] >= 4
    assert "Operation not permitted" in client.process.output()


def test_plain_request_gets_a_reply_from_the_address_that_was_asked(net, chronyd):
    chronyd(net.server, "local stratum 3", "allow", "port 11123")
    for address in (*Net.SERVER_V4, *Net.SERVER_V6):
        (octets, source), = ntp_packet.ask(net.client, address, 11123, ntp_packet.request())
        assert source == (address, 11123)
        assert ntp_packet.read(octets).mode == ntp_packet.SERVER_MODE


@pytest.mark.parametrize("before_exec", [None, freeze], ids=["free", "frozen"])
def test_a_frozen_clock_takes_every_order_and_follows_none(tmp_path, before_exec):
    """Without CAP_SYS_TIME in either case, so that the machine's clock is safe when this fails."""
    code = "import time; before = time.time(); time.clock_settime(time.CLOCK_REALTIME, before + 1e6); print(time.time() - before < 1e3)"
    set_clock = ["setpriv", "--bounding-set=-sys_time", "--inh-caps=-sys_time", "/usr/bin/python3", "-c", code]
    child = Process(set_clock, tmp_path / "log", before_exec=before_exec)
    if before_exec is None:
        assert child.wait() == 1 and "PermissionError" in child.output()
    else:
        assert child.wait() == 0 and child.output().strip() == "True"
