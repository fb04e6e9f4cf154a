"""How a command ends: one sentence, a hint, an exit code."""

from __future__ import annotations

import json
from typing import Annotated

import pytest
import typer

from probe import errors
from probe.cli.failures import execute
from probe.errors import ProbeError

SECRET = "correct horse battery staple"
FAILURES: dict[str, BaseException] = {
    "config": errors.ConfigError("no such plan 'x'", hint="probe plan new ID writes one"),
    "key": errors.AuthenticationFailed("node alpha/jkt-1 refuses our key", hint="check $ALPHA_KEY"),
    "fingerprint": errors.FingerprintMismatch("node alpha/jkt-1 has another certificate"),
    "disk": errors.StoreError("results cannot be written: no space left on device"),
    "unreachable": errors.Unreachable("no answer from 203.0.113.9:40000"),
    "protocol": errors.ProtocolError("not a message"),
    "interrupt": KeyboardInterrupt(),
    "abort": typer.Abort(),
    "exit": typer.Exit(99),
    "value": ValueError("impossible"),
    "pipe": BrokenPipeError(32, "Broken pipe"),
}
app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def fail(name: str, as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    password = SECRET
    if name != "nothing":
        raise FAILURES[name]
    typer.echo(str(len(password)))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("nothing", 0),
        ("config", 2),
        ("key", 3),
        ("fingerprint", 3),
        ("disk", 3),
        ("unreachable", 99),
        ("protocol", 1),
        ("interrupt", 130),
        ("abort", 130),
        ("exit", 99),
        ("value", 1),
    ],
)
def test_exit_codes(name: str, code: int) -> None:
    assert execute(app, [name]) == code


def test_an_expected_failure_is_one_sentence_and_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    execute(app, ["key"])
    shown = capsys.readouterr()
    assert shown.err == "error: node alpha/jkt-1 refuses our key\nhint: check $ALPHA_KEY\n"
    assert shown.out == ""


def test_an_interrupt_needs_no_words(capsys: pytest.CaptureFixture[str]) -> None:
    execute(app, ["interrupt"])
    assert "Traceback" not in capsys.readouterr().err


def test_with_json_stdout_is_one_document_also_then(capsys: pytest.CaptureFixture[str]) -> None:
    execute(app, ["config", "--json"])
    assert json.loads(capsys.readouterr().out) == {
        "schema_version": 1,
        "error": {
            "code": "ConfigError",
            "message": "no such plan 'x'",
            "hint": "probe plan new ID writes one",
        },
        "exit_code": 2,
    }


@pytest.mark.parametrize("arguments", [[], ["--jsno"], ["config", "more"]])
def test_a_wrong_command_line_is_a_sentence(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(app, arguments) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert error.startswith("error: ")
    assert hint == "hint: probe --help shows what it takes"


def test_a_wrong_command_line_with_json(capsys: pytest.CaptureFixture[str]) -> None:
    execute(app, ["--json", "--what"])
    document = json.loads(capsys.readouterr().out)
    assert document["error"]["code"] == "UsageError"
    assert document["exit_code"] == 2


def test_a_crash_shows_where_and_no_values(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(app, ["value"]) == 1
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert "raise FAILURES[name]" in told
    assert "error: probe crashed: ValueError: impossible" in told
    assert "this is a fault of probe" in told
    assert SECRET not in told


def test_a_crash_with_json(capsys: pytest.CaptureFixture[str]) -> None:
    execute(app, ["value", "--json"])
    assert json.loads(capsys.readouterr().out)["exit_code"] == 1


def test_a_broken_pipe_that_is_not_stdout_is_a_crash(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("probe.cli.failures._nobody_reads", lambda: False)
    assert execute(app, ["pipe"]) == 1
    assert "BrokenPipeError" in capsys.readouterr().err


def test_many_mistakes_of_a_plan_keep_their_lines(capsys: pytest.CaptureFixture[str]) -> None:
    class Two(ProbeError):
        exit_status = errors.ExitStatus.CONFIG

    FAILURES["plan"] = Two("a.yaml:1:1: unknown key 'x'\n     1 | x: 1\n       | ^\na.yaml:2:1: and another")
    assert execute(app, ["plan"]) == 2
    assert capsys.readouterr().err.startswith("a.yaml:1:1: unknown key 'x'\n     1 | x: 1\n       | ^\n")


def test_what_a_node_says_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    FAILURES["hostile"] = errors.NotMeasured("refused: \x1b[2Jbusy", hint="\x07")
    execute(app, ["hostile"])
    assert capsys.readouterr().err == "error: refused: ?[2Jbusy\nhint: ?\n"
