"""`probe weak`: weak networks to look at and to put programs behind."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from probe.cli.options import AsJson, Quiet

app = typer.Typer(
    name="weak",
    help="Weak networks: look at them, and put programs behind them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


Network = Annotated[str, typer.Argument(metavar="NAME|FILE", help="A network by name, or a profile's file.")]


@app.command("list")
def list_networks(*, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """List the networks that can be given by name, with their numbers and where these are from."""
    from probe.report.networks import list_networks as list_and_print
    from probe.report.output import Output

    list_and_print(Output(as_json=as_json, quiet=quiet))


@app.command()
def show(
    network: Network,
    *,
    duration: Annotated[
        str | None, typer.Option(metavar="D", help="How much of it, such as 60s (else what is worth seeing).")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Of the draws; the same again gives the same picture.")
    ] = 1,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Draw a network: delay, loss and rate over time, and what voice and video would suffer behind it.
    Computed in virtual time; no packet is sent."""
    from probe.report.network_show import show_network
    from probe.report.output import Output

    show_network(network, duration, seed, Output(as_json=as_json, quiet=quiet))


@app.command()
def relay(
    network: Network,
    *,
    to: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where packets go: a UDP server.")],
    listen: Annotated[
        str, typer.Option(metavar="[ADDRESS]:PORT", help="Where clients send to; `:5000` is every address.")
    ] = "127.0.0.1:0",
    duration: Annotated[
        str | None, typer.Option(metavar="D", help="How long, such as 10m (else until Ctrl-C).")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Repeat the draws of another time.")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Put any UDP client behind a weak network: send to --listen instead of --to. Both directions, any number of
    clients, no privileges. At the end: what was set, what was applied, what was measured."""
    from probe.report.output import Output
    from probe.report.weak_relay import RelayOptions, relay_and_report

    options = RelayOptions(network, to, listen, duration, seed)
    raise typer.Exit(relay_and_report(options, Output(as_json=as_json, quiet=quiet)))


@app.command("run")
def run_program(
    network: Network,
    command: Annotated[list[str], typer.Argument(metavar="-- PROGRAM [ARGS]...", help="What to run.")],
    *,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Repeat the draws of another run (by our own model).")
    ] = None,
    as_json: AsJson = False,
    out: Annotated[
        str | None, typer.Option("--out", metavar="json=PATH", help="Write the counters to a file, too.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Run PROGRAM behind a weak network, TCP and UDP, as an ordinary user; its exit code is ours.

    This machine's own services are at $PROBE_HOST for the program.
    """
    from probe.report.output import Output
    from probe.report.weak_run import WeakRunOptions, json_file, run_weak

    options = WeakRunOptions(seed, json_file(out))
    raise typer.Exit(run_weak(network, command, options, Output(as_json=as_json, quiet=quiet)))


@app.command()
def check(
    network: Network,
    node: Annotated[str, typer.Argument(metavar="HOST:PORT", help="A running probe node.")],
    *,
    key_file: Annotated[
        Path | None, typer.Option(help="File with the node's shared key (else $PROBE_KEY).")
    ] = None,
    fingerprint: Annotated[
        str | None, typer.Option(metavar="sha256:...", help="Of the node's certificate.")
    ] = None,
    cafile: Annotated[str | None, typer.Option(metavar="FILE", help="Or who has signed it.")] = None,
    duration: Annotated[str, typer.Option(metavar="D", help="Of each stream.")] = "10s",
    video_rate: Annotated[
        str | None, typer.Option(metavar="RATE", help="Of the video, such as 300kbps (else 1200kbps).")
    ] = None,
    repeat: Annotated[int, typer.Option(min=1, help="How often each stream is measured.")] = 2,
    results: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder that results are kept in.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Repeat the random choices of another check.")
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Voice and video at a node, clean and behind a weak network in turn: one table, and a verdict by what is playable
    in time. The exit code is the verdict's."""
    from probe.report.output import Output
    from probe.report.weak_check import CheckOptions, check_and_report

    options = CheckOptions(
        *(network, node, key_file, fingerprint, cafile, duration, video_rate, repeat, results, seed)
    )
    raise typer.Exit(check_and_report(options, Output(as_json=as_json, quiet=quiet)))
