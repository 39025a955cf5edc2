"""A clock that a program believes to steer: the calls that would set or discipline it succeed and do nothing.

The kernel itself answers them (seccomp), for the program and all that it starts, so that no mistake in a configuration can move the
clock of the machine. For peers that refuse to run without such rights."""

import ctypes
import platform
import struct

from lab.process import LIBC

PR_SET_NO_NEW_PRIVS = 38
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
SECCOMP_RET_ALLOW = 0x7FFF0000
SECCOMP_RET_ERRNO_0 = 0x00050000

# By architecture: its number in struct seccomp_data, then settimeofday, clock_settime, adjtimex, clock_adjtime.
CALLS = {"x86_64": (0xC000003E, (164, 227, 159, 305)), "aarch64": (0xC00000B7, (170, 112, 171, 266))}

LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
OFFSET_OF_CALL, OFFSET_OF_ARCHITECTURE = 0, 4


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def _instructions():
    architecture, calls = CALLS[platform.machine()]
    count = len(calls)
    # Calls of another architecture, as of 32 bits, end in an error of their own: none of our peers makes any.
    yield LOAD_WORD, 0, 0, OFFSET_OF_ARCHITECTURE
    yield JUMP_IF_EQUAL, 0, count + 1, architecture
    yield LOAD_WORD, 0, 0, OFFSET_OF_CALL
    for index, call in enumerate(calls):
        yield JUMP_IF_EQUAL, count - index, 0, call
    yield RETURN, 0, 0, SECCOMP_RET_ALLOW
    yield RETURN, 0, 0, SECCOMP_RET_ERRNO_0


_CODE = b"".join(struct.pack("=HBBI", *one) for one in _instructions()) if platform.machine() in CALLS else b""


def freeze():
    """For the child between fork and exec."""
    if not _CODE:
        raise OSError(0, f"the clock cannot be frozen on {platform.machine()}")
    code = ctypes.create_string_buffer(_CODE, len(_CODE))
    program = _Program(len(_CODE) // 8, ctypes.cast(code, ctypes.c_void_p))
    for arguments in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)):
        if LIBC.prctl(*arguments) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
