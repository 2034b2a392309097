"""The command that writes logins."""

import pytest

from segnet_res.cli import app
from segnet_res.web.passwords import Logins


def test_a_password_is_asked_for_twice_and_only_its_hash_is_kept(runner, tmp_path):
    file = tmp_path / "logins"
    result = runner.invoke(
        app, ["logins", str(file), "anna"], input="correct horse\ncorrect horse\n"
    )
    assert result.exit_code == 0
    assert "correct horse" not in result.output
    assert result.output.endswith(f"anna can log in with {file}\n")
    assert "correct horse" not in file.read_text()
    assert Logins(file).check("anna", "correct horse") is not None


def test_a_slip_is_asked_again_and_a_new_password_replaces_the_old(runner, tmp_path):
    file = tmp_path / "logins"
    runner.invoke(app, ["logins", str(file), "anna"], input="first password\n" * 2)
    answers = "second password\nsecond passw0rd\n" + "second password\n" * 2
    result = runner.invoke(app, ["logins", str(file), "anna"], input=answers)
    assert result.output.endswith(f"anna has a new password in {file}\n")
    assert file.read_text().count("anna:") == 1
    logins = Logins(file)
    assert logins.check("anna", "first password") is None
    assert logins.check("anna", "second password") is not None


def test_a_user_is_taken_out(runner, tmp_path):
    file = tmp_path / "logins"
    for user in ("anna", "bert"):
        runner.invoke(app, ["logins", str(file), user], input="correct horse\n" * 2)
    assert runner.invoke(app, ["logins", str(file), "anna", "--remove"]).exit_code == 0
    assert Logins(file).secret("anna") is None
    assert Logins(file).secret("bert") is not None
    result = runner.invoke(app, ["logins", str(file), "anna", "--remove"])
    assert result.exit_code == 2
    assert result.stderr == (
        f"error: {file}: there is no user 'anna'; look into the file for the right name\n"
    )


@pytest.mark.parametrize("user", ["", " anna", "a:b", "#anna", "an\nna", "x" * 101])
def test_what_is_no_name_is_refused_before_the_question(runner, tmp_path, user):
    result = runner.invoke(app, ["logins", str(tmp_path / "logins"), "--", user])
    assert result.exit_code == 2
    assert result.stderr.startswith("error: user ")
    assert "not a name; take up to 100 characters" in result.stderr
    assert not (tmp_path / "logins").exists()


def test_a_short_password_is_refused(runner, tmp_path):
    result = runner.invoke(app, ["logins", str(tmp_path / "logins"), "anna"], input="short\n" * 2)
    assert result.exit_code == 2
    assert "error: a password of 5 characters; take 8 to 1024" in result.stderr
    assert not (tmp_path / "logins").exists()
