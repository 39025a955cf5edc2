#!/usr/bin/env python3
"""Looks at the object code of the lane kernels.

1. They define nothing that the linker could take for other files: a function of the standard library compiled for
   AVX-512 would stop older CPUs.
2. They have no instruction that brings octets of vectors into flags, masks or general registers, and none that uses
   them as addresses. Together with memcheck's run on the AES-NI kernels, which are the same templates, that is how we
   know that the wide ones are constant time: valgrind knows neither VAES nor AVX-512.

Usage: object_code.py OBJECT...
"""

import re
import subprocess
import sys

# Comparisons of vectors, extractions of single elements, gathers and scatters. What is not there: vmovq and kmov, with
# which compilers keep pointers in registers that they do not need otherwise. No mask can be secret, because nothing
# that is not forbidden makes one out of a vector.
FORBIDDEN = re.compile(
    r"^v?(ptest|testp[sd]|movmskp[sd]|pmovmskb|pextr[bwdq]|extractps|u?comis[sd]|cmpp[sd]|fpclass\w*|pcmpu?[bwdq]|"
    r"pcmp\w+u?[bwdq]|ptestn?m[bwdq]|pmov[bwdq]2m|p(gather|scatter)\w*|(gather|scatter)d?p\w*)$")


def main():
    failures = []
    for path in sys.argv[1:]:
        symbols = subprocess.run(["nm", "--defined-only", "-C", path], check=True, capture_output=True, text=True)
        for line in symbols.stdout.splitlines():
            if re.search(r" [VWu] ", line):
                failures.append(f"{path}: weak symbol: {line.strip()}")
        code = subprocess.run(["objdump", "-d", "--no-show-raw-insn", path], check=True, capture_output=True, text=True)
        aes_count = 0
        for line in code.stdout.splitlines():
            fields = line.split("\t")
            if len(fields) < 2:
                continue
            words = fields[1].split()
            if not words:
                continue
            aes_count += words[0] in ("aesenc", "vaesenc")
            if FORBIDDEN.match(words[0]):
                failures.append(f"{path}: {line.strip()}")
        if aes_count == 0:
            failures.append(f"{path}: no AES instruction: is this the right file?")
    for failure in failures[:20]:
        print(failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
