"""The rules of include_rule.py hold in this tree, and each of them can fail."""

import pathlib

import pytest

from include_rule import Rules

ROOT = pathlib.Path(__file__).resolve().parent.parent

HOUSE = {
    "core/limits.h": "",
    "core/base/bytes.h": '#include "core/limits.h"\n#include <sys/socket.h>\n',
    "core/crypto/aead.h": '#include "core/base/bytes.h"\n',
    "core/keys/key_set.h": '#include "core/crypto/aead.h"\n',
    "core/nts/cookie.h": '#include "core/keys/key_set.h"\n',
    "ke/client.h": '#include "core/nts/cookie.h"\n',
    "ke/tls_session.h": "",
    "server/config/config.h": "",
    "server/main/service.cc": '#include "ke/tls_session.h"\n#include "server/config/config.h"\n',
    "server/ntsctl/query.cc": '#include "ke/client.h"\n#include "server/config/config.h"\n',
    "bench/load/load.cc": '#include "ke/client.h"\n',
    "tests/unit/x_test.cc": '#include "server/config/config.h"\n#include "ke/tls_session.h"\n#include <sodium.h>\n',
}


def breaches(folder, **files):
    """What the rules say of a small sound tree with these files laid over it."""
    texts = HOUSE | files
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for path in list(folder.rglob("*")):
        if path.is_dir():
            (path / "README.md").write_text("What this folder is for.\n")
    return Rules(folder).check()


def test_this_tree_keeps_the_rules():
    found = Rules(ROOT).check()
    assert not found, "\n" + "\n".join(found)


def test_a_sound_tree_passes(tmp_path):
    assert breaches(tmp_path) == []


@pytest.mark.parametrize(
    "path, include, words",
    [
        ("core/base/a.h", '"core/crypto/aead.h"', "core/base may not include core/crypto/aead.h"),
        ("core/crypto/a.h", '"core/keys/key_set.h"', "core/crypto may not include"),
        ("core/ntp/a.h", '"core/crypto/aead.h"', "core/ntp may not include"),
        ("core/guard/a.h", '"core/crypto/aead.h"', "core/guard may not include"),
        ("core/keys/a.h", '"core/nts/cookie.h"', "core/keys may not include"),
        ("core/nts/a.h", '"ke/client.h"', "core/nts may not include"),
        ("core/limits.h", '"core/base/bytes.h"', "core may not include"),
        ("ke/a.cc", '"server/config/config.h"', "ke may not include"),
        ("server/a.cc", '"ke/client.h"', "server may not include"),
        ("server/a.cc", '"server/ntsctl/output.h"', "server may not include"),
        ("server/ntsctl/a.cc", '"ke/tls_session.h"', "server/ntsctl may not include"),
        ("bench/a.cc", '"server/config/config.h"', "bench may not include"),
        ("bench/a.cc", '"tests/support/fakes.h"', "bench may not include"),
        ("bench/micro/a.cc", '"server/config/config.h"', "bench/micro may not include"),
        ("server/a.cc", '"tests/support/fakes.h"', "server may not include"),
        ("server/a.cc", '"config.h"', "not a path from the root"),
        ("server/a.cc", "<core/base/bytes.h>", "is ours"),
        ("server/a.h", "<openssl/ssl.h>", "in a header"),
    ],
)
def test_names_the_line_that_breaks_an_arrow(tmp_path, path, include, words):
    extra = {path: f"// first line\n#include {include}\n", "server/ntsctl/output.h": "", "tests/support/fakes.h": ""}
    found = breaches(tmp_path, **extra)
    assert len(found) == 1
    assert found[0].startswith(f"{path}:2: ") and words in found[0]


def test_refuses_a_third_file_that_meets_a_foreign_header(tmp_path):
    include = "#include <openssl/ssl.h>\n"
    two = {"ke/a.cc": include, "ke/b.cc": include, "tests/c.cc": include, "bench/d.cc": include}
    assert breaches(tmp_path, **two) == []
    found = breaches(tmp_path, **{"server/e.cc": include})
    assert found == ["server/e.cc:1: <openssl/ssl.h> is met by ke/a.cc, ke/b.cc already; 2 files are the most"]


@pytest.mark.parametrize("line", ["// TO" "DO: later", "# FIX" "ME", 'Path = "/ho' 'me/somebody/x"'])
def test_refuses_words_that_do_not_belong(tmp_path, line):
    found = breaches(tmp_path, **{"server/a.cc": "\n" + line + "\n"})
    assert len(found) == 1 and found[0].startswith("server/a.cc:2: ")


def test_refuses_a_file_that_is_too_long(tmp_path):
    assert breaches(tmp_path, **{"server/a.cc": "\n" * 450}) == []
    assert len(breaches(tmp_path, **{"server/a.cc": "\n" * 451})) == 1


def test_refuses_a_folder_without_a_page(tmp_path):
    assert breaches(tmp_path) == []
    (tmp_path / "core" / "keys" / "README.md").unlink()
    assert Rules(tmp_path).check() == ["core/keys:1: this folder has no README.md that says what it is for"]
