"""``segnet-res logins``: who may open the page."""

from pathlib import Path
from typing import Annotated

import typer


def logins(
    file: Annotated[Path, typer.Argument(help="File of logins; it is made where there is none.")],
    user: Annotated[str, typer.Argument(help="Name that the user logs in with.")],
    remove: Annotated[bool, typer.Option("--remove", help="Take the user out.")] = False,
) -> None:
    """Give a user of the page a password, or a new one.

    Asks for the password twice; the file holds what scrypt makes of it, never the password. A page
    that runs with --auth FILE takes changes at once. Example: segnet-res logins page.logins anna
    """
    from segnet_res.cli._console import fail, say
    from segnet_res.web.passwords import check_user, remove_login, set_login

    if remove:
        if not remove_login(file, user):
            fail(f"{file}: there is no user {user!r}; look into the file for the right name")
        say(f"{user} is no longer in {file}")
        return
    # Before the questions: nobody types a password twice for nothing.
    check_user(user)
    password = typer.prompt("Password", hide_input=True, confirmation_prompt="Once more")
    known = set_login(file, user, password)
    say(f"{user} has a new password in {file}" if known else f"{user} can log in with {file}")
