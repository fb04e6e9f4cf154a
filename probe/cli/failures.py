"""How a command ends when it cannot do its work: one sentence, a hint, and an exit code."""

from __future__ import annotations

import errno
import select
import sys
import traceback
from collections.abc import Sequence
from io import TextIOWrapper

import typer

from probe.errors import ExitStatus, ProbeError

SCHEMA_VERSION = 1

_CommandError = typer.BadParameter.__mro__[2]
"""Typer's own errors about a command line; it has no public name for them."""


def execute(app: typer.Typer, arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; whatever goes wrong has been told then."""
    ours = list(arguments)[: arguments.index("--")] if "--" in arguments else arguments  # not a program's
    as_json = "--json" in ours
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without ✓ is no reason to lose a report
    try:
        code = app(list(arguments), prog_name="probe", standalone_mode=False)
        sys.stdout.flush()
    except ProbeError as error:
        return _tell(error, as_json)
    except typer.Exit as stop:
        return stop.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted(as_json)
    except SystemExit as stop:
        return _stopped(stop)
    except BrokenPipeError as error:
        return _broken_pipe(error, as_json)
    except Exception as error:  # noqa: BLE001 - every fault ends with an exit code and a sentence
        if isinstance(error, _CommandError):
            return _usage(error, as_json)
        return _crash(error, as_json)
    return code if isinstance(code, int) else int(ExitStatus.PASS)


def _tell(error: ProbeError, as_json: bool) -> int:
    """An expected failure. A plan's errors bring their own place and caret, on lines of their own."""
    text = str(error)
    _print(text if "\n" in text else f"error: {text}", error.hint)
    code = int(error.exit_status)
    if as_json:
        _document(type(error).__name__, text, error.hint, code)
    return code


def _usage(error: Exception, as_json: bool) -> int:
    """A command line that typer refuses; without arguments it has no message but the help."""
    code = int(getattr(error, "exit_code", ExitStatus.CONFIG))
    message = str(error.format_message()) if hasattr(error, "format_message") else str(error)
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(message, err=True)
        return code
    path = context.command_path if context is not None else "probe"
    hint = f"{path} --help shows what it takes"
    _print(f"error: {message}", hint)
    if as_json:
        _document("UsageError", message, hint, code)
    return code


def _crash(error: BaseException, as_json: bool) -> int:
    """A fault of our own, with the traceback (which shows no values) for whoever mends it."""
    traceback.print_exception(error)
    sentence = f"probe crashed: {type(error).__name__}: {error}"
    hint = "this is a fault of probe, not of the plan or a vendor; please report it with the lines above"
    _print(f"error: {sentence}", hint)
    if as_json:
        _document("Crash", sentence, hint, int(ExitStatus.CRASH))
    return int(ExitStatus.CRASH)


def _interrupted(as_json: bool) -> int:
    """Ctrl-C before anything was measured (later a run ends by itself, with its results)."""
    sentence = "stopped before anything was done"
    _print(f"error: {sentence}", "")
    if as_json:
        _document("Interrupted", sentence, "", int(ExitStatus.SIGINT))
    return int(ExitStatus.SIGINT)


def _stopped(stop: SystemExit) -> int:
    """Typer turns any broken pipe into exit 1; only that of our own output is no crash."""
    cause = stop.__context__
    if stop.code == 1 and isinstance(cause, OSError) and cause.errno == errno.EPIPE:
        return _broken_pipe(cause, as_json=False)
    return stop.code if isinstance(stop.code, int) else int(ExitStatus.CRASH)


def _broken_pipe(error: OSError, as_json: bool) -> int:
    if not _nobody_reads():
        return _crash(error, as_json)
    from probe.report.output import BROKEN_PIPE, silence_stdout

    silence_stdout()
    return BROKEN_PIPE


def _nobody_reads() -> bool:
    """Whether the other end of stdout is closed."""
    poll = select.poll()
    poll.register(1, 0)
    return any(state & (select.POLLERR | select.POLLHUP) for _, state in poll.poll(0))


def _print(text: str, hint: str) -> None:
    from probe.report.printable import printable

    typer.echo(printable(text), err=True)
    if hint:
        typer.echo(printable(f"hint: {hint}"), err=True)


def _document(code: str, message: str, hint: str, exit_code: int) -> None:
    """With --json stdout is one document, also when there are no results."""
    from probe.report.document import encode

    error = {"code": code, "message": message, "hint": hint}
    typer.echo(encode({"schema_version": SCHEMA_VERSION, "error": error, "exit_code": exit_code}))
