"""The page that Prometheus scrapes, and the two that load balancers and supervisors ask."""

import json

from lab import ntp_packet
from lab.namespaces import Net
from lab.ntp_packet import request
from lab.ntsd import NTP_PORT

# Of the contract with operators: these are there from the first scrape on.
ALWAYS = [
    "ntp_requests_total", "ntp_responses_total", "ntp_dropped_total", "ke_connections_total", "ke_active", "key_age_seconds",
    "key_ring_fingerprint", "certificate_expiry_timestamp_seconds", "reference_synchronized", "reference_stratum", "build_info",
]


def test_scrape_has_the_promised_series(ntsd):
    server = ntsd().start()
    status, text = server.get("/metrics")
    assert status == 200
    missing = [name for name in ALWAYS if f"\nntsd_{name}" not in "\n" + text]
    assert not missing
    for name in ALWAYS:
        assert f"# TYPE ntsd_{name} " in text


def test_health_pages(ntsd):
    server = ntsd().start()
    assert server.get("/livez")[0] == 200
    assert server.get("/healthz")[0] == 200
    assert server.get("/nothing")[0] == 404


def test_counts_requests_and_replies_by_version_and_kind(net, ntsd):
    server = ntsd().start()
    for version in (1, 2, 3, 3, 4):
        ntp_packet.ask(net.client, Net.SERVER_V4[0], NTP_PORT, request(version=version))
    # Each of the five conversations was closed with one more request of version 4.
    counts = [server.metric("ntp_requests_total", version=version, kind="plain") for version in (1, 2, 3, 4)]
    assert counts == [1, 1, 2, 1 + 5]
    assert server.metric("ntp_responses_total", kind="plain") == 10
    assert server.metric("ntp_dropped_total") == 0


def test_the_local_reference_is_synchronised_at_its_stratum(ntsd):
    server = ntsd(set_values=["reference.stratum=7"]).start()
    assert server.metric("reference_synchronized") == 1
    assert server.metric("reference_stratum") == 7


def test_status_and_rotation_by_ntsctl(ntsd):
    server = ntsd().start()
    assert "key" in server.ctl("status").stdout.lower()
    before = json.loads(server.ctl("--json", "status").stdout)
    fingerprint = [name for name in server.metrics() if name.startswith("ntsd_key_ring_fingerprint")]
    server.ctl("keys", "rotate")
    assert json.loads(server.ctl("--json", "status").stdout) != before
    rotated = [name for name in server.metrics() if name.startswith("ntsd_key_ring_fingerprint")]
    assert len(fingerprint) == len(rotated) == 1 and fingerprint != rotated


def test_ntsctl_says_when_nobody_is_there(ntsd):
    server = ntsd()
    done = server.ctl("status", check=False)
    assert done.returncode == 1 and str(server.socket) in done.stderr
