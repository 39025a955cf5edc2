"""The page for people at the metrics listener: self-contained, and alive in a real browser."""

import re
import shutil
import tempfile
import threading

import pytest

from lab.namespaces import Net
from lab.ntp_packet import ask, request
from lab.ntsd import KE_PORT, METRICS, NTP_PORT
from lab.paths import ROOT, program
from lab.process import run

PAGE = f"http://{METRICS[0]}:{METRICS[1]}/"
SCREENSHOT = ROOT / "build/logs/status-page.png"
# Nothing of the browser's own may want the network, and there is none but the namespace's.
QUIET = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]


def test_the_page_fetches_nothing_from_elsewhere(ntsd):
    status, page = ntsd().start().get("/")
    assert status == 200 and "<title>ntsd</title>" in page
    assert set(re.findall(r"https?://[^\s'\"]+", page)) == {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xhtml"}
    assert sorted(re.findall(r"fetch\('([^']+)'\)", page)) == ["/healthz", "/metrics"]
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)=", page)


def browse(net, *words):
    """What Chromium prints after some minutes of the page's own time, which pass as fast as answers come."""
    with tempfile.TemporaryDirectory(prefix="chromium-", dir="/tmp") as folder:
        return run(["chromium", *QUIET, f"--user-data-dir={folder}", "--virtual-time-budget=200000", *words, PAGE],
                   namespace=net.server, timeout=120).stdout


@pytest.mark.skipif(not shutil.which("chromium"), reason="chromium is not installed; deploy/packages.sh browser brings it")
def test_a_browser_shows_rates_health_and_no_error(net, ntsd, authority):
    ntsd().start()
    over = threading.Event()

    def traffic():
        while not over.is_set():
            run([program("ntsctl"), "query", Net.SERVER_V4[0], "--ke-port", KE_PORT, "--ca", authority.ca, "--count", 2],
                namespace=net.client, check=False)
            ask(net.client, Net.SERVER_V4[0], NTP_PORT, request(), request()[:47])

    sender = threading.Thread(target=traffic)
    sender.start()
    try:
        page = browse(net, "--dump-dom")
        browse(net, "--window-size=1220,1100", f"--screenshot={SCREENSHOT}")
    finally:
        over.set()
        sender.join()
    assert '<span id="state" class="good">fit to serve</span>' in page
    charts = re.findall(r'<div class="card chart"><h2>([^<]+)</h2>(.*?)</svg>', page, re.DOTALL)
    drawn = {title for title, drawing in charts if re.search(r'<path d="M[^"]*L', drawing)}
    assert {"NTP requests", "NTP answers", "NTS-KE connections", "Without an answer"} <= drawn, sorted(drawn)
    assert SCREENSHOT.stat().st_size > 20_000
