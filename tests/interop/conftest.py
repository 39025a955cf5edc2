"""Prints the matrix of clients and policies at the end of the run."""

import pytest

_matrix = pytest.StashKey()


def pytest_configure(config):
    config.matrix_key = _matrix


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    """The process in which the matrix ran hands its table over."""
    lines = getattr(node, "workeroutput", {}).get("matrix")
    if lines:
        node.config.stash[_matrix] = lines


def pytest_terminal_summary(terminalreporter, config):
    lines = config.stash.get(_matrix, None)
    if lines:
        terminalreporter.section("clients of ntsd, by its AEAD policy, through a key rotation and a restart")
        for line in lines:
            terminalreporter.write_line(line)
