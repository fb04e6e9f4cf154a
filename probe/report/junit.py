"""JUnit XML for test reports of CI servers: a test case a threshold and cell.

GitLab shows `classname`, `name`, `file` and the text of failure, error and skipped; of cases with the same
name it keeps the first. So names are unique and every text repeats its message.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence

from probe.analysis.results import FAIL, INCONCLUSIVE, NOT_MEASURED, PASS, Assessment, Judgement
from probe.records import Json
from probe.report.checks import Check, checks, without_checks
from probe.report.header import country_of
from probe.report.printable import printable
from probe.report.verdict import overall

_ELEMENT = {FAIL: "failure", INCONCLUSIVE: "skipped", NOT_MEASURED: "error"}
_PROPERTIES = ("run_id", "verdict", "exit_code", "emulated", "vantage")


def junit(assessment: Assessment, manifest: Json) -> str:
    """Only a gate that failed is a failure and only a gate that was not measured an error; what is
    inconclusive, and a warning, is skipped with its sentence."""
    stopped = without_checks(assessment)
    found = checks(assessment.thresholds)
    suite = ET.Element("testsuite", name=_name(assessment, manifest))
    if manifest.get("started_at"):
        suite.set("timestamp", str(manifest["started_at"])[:19])
    properties = ET.SubElement(suite, "properties")
    for name in _PROPERTIES:
        ET.SubElement(properties, "property", name=name, value=_plain(getattr(assessment, name)))
    if stopped is not None:
        case = ET.SubElement(suite, "testcase", classname="probe", name="run")
        _add(case, "error", "not_measured", stopped)
    for check in found:
        _case(suite, check)
    ET.SubElement(suite, "system-out").text = printable(overall(assessment).plain)
    root = ET.Element("testsuites", name="probe")
    root.append(suite)
    for element in (root, suite):
        _count(element, suite)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _case(suite: ET.Element, check: Check) -> None:
    judgement = check.judgement
    case = ET.SubElement(suite, "testcase", classname=check.node, name=check.name)
    if judgement.file is not None:
        case.set("file", printable(judgement.file))
        case.set("line", str(judgement.line or 1))
    if judgement.verdict == PASS:
        ET.SubElement(case, "system-out").text = check.told
        return
    element = _ELEMENT[judgement.verdict] if judgement.severity == "gate" else "skipped"
    _add(case, element, check.outcome, _with_place(check.told, judgement))


def _add(case: ET.Element, element: str, kind: str, text: str) -> None:
    message = printable(text)
    found = ET.SubElement(case, element, type=kind, message=message)
    found.text = message


def _with_place(text: str, judgement: Judgement) -> str:
    return f"{text} ({judgement.file}:{judgement.line or 1})" if judgement.file else text


def _count(element: ET.Element, suite: ET.Element) -> None:
    cases: Sequence[ET.Element] = suite.findall("testcase")
    element.set("tests", str(len(cases)))
    for attribute, name in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(attribute, str(sum(case.find(name) is not None for case in cases)))


def _name(assessment: Assessment, manifest: Json) -> str:
    emulated = " EMULATED" if assessment.emulated else ""
    return printable(f"probe {country_of(assessment, manifest)}{emulated}")


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else printable(str(value))
