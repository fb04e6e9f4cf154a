"""JUnit as a consumer library reads it, and by GitLab's rules."""

from __future__ import annotations

from dataclasses import replace

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase

from probe.report.junit import junit
from tests.report.judged import HOSTILE, MANIFEST, judged


def cases(text: str) -> list[TestCase]:
    return [case for suite in JUnitXml.fromstring(text.encode()) for case in suite]


def test_every_verdict_has_its_element() -> None:
    found = cases(junit(judged(), MANIFEST))
    kinds = [[type(result) for result in case.result] for case in found]
    assert kinds == [[], [Failure], [Failure], [Skipped], [Error], [Skipped], []]


def test_the_counts_are_those_of_the_cases() -> None:
    root = JUnitXml.fromstring(junit(judged(), MANIFEST).encode())
    (suite,) = root
    counts = (suite.tests, suite.failures, suite.errors, suite.skipped)
    assert counts == (7, 2, 1, 2)
    assert (root.tests, root.failures, root.errors, root.skipped) == counts
    suite.update_statistics()  # type: ignore[no-untyped-call]
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == counts
    properties = suite.properties()  # type: ignore[no-untyped-call]
    assert suite.name == "probe Indonesia <script> (ID) EMULATED"
    assert {item.name: item.value for item in properties}["exit_code"] == "99"


def test_gitlab_keeps_every_case_and_shows_why() -> None:
    """It keeps the first of a name and shows an element's text, not its message."""
    found = cases(junit(judged(), MANIFEST))
    assert len({(case.classname, case.name) for case in found}) == len(found)
    for case in found:
        for result in case.result:
            assert result.message
            assert result.text == result.message
    assert found[1].classname == f"{HOSTILE}/jkt-1"
    assert found[1].result[0].text.startswith("fail: 243.2 ms [231, 260] against < 200 ms, n 1500.")
    assert found[1].result[0].text.endswith("(plans/indonesia.yaml:41)")


def test_control_characters_do_not_break_the_file() -> None:
    base = judged()
    scope = {"vendor": "al\x00pha\x1b[1m", "node": "n"}
    found = cases(junit(replace(base, thresholds=(replace(base.thresholds[0], scope=scope),)), MANIFEST))
    assert found[0].classname == "al?pha?[1m/n"


def test_a_run_that_judged_nothing_is_no_green_file() -> None:
    for change in ({"thresholds": ()}, {"verdict": "interrupted", "exit_code": 130}):
        found = cases(junit(replace(judged(), **change), MANIFEST))
        assert [type(result) for result in found[0].result] == [Error]
