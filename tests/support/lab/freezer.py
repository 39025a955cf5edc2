"""One thread of a process that stands still, as if it were stuck: by the kernel's freezer, in a control group made for it."""

import contextlib
import os
import pathlib

V1 = pathlib.Path("/sys/fs/cgroup/freezer")
V2 = (pathlib.Path("/sys/fs/cgroup"), pathlib.Path("/sys/fs/cgroup/unified"))


def why_unavailable():
    """None when threads can be frozen here, else the reason in words."""
    if os.geteuid() != 0 or not (_root() and os.access(_root(), os.W_OK)):
        return "only root, where it may make control groups, can freeze a thread"
    return None


def _root():
    if (V1 / "tasks").exists():
        return V1
    return next((path for path in V2 if (path / "cgroup.procs").exists()), None)


@contextlib.contextmanager
def frozen(pid, thread):
    """Inside, that thread of the process runs no instruction; the others go on."""
    root = _root()
    group = root / f"ntsd-test-{pid}"
    group.mkdir()
    try:
        if root == V1:
            yield from _frozen_v1(root, group, thread)
        else:
            yield from _frozen_v2(root, group, pid, thread)
    finally:
        group.rmdir()


def _frozen_v1(root, group, thread):
    try:
        (group / "tasks").write_text(str(thread))
        (group / "freezer.state").write_text("FROZEN")
        yield
    finally:
        (group / "freezer.state").write_text("THAWED")
        (root / "tasks").write_text(str(thread))


def _frozen_v2(root, group, pid, thread):
    before = pathlib.Path(f"/proc/{pid}/cgroup").read_text().split("0::")[1].splitlines()[0].lstrip("/")
    stuck = group / "stuck"
    try:
        (group / "cgroup.procs").write_text(str(pid))
        stuck.mkdir()
        (stuck / "cgroup.type").write_text("threaded")
        (stuck / "cgroup.threads").write_text(str(thread))
        (stuck / "cgroup.freeze").write_text("1")
        yield
    finally:
        (stuck / "cgroup.freeze").write_text("0")
        (group / "cgroup.threads").write_text(str(thread))
        stuck.rmdir()
        (root / before / "cgroup.procs").write_text(str(pid))
