"""Skeleton and solution are one source: the same contract, and the same in all that isn't the student's to write.

The student writes function bodies, functions of their own (static), types, constants and system includes. Given are
the contract's functions as the header declares them, the kit's own includes, and in the skeleton's bodies whatever
isn't a TODO's stand-in. All that is given must stand in the solution too, in the same order.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from kit import KIT, LABS, solution

# Given lines that the solution has no use for, and what it does instead.
OTHERWISE = {
    ("lab1", "send_all"): "the loop makes no call for 0 bytes",
    ("lab3", "server_accept"): "write_peer() writes the text once there is a client",
    ("lab6", "send_within"): "with nothing left its loop ends before the first call",
}
STAND_INS = (                       # "not implemented", as skeletons say it
    r"(\(void\)\w+;\s*)*errno = ENOSYS;\s*return (-1|NULL|PORT_UNKNOWN);",
    r"(\(void\)\w+;\s*)+return \(struct \w+\)\{0\};",
    r"\(void\)\w+;",
)


@dataclass(frozen=True)
class Outline:
    """What of a C file is compared."""

    includes: tuple[str, ...]       # of the kit's own headers
    functions: dict[str, str]       # those that others can call: the declaration, in one line
    bodies: dict[str, tuple[str, ...]]
    structs: dict[str, tuple[str, ...]]


def without_comments(text: str) -> str:
    """The C text, with a blank for each comment; what looks like one in a string is left alone."""
    return re.sub(r'("(?:\\.|[^"\\\n])*")|/\*.*?\*/|//[^\n]*', lambda found: found[1] or " ", text, flags=re.DOTALL)


def one_line(text: str) -> str:
    return re.sub(r"\s*([(),;*])\s*", r"\1", " ".join(text.split()))


def lines_of(body: str) -> tuple[str, ...]:
    return tuple(" ".join(line.split()) for line in body.splitlines() if line.strip())


def outline(text: str) -> Outline:
    """Reads a C file that is laid out as clang-format lays them out: a function's braces begin lines."""
    plain = without_comments(text)
    functions, bodies = {}, {}
    for found in re.finditer(r"^([a-z][^;{}#=]*?(\w+)\([^;{}]*\))\n\{\n(.*?)^\}", plain, re.MULTILINE | re.DOTALL):
        head, name, body = found.groups()
        if not head.startswith("static "):
            functions[name] = one_line(head)
        bodies[name] = lines_of(body)
    structs = {found[1]: lines_of(found[2])
               for found in re.finditer(r"^struct (\w+) \{\n(.*?)^\};", plain, re.MULTILINE | re.DOTALL)}
    return Outline(tuple(re.findall(r'^#include "([^"]+)"', plain, re.MULTILINE)), functions, bodies, structs)


def declared(header: str) -> dict[str, str]:
    """The functions that a header declares, by name."""
    plain = without_comments(header)
    found = re.finditer(r"^([a-z][\w \n*]*?\b(\w+)\([^;{}]*\));", plain, re.MULTILINE)
    return {one[2]: one_line(one[1]) for one in found if not one[1].startswith("static ")}


def given_lines(skeleton: str) -> dict[str, tuple[str, ...]]:
    """What each function of a skeleton has besides the stand-ins of its TODOs."""
    plain = without_comments(skeleton)
    for stand_in in STAND_INS:
        plain = re.sub(stand_in, " ", plain)
    return outline(plain).bodies


def missing_in_order(wanted: Sequence[str], there: Sequence[str]) -> str:
    """A diff where `there` doesn't have all that is wanted in that order, "" where it does."""
    rest = iter(there)
    if all(line in rest for line in wanted):
        return ""
    return "\n".join(line for line in difflib.ndiff(wanted, there) if not line.startswith("? "))


def drift(header: str, skeleton: str, solved: str, otherwise: Sequence[str] = ()) -> list[str]:
    """Where the three differ in what they must share, a text each. otherwise: functions whose given lines don't count."""
    contract, ours, theirs = declared(header), outline(skeleton), outline(solved)
    found = []
    for name, seen in (("the skeleton", ours), ("the solution", theirs)):
        if seen.functions != contract:
            diff = difflib.unified_diff(sorted(contract.values()), sorted(seen.functions.values()), "the contract", name,
                                        lineterm="", n=0)
            found.append("functions differ\n" + "\n".join(diff))
    if ours.includes != theirs.includes:
        found.append(f"the kit's headers differ: the skeleton includes {ours.includes}, the solution {theirs.includes}")
    for name, wanted in given_lines(skeleton).items():
        diff = "" if name in otherwise else missing_in_order(wanted, theirs.bodies.get(name, ()))
        if diff:
            found.append(f"{name}() has lines in the skeleton that the solution hasn't\n{diff}")
    for name, members in ours.structs.items():
        if diff := missing_in_order(members, theirs.structs.get(name, ())):
            found.append(f"struct {name} has members in the skeleton that the solution hasn't\n{diff}")
    return found


@pytest.mark.parametrize("lab", LABS)
def test_skeleton_and_solution_are_one_source(lab: str) -> None:
    folder = LABS[lab].folder
    header, skeleton = (folder / f"{LABS[lab].name}.h").read_text(), (folder / LABS[lab].file_name).read_text()
    found = drift(header, skeleton, solution(LABS[lab]), [name for of, name in OTHERWISE if of == lab])
    assert not found, f"{lab}:\n" + "\n\n".join(found)
    assert declared(header), f"{folder.name}: no function was found in the header"


def test_each_exception_is_needed() -> None:
    for lab, name in OTHERWISE:
        given = given_lines((LABS[lab].folder / LABS[lab].file_name).read_text())[name]
        assert missing_in_order(given, outline(solution(LABS[lab])).bodies[name]), f"{lab} {name}: no exception is needed"


@pytest.mark.parametrize("lab", LABS)
def test_each_todo_stands_in_a_function_of_the_contract(lab: str) -> None:
    """And they are counted 1 to n, without a gap."""
    text = (LABS[lab].folder / LABS[lab].file_name).read_text()
    numbers = [(int(one), int(of)) for one, of in re.findall(r"TODO (\d+)/(\d+)", text)]
    assert {one for one, _ in numbers} == set(range(1, numbers[0][1] + 1)) and len({of for _, of in numbers}) == 1
    assert not re.search(r"\bTODO\b", solution(LABS[lab]))


LAB2 = LABS["lab2"]


@pytest.mark.parametrize("where, old, new, says", [
    ("header", "size_t cap);", "int cap);", "functions differ"),
    ("skeleton", "ssize_t recv_line(int fd, char *line, size_t cap)", "ssize_t recv_line(int fd, char *line, int cap)",
     "+ssize_t recv_line(int fd,char*line,int cap)"),
    ("solution", "ssize_t recv_line(int fd, char *line, size_t cap)", "ssize_t read_line(int fd, char *line, size_t cap)",
     "-ssize_t recv_line("),
    ("solution", "ssize_t recv_some(int", "static ssize_t recv_some(int", "-ssize_t recv_some("),
    ("solution", '#include "dial.h"\n', "", "headers differ"),
    ("skeleton", "if (cap < 2) {", "if (cap < 3) {", "- if (cap < 3) {"),
    ("solution", "errno = EINVAL;", "errno = ERANGE;", "- errno = EINVAL;"),
])
def test_a_drift_is_told(where: str, old: str, new: str, says: str) -> None:
    texts = {"header": (LAB2.folder / "client_recv.h").read_text(),
             "skeleton": (LAB2.folder / "client_recv.c").read_text(), "solution": solution(LAB2)}
    assert drift(*texts.values()) == []
    assert old in texts[where]
    texts[where] = texts[where].replace(old, new, 1)
    assert any(says in told for told in drift(*texts.values())), drift(*texts.values())
