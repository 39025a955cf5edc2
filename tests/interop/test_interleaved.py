"""A real chronyd asks in interleaved mode (RFC 9769), and is told when answers really left."""

import statistics

import pytest

from lab.namespaces import Net
from lab.ntsd import NTP_PORT
from lab.process import wait_until

SAMPLES = 12
INTERLEAVED, KERNEL = "4I", "K"  # of a server's answer; of chronyd's own timestamps


class Measurements:
    """chronyd's log of raw measurements, as rows of (mode, source of transmit stamp, source of receive stamp, offset in s)."""

    def __init__(self, folder):
        self.path = folder / "measurements.log"

    def rows(self):
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        fields = [line.split() for line in lines if line[:2] == "20"]
        return [(row[-3], row[-2], row[-1], float(row[11])) for row in fields if len(row) >= 20]

    def interleaved(self):
        return [row for row in self.rows() if row[0] == INTERLEAVED]


# Each engine and each kind once: they have nothing to do with each other.
@pytest.mark.parametrize(("engine", "kind"), [("io_uring", "nts"), ("mmsg", "plain")])
def test_chronyd_gets_interleaved_samples_R_IL_01_03_06(net, ntsd, chronyd, authority, tmp_path, engine, kind):
    server = ntsd(set_values=[f'workers.engine="{engine}"']).start()
    source = f"{Net.SERVER_V4[0]} nts" if kind == "nts" else f"{Net.SERVER_V4[0]} port {NTP_PORT}"
    chronyd(
        net.client, f"server {source} xleave minpoll -3 maxpoll -3", f"ntstrustedcerts {authority.ca}",
        f"logdir {tmp_path}", "log rawmeasurements",
    )
    log = Measurements(tmp_path)
    wait_until(lambda: len(log.interleaved()) >= SAMPLES, 30, f"{SAMPLES} interleaved samples; the log has {log.rows()}")
    rows = log.rows()
    # The first answers introduce the client; from then on each one is interleaved, unless a datagram was lost.
    assert len(log.interleaved()) >= len(rows) - 4, rows
    assert {row[1:3] for row in log.interleaved()} == {(KERNEL, KERNEL)}, "chronyd's own stamps are the kernel's"
    # Both have one clock, so what chronyd sees is the error of the stamps, half of each.
    assert abs(statistics.median(row[3] for row in log.interleaved())) < 20e-6, rows
    measured = server.metric("ntp_interleaved_total", departure="measured")
    reckoned = server.metric("ntp_interleaved_total", departure="reckoned")
    assert measured >= SAMPLES and measured > 10 * reckoned, f"{measured} departures told by the kernel, {reckoned} not"
    assert server.metric("tx_timestamp_samples_total", result="told") >= measured
    assert server.metric("tx_timestamp_samples_total", result="impossible") == 0
    assert server.metric("ntp_port_events_total", event="departure_missing") == 0
    assert server.metric("ntp_port_events_total", event="stamp_missing") == 0


def test_chronyd_is_served_in_basic_mode_where_it_is_off_R_IL_01(net, ntsd, chronyd, tmp_path):
    server = ntsd(set_values=["ntp[0].interleaved=false"]).start()
    chronyd(
        net.client, f"server {Net.SERVER_V4[0]} port {NTP_PORT} xleave minpoll -3 maxpoll -3",
        f"logdir {tmp_path}", "log rawmeasurements",
    )
    log = Measurements(tmp_path)
    wait_until(lambda: len(log.rows()) >= 8, 30, "eight samples")
    assert not log.interleaved()
    assert server.metric("ntp_interleaved_total") == 0
