"""`probe exit-codes`: what a CI job can rely on."""

from __future__ import annotations

from probe.cli.options import AsJson


def exit_codes(as_json: AsJson = False) -> None:
    """Explain every exit code."""
    from probe.report.exit_codes import exit_codes_document, exit_codes_table
    from probe.report.output import Output

    output = Output(as_json=as_json)
    if as_json:
        output.document(exit_codes_document())
    else:
        output.out.print(exit_codes_table())
