"""Holds sockets as a service manager does, and runs a program that finds them as its descriptors from 3 on.

    python3 socket_holder.py [udp:ADDRESS:PORT | tcp:ADDRESS:PORT]... -- PROGRAM [ARGUMENT...]

SIGUSR1: the program is ended and started anew, while the sockets stay. SIGTERM: the program is ended, and so is this.
"""

import os
import signal
import socket
import sys

FIRST = 3  # SD_LISTEN_FDS_START


def hold(word):
    kind, address, port = word.split(":")
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(kind == "udp"))
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind((address, int(port)))
    if kind == "tcp":
        one.listen(512)
    return one


def start(sockets, argv):
    child = os.fork()
    if child != 0:
        return child
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    # First out of the way, so that none is overwritten before it has moved.
    aside = [os.dup(os.dup(one.fileno())) for one in sockets]
    for number, one in enumerate(aside, FIRST + 64):
        os.dup2(one, number)
    for number in range(FIRST, FIRST + len(sockets)):
        os.dup2(number + 64, number, inheritable=True)
    os.closerange(FIRST + len(sockets), FIRST + 256)
    os.execve(argv[0], argv, {**os.environ, "LISTEN_FDS": str(len(sockets)), "LISTEN_PID": str(os.getpid())})


def main():
    words, argv = sys.argv[1 : sys.argv.index("--")], sys.argv[sys.argv.index("--") + 1 :]
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM, signal.SIGCHLD})
    sockets = [hold(word) for word in words]
    child = start(sockets, argv)
    while True:
        number = signal.sigwait({signal.SIGUSR1, signal.SIGTERM, signal.SIGCHLD})
        if number == signal.SIGCHLD:
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))  # it ended by itself
        os.kill(child, signal.SIGTERM)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        while signal.SIGCHLD in signal.sigpending():
            signal.sigwait({signal.SIGCHLD})
        if number == signal.SIGTERM or status != 0:
            sys.exit(status)
        child = start(sockets, argv)


if __name__ == "__main__":
    main()
