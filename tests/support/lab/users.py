"""Which users there are to become."""

import os


def other_users_exist():
    """Inside `unshare --map-root-user` there is no user but root."""
    with open("/proc/self/uid_map", encoding="ascii") as text:
        return os.geteuid() == 0 and sum(int(line.split()[2]) for line in text) > 65535
