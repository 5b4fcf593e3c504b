"""``sothebais staff …``: who operates the house."""

import asyncio
import getpass
import sys
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from sothebais.cli.house import acting, as_json, opened, out, told
from sothebais.errors import Conflict, InvalidInput
from sothebais.users import passwords
from sothebais.users.staff import Enrolment
from sothebais.users.tables import Role

app = typer.Typer(no_args_is_help=True)

PASSWORD_TRIES = 3


class StaffRole(StrEnum):
    """The roles of the staff, as they are typed."""

    ADMIN = "admin"
    OPERATOR = "operator"


Email = Annotated[str, typer.Argument(help="The address they sign in by.")]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


@app.command()
@told
def add(
    email: Email,
    role: Annotated[StaffRole, typer.Option("--role", help="What they may do.")] = StaffRole.OPERATOR,
    password_stdin: FromStdin = False,
    json: AsJson = False,
) -> None:
    """Add somebody. Prints the authenticator's address and the recovery codes, once; and the password, if it made one."""
    password, made = _password(password_stdin)
    enrolment = asyncio.run(enrol(email, Role(role.value.upper()), password))
    show(enrolment, password if made else None, json=json)


@app.command()
@told
def reset(email: Email, password_stdin: FromStdin = False, json: AsJson = False) -> None:
    """New password, authenticator and recovery codes; passkeys are removed and every session ends."""
    password, made = _password(password_stdin)

    async def run() -> Enrolment:
        async with opened() as house, acting(house) as actor:
            store = house.store()
            try:
                return await house.people(store).staff.reset(email, password, actor=actor)
            finally:
                await store.close()

    show(asyncio.run(run()), password if made else None, json=json)


@app.command("list")
@told
def list_(json: AsJson = False) -> None:
    """Everybody on the staff, and what they can sign in by."""

    async def run() -> list[dict[str, Any]]:
        async with opened() as house:
            return await house.people().staff.members()

    members = asyncio.run(run())
    if json:
        as_json(members)
        return
    table = Table("Address", "Role", "Authenticator", "Passkeys", "Recovery codes", box=None, pad_edge=False)
    for one in members:
        table.add_row(
            escape(one["email"]),
            one["role"] + (" (blocked)" if one["blocked"] else ""),
            "yes" if one["totp"] else "no",
            str(one["passkeys"]),
            str(one["recovery_codes"]),
        )
    out.print(table)


async def enrol(email: str, role: Role, password: str) -> Enrolment:
    """Make the account, in a house of its own."""
    async with opened() as house, acting(house) as actor:
        # the account's events name who made it, who must be there before them
        return await house.people().staff.add(email, role, password, actor=actor)


async def has_admin() -> bool:
    """Whether anybody can administer this house."""
    async with opened() as house:
        return any(one["role"] == Role.ADMIN for one in await house.people().staff.members())


def show(enrolment: Enrolment, password: str | None, *, json: bool = False) -> None:
    """What is told once."""
    if json:
        told_once: dict[str, Any] = {
            "id": str(enrolment.user),
            "email": enrolment.email,
            "role": enrolment.role.value,
            "totp_uri": enrolment.totp_uri,
            "recovery_codes": list(enrolment.recovery_codes),
        }
        as_json(told_once if password is None else told_once | {"password": password})
        return
    out.print(f"{escape(enrolment.email)} is {enrolment.role.value} now. What follows is shown once:", highlight=False)
    lines = [] if password is None else [f"Password: {password}"]
    lines += [f"Authenticator: {enrolment.totp_uri}", "Recovery codes, each good once:", *enrolment.recovery_codes]
    for line in lines:
        out.print(f"  {escape(line)}", highlight=False, soft_wrap=True)


def asked_password() -> str:
    """A password typed twice. Raises Conflict when the two differ time and again."""
    for _ in range(PASSWORD_TRIES):
        first = getpass.getpass("Password: ")
        if first == getpass.getpass("Once more: "):
            return first
        sys.stderr.write("The two are not the same.\n")
    raise Conflict("The two passwords were not the same. Nothing was changed.")


def _password(from_stdin: bool) -> tuple[str, bool]:
    """The password, and whether the house made it up."""
    if from_stdin:
        text = sys.stdin.readline().rstrip("\r\n")
        if not text:
            raise InvalidInput("There was no password on standard input.")
        return text, False
    if sys.stdin.isatty():
        return asked_password(), False
    return passwords.generated(), True
