"""deploy/prometheus and deploy/grafana against a real Prometheus that scrapes an ntsd with traffic."""

import json
import math

import pytest

from lab.namespaces import Net
from lab.ntp_packet import ask, request
from lab.ntsd import KE_PORT, NTP_PORT
from lab.paths import ROOT, program
from lab.process import run, wait_until
from lab.prometheus import Prometheus, promtool

DASHBOARD = json.loads((ROOT / "deploy/grafana/ntsd.json").read_text())
SECONDS = 40  # of traffic; a panel has to show something before they are over


def panels():
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


@pytest.mark.parametrize("words", [("check", "config", "ntsd-scrape.yml"), ("test", "rules", "ntsd-rules-test.yml")], ids=" ".join)
def test_the_files_for_prometheus_are_good(words):
    done = promtool(*words)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_test_and_words_for_the_operator():
    rules = (ROOT / "deploy/prometheus/ntsd-rules.yml").read_text()
    tests = (ROOT / "deploy/prometheus/ntsd-rules-test.yml").read_text()
    alerts = [line.split()[-1] for line in rules.splitlines() if line.strip().startswith("- alert:")]
    assert len(alerts) >= 10
    assert [alert for alert in alerts if f'alertname="{alert}"' not in tests] == []
    assert rules.count("summary:") == rules.count("description:") == rules.count("severity:") == len(alerts)


def test_names_and_units_are_what_prometheus_expects(ntsd):
    page = ntsd().start().get("/metrics")[1]
    done = promtool("check", "metrics", stdin=page)
    assert done.returncode == 0, done.stdout + done.stderr


def traffic(net, authority):
    """A little of everything that panels show."""
    run([program("ntsctl"), "query", Net.SERVER_V4[0], "--ke-port", KE_PORT, "--ca", authority.ca, "--count", 2],
        namespace=net.client, timeout=30, check=False)
    ask(net.client, Net.SERVER_V4[0], NTP_PORT, request(version=3), request()[:47])


def test_every_panel_of_the_dashboard_has_data(net, ntsd, authority):
    ntsd().start()
    prometheus = Prometheus(net.server)
    try:
        empty = {(panel["title"], target["expr"]) for panel in panels() for target in panel["targets"]}

        def all_have_data():
            traffic(net, authority)
            empty.difference_update({one for one in empty if has_data(prometheus, one[1])})
            return not empty

        try:
            wait_until(all_have_data, SECONDS, "every panel has data")
        except AssertionError:
            assert not empty
        assert prometheus.query('up{job="ntsd"}')[0][1] == 1
    finally:
        prometheus.stop()


def has_data(prometheus, expression):
    for variable, value in (("$job", "ntsd"), ("$instance", ".*"), ("$__rate_interval", "10s")):
        expression = expression.replace(variable, value)
    return any(not math.isnan(value) for _, value in prometheus.query(expression))
