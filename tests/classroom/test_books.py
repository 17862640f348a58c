"""Tables of learning platforms, and late days: pure functions."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import kit  # noqa: E402,F401

from grader.classroom import platforms, policy  # noqa: E402
from grader.classroom.records import LabRow, Row, Setting, StageRow  # noqa: E402

CANVAS = ("Student,ID,SIS Login ID,Section,Labs (991),Labs two (7)\r\n    Points Possible,,,,600,\r\n"
          "\"Doe, Jane\",77,jdoe@x.edu,A,,1\r\n\"Doe, Jane\",78,jd2,A,5,\r\n\"Li, Ming\",9,ml,\"=1+1, \"\"q\"\"\",,\r\n")
MOODLE = ("\ufeffIdentifier,Full name,Email address,Status,Grade,Feedback\n"
          "Participant 1234,Jane Doe,jane@x.edu,Submitted,,\nParticipant 9,Zoë O'Neil,z@x.edu,,3.00,\"two\nlines\"\n")


def test_canvas_keeps_all_that_it_exported() -> None:
    filled = platforms.fill(CANVAS, "Labs", {"doejane_77": 540, "ml": 0, "nobody": 3})
    assert filled.text == CANVAS.replace("jdoe@x.edu,A,,1", "jdoe@x.edu,A,540,1").replace('""q""",,', '""q""",0,')
    assert (filled.column, filled.unmatched, filled.ambiguous, filled.without) == ("Labs (991)", ("nobody",), (), 1)
    assert platforms.fill(CANVAS, "Labs", {}).text == CANVAS


def test_two_of_one_name_get_nobodys_mark() -> None:
    filled = platforms.fill(CANVAS, "Labs", {"Jane Doe": 540, "jd2": None, "MING LI": 7})
    assert filled.ambiguous == ("Jane Doe",) and "A,540" not in filled.text and 'jd2,A,5,' in filled.text and '",7,' in filled.text


def test_moodle_keeps_its_mark_of_byte_order_and_its_lines() -> None:
    filled = platforms.fill(MOODLE, "", {"Jane Doe_1234": 88, "Zoe\u0308 O'Neil": 90})
    assert filled.text == MOODLE.replace("Submitted,,", "Submitted,88,").replace("3.00", "90")


@pytest.mark.parametrize(("text", "column", "said"), [
    (CANVAS, "Quiz", "no column 'Quiz': --column says which, of Section, Labs (991), Labs two (7)"),
    (MOODLE.replace("Status", "Grade"), "", "more than one column 'Grade'"), ("", "", "the table is empty")])
def test_a_table_without_the_column_is_told(text: str, column: str, said: str) -> None:
    with pytest.raises(platforms.TableError, match=said.replace("(", r"\(").replace(")", r"\)")):
        platforms.fill(text, column, {})


def test_gradescope_has_a_test_a_stage_and_no_score_where_the_grader_failed() -> None:
    stages = (StageRow("a", "first", 20, 20, "passed"), StageRow("b", "second", 5, 80, "failed"), StageRow("c", "third", 0, 0, "not_tried"))
    lab = LabRow("lab1", "x", 25, 100, "", stages, (), "it said \x1b[31m", 1.0)
    row = Row("anna", "anna", "anna", "2026-01-01T00:00:00+00:00", (), "", "none", 25, 100, (lab,), 1.0, Setting("k", "s", "auto", ("lab1",)), "")
    said = json.loads(platforms.gradescope(row, 20, "a day late"))
    assert said["score"] == 20 and [test["score"] for test in said["tests"]] == [20, 5, 0]
    assert [test["output"] for test in said["tests"]] == ["", "it said \\e[31m", ""] and "Sandbox: none" in said["output"]
    failed = Row(**{**row.__dict__, "trouble": "it broke", "score": None})
    assert "score" not in json.loads(platforms.gradescope(failed, None, ""))


def rule(tmp_path: Path, text: str) -> policy.Policy:
    (tmp_path / "p.toml").write_text("due = 2026-03-01T12:00:00+01:00\n" + text)
    return policy.read(tmp_path / "p.toml")


@pytest.mark.parametrize(("text", "came", "days", "final"), [
    ("percent_a_day = 10", "2026-03-01T11:00:00+00:00", 0, 95),
    ("percent_a_day = 10", "2026-03-01T11:00:01+00:00", 1, 85),        # 9.5 points are 10
    ("percent_a_day = 10\ngrace_minutes = 15", "2026-03-01T11:15:00+00:00", 0, 95),
    ("percent_a_day = 10\ngrace_minutes = 15", "2026-03-01T11:15:01+00:00", 1, 85),
    ("percent_a_day = 10", "2026-03-02T11:00:00+00:00", 1, 85),
    ("percent_a_day = 10\nfree_days = 2", "2026-03-04T10:00:00+00:00", 3, 85),
    ("percent_a_day = 60", "2026-03-04T10:00:00+00:00", 3, 0),
    ("cut_off_days = 2", "2026-03-03T11:00:00+00:00", 2, 95),
    ("cut_off_days = 2", "2026-03-03T11:00:01+00:00", 3, 0),
    ("cut_off_days = 0\n[extensions]\nanna = 3", "2026-03-04T11:00:00+00:00", 0, 95),
    ("cut_off_days = 0\n[submitted]\nanna = 2026-02-01T00:00:00Z", "2026-03-04T11:00:00+00:00", 0, 95)])
def test_late_days(tmp_path: Path, text: str, came: str, days: int, final: int) -> None:
    found = policy.apply(rule(tmp_path, text), "anna", 95, came)
    assert (found.days_late, found.final, found.taken_off) == (days, final, 95 - final)
    assert policy.apply(rule(tmp_path, text), "anna", None, came).final is None


@pytest.mark.parametrize(("text", "said"), [
    ("free = 1", "'free' is unknown"), ("free_days = -1", "'free_days' must be a whole number"), ("free_days = 1.5", "whole number"),
    ("percent_a_day = 101", "at most 100"), ("extensions = 1", "'extensions' is a table"), ("[extensions]\nanna = 'x'", "extensions: anna"),
    ("[submitted]\nanna = 2026-01-01", "submitted: anna' must be a time with its zone"), ("due =", "p.toml: ")])
def test_a_policy_that_is_none_is_told(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(policy.PolicyError, match=said) as raised:
        rule(tmp_path, text)
    assert "p.toml" in str(raised.value) and "\n" not in str(raised.value)
