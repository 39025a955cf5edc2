"""Where things stand in the tree."""

import functools
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[3]

# The build whose programs are tested: build/release unless NTSD_BUILD names another preset.
BUILD = ROOT / "build" / os.environ.get("NTSD_BUILD", "release")


def program(name):
    """The path of one of our programs; the test fails in plain words when it was not built."""
    path = BUILD / "bin" / name
    assert path.is_file(), f"{path} is not built: tests/run.sh builds it, or cmake --build --preset {BUILD.name}"
    return path


@functools.cache
def peer(name):
    """The folder of an unpacked package of another project and the LD_LIBRARY_PATH to run its programs with."""
    done = subprocess.run([ROOT / "deploy" / "peers.sh", name], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    folder = pathlib.Path(done.stdout.strip())
    return folder, (folder / ".libraries").read_text().strip()
