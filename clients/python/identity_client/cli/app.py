"""The command line itself: global options, commands, and the one place where failures become exit codes."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from identity_client import IdentityServiceError
from identity_client.cli.account_command import account
from identity_client.cli.credential_commands import credentials
from identity_client.cli.examples import epilog
from identity_client.cli.exit_codes import EPILOG, ExitCode
from identity_client.cli.failures import BadInputError, CliError, as_cli_error
from identity_client.cli.group_commands import groups
from identity_client.cli.init_command import INIT_EXAMPLES, init
from identity_client.cli.interrupts import ended_as_by_interrupt
from identity_client.cli.keygen_command import KEYGEN_EXAMPLES, keygen
from identity_client.cli.list_command import LIST_EXAMPLES, list_users
from identity_client.cli.mfa_commands import mfa
from identity_client.cli.open_command import OPEN_EXAMPLES, open_secrets
from identity_client.cli.operation_commands import operations
from identity_client.cli.permission_commands import ASSIGN_EXAMPLES, REVOKE_EXAMPLES, assign, revoke
from identity_client.cli.plan_command import PLAN_EXAMPLES, plan
from identity_client.cli.policy_commands import policies
from identity_client.cli.provision_command import PROVISION_EXAMPLES, provision
from identity_client.cli.session import Output, Session, printable
from identity_client.cli.update_command import UPDATE_EXAMPLES, update
from identity_client.cli.user_commands import ADOPT_EXAMPLES, DELETE_EXAMPLES, GET_EXAMPLES, adopt, delete, get

_DEFAULT_TIMEOUT = 60.0
_ARGUMENTS = "identity_client.cli.arguments"
_PARSER_WORDS = "Value error, "


class Commands(TyperGroup):
    """Ends every command with an exit code, and takes the global options behind the command as well."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Move the global options to the front, wherever they were written."""
        ctx.meta[_ARGUMENTS] = tuple(args)
        try:
            return super().parse_args(ctx, self._global_options_first(args))
        except TyperException as error:
            raise _in_plain_words(error) from None

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a failure is told in words, never as a traceback."""
        with ended_as_by_interrupt():
            return self._invoke(ctx)

    def _invoke(self, ctx: Any) -> Any:
        failure: CliError
        try:
            return super().invoke(ctx)
        except TyperException as error:
            if not _wants_json(ctx):
                raise _in_plain_words(error) from None
            failure = BadInputError(_in_plain_words(error).format_message())
        except typer.Abort:
            failure = CliError("Interrupted.", ExitCode.INTERRUPTED)
        except IdentityServiceError as error:
            failure = as_cli_error(error)
        except CliError as error:
            failure = error
        except UnicodeError:
            failure = BadInputError("An option, or the users file, holds what is no UTF-8 text.")
        except KeyboardInterrupt:
            failure = CliError("Interrupted.", ExitCode.INTERRUPTED)
        except OSError as error:
            failure = _unwritten(error)
        with suppress(OSError):
            typer.echo(printable(str(failure)), err=True)
        with suppress(OSError):
            if _wants_json(ctx) and not ctx.obj.json_written:
                ctx.obj.write_json(failure.document())
        raise typer.Exit(failure.exit_code)

    def _global_options_first(self, args: list[str]) -> list[str]:
        takes_value = {
            name: not getattr(option, "is_flag", False)
            for option in self.params
            for name in option.opts
            if name.startswith("--") and name != "--help"
        }
        first: list[str] = []
        rest: list[str] = []
        waiting = list(args)
        while waiting:
            arg = waiting.pop(0)
            if arg == "--":
                rest += [arg, *waiting]
                break
            name, equals, _ = arg.partition("=")
            if name not in takes_value:
                rest.append(arg)
                continue
            first.append(arg)
            if takes_value[name] and not equals and waiting:
                first.append(waiting.pop(0))
        return [*first, *rest]


def _in_plain_words(error: TyperException) -> TyperException:
    """Take out of a message what the library beneath the option parser calls every mistake."""
    error.message = error.message.replace(_PARSER_WORDS, "")
    return error


def _wants_json(context: Any) -> bool:
    """Tell whether the run is to end with a JSON document, once the global options are known."""
    return isinstance(context.obj, Session) and context.obj.as_json


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"identityctl {version('identity-provisioning-client')}")
        raise typer.Exit


def _unwritten(error: OSError) -> CliError:
    """Answer what could not be read or written, and leave what is still buffered for the output unwritten."""
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 -- lives as long as the process
    what = error.filename or "The output could not be written"
    return CliError(f"{what}: {error.strerror or error}", ExitCode.SOME_FAILED)


app = typer.Typer(
    name="identityctl",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback(
    epilog="Shell completion for bash, zsh, fish and PowerShell: identityctl --install-completion, then open a new "
    f"shell; identityctl --show-completion prints what it installs.\n\n{EPILOG}"
)
def global_options(
    context: typer.Context,
    target: Annotated[str, typer.Option("--target", envvar="IDENTITY_TARGET", help="The service, HOST:PORT.")] = "",
    ca: Annotated[
        Path | None, typer.Option("--ca", envvar="IDENTITY_CA", help="PEM file: who signs the server.")
    ] = None,
    cert: Annotated[
        Path | None, typer.Option("--cert", envvar="IDENTITY_CERT", help="PEM file: your certificate.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--key", envvar="IDENTITY_KEY", help="PEM file: your private key.")
    ] = None,
    server_name: Annotated[
        str,
        typer.Option("--server-name", envvar="IDENTITY_SERVER_NAME", help="The name in the server's certificate."),
    ] = "",
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Speak in clear; for a service on this machine only.")
    ] = False,
    account_id: Annotated[
        str, typer.Option("--account", envvar="IDENTITY_ACCOUNT", help="The AWS account, 12 digits.")
    ] = "",
    output: Annotated[
        Output, typer.Option("--output", help="How results are written to standard output.")
    ] = Output.TABLE,
    timeout: Annotated[
        float,
        typer.Option("--timeout", min=0.1, help="Seconds for each call; until then what may pass is tried again."),
    ] = _DEFAULT_TIMEOUT,
    show_version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version.")
    ] = False,
) -> None:
    """Make, look at, change and delete AWS IAM users through the identity service."""
    context.obj = Session(
        target=target,
        ca=ca,
        certificate=cert,
        key=key,
        server_name=server_name,
        insecure=insecure,
        account=account_id,
        output=output,
        timeout=timeout,
        arguments=context.meta.get(_ARGUMENTS, ()),
    )


app.command(epilog=epilog(*PLAN_EXAMPLES))(plan)
app.command(epilog=epilog(*PROVISION_EXAMPLES))(provision)
app.add_typer(operations, name="operations")
app.command(epilog=epilog(*INIT_EXAMPLES))(init)
app.command(epilog=epilog(*GET_EXAMPLES))(get)
app.command("list", epilog=epilog(*LIST_EXAMPLES))(list_users)
app.command(epilog=epilog(*UPDATE_EXAMPLES))(update)
app.command(epilog=epilog(*ADOPT_EXAMPLES))(adopt)
app.command(epilog=epilog(*DELETE_EXAMPLES))(delete)
app.add_typer(credentials, name="credentials")
app.add_typer(mfa, name="mfa")
app.command(epilog=epilog(*ASSIGN_EXAMPLES))(assign)
app.command(epilog=epilog(*REVOKE_EXAMPLES))(revoke)
app.add_typer(groups, name="groups")
app.add_typer(policies, name="policies")
app.command(epilog=epilog("account", "account --output json"))(account)
app.command(epilog=epilog(*KEYGEN_EXAMPLES))(keygen)
app.command("open", epilog=epilog(*OPEN_EXAMPLES))(open_secrets)
