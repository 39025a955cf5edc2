"""A minute of soak.py, which says what it asserts; its long runs are made by hand."""

import subprocess

from lab.paths import ROOT


def test_a_minute_under_load_and_abuse(_namespaces):
    done = subprocess.run(
        [ROOT / "tests" / "system" / "soak.py", "--minutes", "1", "--rate", "500", "--flood", "500", "--handshakes", "10", "--abuse", "20"],
        capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
