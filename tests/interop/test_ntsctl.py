"""ntsctl query as a client, of ntsd and of a real chronyd."""

import pytest

from lab.namespaces import Net
from lab.ntsd import KE_PORT, NTP_PORT
from lab.paths import program
from lab.process import run


def query(net, *words):
    return run([program("ntsctl"), "query", *words], namespace=net.client, timeout=60, check=False)


@pytest.fixture(params=["ntsd", "chronyd"])
def server(request, net, ntsd, chronyd, certificate):
    if request.param == "ntsd":
        ntsd().start()
        return
    chain, key = certificate
    chronyd(net.server, "local stratum 10", "allow", f"port {NTP_PORT}", f"ntsservercert {chain}", f"ntsserverkey {key}")


@pytest.mark.parametrize("address", [Net.SERVER_V4[0], Net.SERVER_V6[0]], ids=["ipv4", "ipv6"])
def test_query_shows_key_establishment_and_samples(net, server, authority, address):
    done = query(net, address, "--ke-port", KE_PORT, "--ca", authority.ca, "--count", 3)
    assert done.returncode == 0, done.stdout + done.stderr
    for words in ("TLSv1.3", "stratum", "offset", "delay", str(NTP_PORT)):
        assert words.lower() in done.stdout.lower().replace("tls 1.3", "tlsv1.3"), f"{words} is not in\n{done.stdout}"


def test_query_without_nts(net, server):
    done = query(net, Net.SERVER_V4[0], "--plain", "--ntp-port", NTP_PORT, "--count", 2)
    assert "stratum" in done.stdout.lower(), done.stdout + done.stderr


def test_query_refuses_an_unknown_authority_unless_told_not_to_look(net, server):
    words = (Net.SERVER_V4[0], "--ke-port", KE_PORT, "--count", 1)
    refused = query(net, *words)
    assert refused.returncode == 1 and "certificate" in (refused.stdout + refused.stderr).lower()
    assert query(net, *words, "--insecure").returncode == 0


def test_query_of_a_port_where_nobody_listens_says_so(net, authority):
    done = query(net, Net.SERVER_V4[0], "--ke-port", 4999, "--ca", authority.ca, "--timeout", 2)
    assert done.returncode == 1 and "4999" in done.stdout + done.stderr
