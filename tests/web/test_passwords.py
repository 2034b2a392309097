"""The file of logins: hashes only, changes while the page runs."""

import os
import stat

import pytest

from segnet_res.errors import UsageError
from segnet_res.web.passwords import Logins, Secret, read_logins, remove_login, set_login


@pytest.fixture
def cheap(monkeypatch):
    """Hashes that take no time; what they are made of stands in the file anyway."""
    monkeypatch.setattr("segnet_res.web.passwords._COST", 2)
    monkeypatch.setattr("segnet_res.web.passwords._PASSES", 1)


def test_a_secret_matches_its_password_alone():
    secret = Secret.of("correct horse")
    assert secret.matches("correct horse")
    assert not secret.matches("correct horse ")
    assert not secret.matches("")
    assert Secret.parse(str(secret)) == secret
    # The same password twice gives two lines that tell nothing of it.
    assert Secret.of("correct horse").digest != secret.digest
    assert 128 * secret.cost * secret.block == 16 * 2**20


def test_a_secret_is_what_the_standard_says():
    # The second test vector of RFC 7914: N=1024, r=8, p=16.
    secret = Secret(1024, 8, 16, b"NaCl", b"\0" * 64)
    assert secret.scrypt("password").hex().startswith("fdbabe1c9d3472007856e7190d01e9fe")


def test_two_ways_to_type_an_umlaut_are_one_password(cheap):
    assert Secret.of("schl\u00fcssel").matches("schlu\u0308ssel")


def test_logins_are_read_and_checked(cheap, tmp_path):
    file = tmp_path / "logins"
    file.write_text(f"# shift A\n\nanna:{Secret.of('se:cret$')}\n bert : {Secret.of('other')} \n")
    logins = Logins(file)
    assert logins.check("anna", "se:cret$") == logins.secret("anna")
    assert logins.check("bert", "other") is not None
    assert logins.check("anna", "other") is None
    assert logins.check("nobody", "") is None
    assert logins.check("anna", "\udcff") is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"anna\n", r"line 1: not a login; write it with segnet-res logins FILE USER$"),
        (b"# x\n:x\n", r"line 2: not a login"),
        (b"anna:secret\n", r"line 1: the password is not hashed; delete it and write it with segn"),
        (b"anna:\n", r"line 1: the password is not hashed"),
        (b"anna:scrypt$16384$8$5$AAAA$AAAA\n", r"line 1: the password is not hashed"),
        (b"anna:scrypt$999999999$8$5$" + b"A" * 24 + b"$" + b"A" * 44, r"line 1: the password is"),
        (b"# none\n", r"no login found; write it with segnet-res logins FILE USER"),
        (b"\xff\xfe:a\n", r"it is no UTF-8 text"),
    ],
)
def test_broken_logins_are_told_without_the_password(tmp_path, content, message):
    file = tmp_path / "logins"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=message) as caught:
        read_logins(file)
    told = str(caught.value).replace(str(file), "")
    assert "anna" not in told
    assert "secret" not in told


def test_a_user_that_stands_twice_is_told(cheap, tmp_path):
    file = tmp_path / "logins"
    line = f"anna:{Secret.of('secret')}\n"
    file.write_text(line * 2)
    with pytest.raises(UsageError, match=r"line 2: 'anna' occurs twice; keep one line"):
        read_logins(file)


def test_missing_logins_are_told(tmp_path):
    with pytest.raises(UsageError, match=r"the logins cannot be read \(No such file"):
        read_logins(tmp_path / "none")


def test_a_new_file_is_for_its_owner_alone_and_other_lines_stay(cheap, tmp_path):
    file = tmp_path / "logins"
    assert not set_login(file, "anna", "first password")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    first = file.read_text()
    file.write_text(f"# shift A\n{first}")
    file.chmod(0o640)
    assert not set_login(file, "bert", "his password")
    assert set_login(file, "anna", "second password")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    lines = file.read_text().splitlines()
    assert lines[0] == "# shift A"
    assert [line.partition(":")[0] for line in lines[1:]] == ["anna", "bert"]
    assert first.strip() not in lines
    assert remove_login(file, "anna")
    assert list(read_logins(file)) == ["bert"]
    assert not remove_login(file, "anna")


def test_a_plain_password_is_replaced_where_it_stands(cheap, tmp_path):
    file = tmp_path / "logins"
    file.write_text("anna:in plain text\n")
    assert set_login(file, "anna", "in plain text")
    assert "in plain text" not in file.read_text()
    assert Logins(file).check("anna", "in plain text") is not None


def test_changes_count_at_once_and_a_broken_file_locks_nobody_out(cheap, tmp_path, caplog):
    file = tmp_path / "logins"
    set_login(file, "anna", "first password")
    logins = Logins(file)
    set_login(file, "bert", "his password")
    assert logins.check("bert", "his password") is not None
    file.write_text("half a line")
    os.utime(file, (1, 1))
    assert logins.check("bert", "his password") is not None
    assert "the former logins stay valid" in caplog.text
    set_login(file, "anna", "first password")
    file.write_text(file.read_text().replace("half a line\n", ""))
    assert logins.secret("bert") is None
