"""Every requirement in requirements.md is named by a test, and tests name no requirement that is not there.

A test names one in its name, its comments or its messages: R-NTP-02, R_NTP_02, or several of one family as R_NTP_02_03.
`/usr/bin/python3 tests/requirements_test.py` prints which files name which requirement.
"""

import collections
import pathlib
import re

FOLDER = pathlib.Path(__file__).resolve().parent
NAMED = re.compile(r"R[-_]([A-Z]+)((?:[-_][0-9]{2})+)(?![0-9])")
ROW = re.compile(r"^\| (R-([A-Z]+)-[0-9]{2}) \| ([^|]+) \|", re.MULTILINE)
NOT_BUILT = "(not built: "


def rows():
    """The ids of the table, each with its level."""
    return {found[0]: found[2] for found in ROW.findall((FOLDER / "requirements.md").read_text())}


def ids_in(text):
    """All ids that a text names: R_NTP_02_03 names R-NTP-02 and R-NTP-03."""
    return {
        f"R-{family}-{number}"
        for family, numbers in NAMED.findall(text) for number in re.findall("[0-9]{2}", numbers)
    }


def files_by_id():
    found = collections.defaultdict(list)
    for path in sorted(FOLDER.rglob("*")):
        # ntsconform's tables name every requirement there is, of any server; that is no test of ours.
        is_table = path.parent == FOLDER / "conformance" / "checks"
        is_test = path.name != pathlib.Path(__file__).name and "support" not in path.parts and not is_table
        if path.suffix in (".cc", ".py", ".sh") and is_test:
            for one in ids_in(path.read_text(errors="replace")):
                found[one].append(str(path.relative_to(FOLDER)))
    return found


def test_ids_are_read_in_all_their_forms():
    assert ids_in("TakesAll_R_NTP_02_03_R_EF_10)") == {"R-NTP-02", "R-NTP-03", "R-EF-10"}
    assert ids_in('// R-NTS-09, R-NTS-10 and R-KE-123 "R-CK-7"') == {"R-NTS-09", "R-NTS-10"}


def test_every_requirement_that_is_built_is_named_by_a_test():
    found = files_by_id()
    assert len(rows()) > 80
    assert [one for one, level in rows().items() if one not in found and NOT_BUILT not in level] == []


def test_what_is_not_built_is_not_claimed():
    found = files_by_id()
    assert [one for one, level in rows().items() if one in found and NOT_BUILT in level] == []


def test_tests_name_no_requirement_of_these_families_that_does_not_exist():
    known = rows()
    families = {one.split("-")[1] for one in known}
    assert {one: files for one, files in files_by_id().items() if one.split("-")[1] in families and one not in known} == {}


if __name__ == "__main__":
    by_id = files_by_id()
    for one in rows():
        print(f"{one:10} {' '.join(by_id[one])}")
