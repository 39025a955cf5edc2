"""Child processes with bounded lives: none outlives the test, and what it wrote is kept in a file."""

import contextlib
import ctypes
import os
import signal
import subprocess
import time

LIBC = ctypes.CDLL("libc.so.6", use_errno=True)
PR_SET_PDEATHSIG = 1


def wait_until(condition, timeout, what):
    """Polls until condition() is true and returns its value; after `timeout` seconds the test fails and says what it awaited."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout} s in vain: {what}")
        time.sleep(0.02)


def _before_exec(namespace, more=None):
    """What the child does between fork and exec."""

    def prepare():
        # If pytest itself is killed, the kernel ends its children.
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if namespace is not None:
            enter_network(namespace.descriptor)
        if more is not None:
            more()

    return prepare


class Process:
    """One running program. Started on construction, in `namespace` if one is given; `before_exec` is called in the child."""

    def __init__(self, argv, log, namespace=None, env=None, before_exec=None):
        self.log = log
        self.argv = [str(word) for word in argv]
        with open(log, "ab") as output:
            self.popen = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env=dict(os.environ, **(env or {})), preexec_fn=_before_exec(namespace, before_exec),
            )

    @property
    def pid(self):
        return self.popen.pid

    def running(self):
        return self.popen.poll() is None

    def output(self):
        with open(self.log, encoding="utf-8", errors="replace") as text:
            return text.read()

    def wait(self, timeout=10):
        """The exit status, of a program that should end by itself."""
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.argv[0]} did not end within {timeout} s:\n{self.output()}") from None

    def stop(self, number=signal.SIGTERM, timeout=10):
        """Asks the program to end and returns its exit status; an ended one keeps the status it had."""
        if self.running():
            self.popen.send_signal(number)
        return self.wait(timeout)

    def kill(self):
        if self.running():
            self.popen.kill()
            self.popen.wait(10)


def run(argv, namespace=None, env=None, timeout=30, check=True):
    """Runs a program to its end and returns its CompletedProcess with text output, stderr apart."""
    done = subprocess.run(
        [str(word) for word in argv], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout,
        env=dict(os.environ, **(env or {})), preexec_fn=_before_exec(namespace), check=False,
    )
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, argv))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


@contextlib.contextmanager
def pinned(*cpus):
    """What is started inside inherits the CPUs."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def enter_network(descriptor):
    """Moves the calling thread into the network namespace of `descriptor` (os.setns came with Python 3.12)."""
    if LIBC.setns(descriptor, 0x40000000) != 0:  # CLONE_NEWNET
        raise OSError(ctypes.get_errno(), "setns")
