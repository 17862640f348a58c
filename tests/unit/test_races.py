"""Under helgrind a race in C is found, and nothing else is taken for one (grader/c/races.c)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from grader.catalog import KIT
from grader.valgrind import TOOLS, read_findings

START = """
#include <pthread.h>
#include <stdatomic.h>
#include <threads.h>
#include <unistd.h>
static int shared, ready[2];
static _Atomic int number;
static atomic_flag busy = ATOMIC_FLAG_INIT;
static mtx_t lock;
static void *work(void *argument)
{
    for (int i = 0; i < 20; i++) {
        %s
    }
    return argument;
}
int main(void)
{
    pthread_t one, two;
    mtx_init(&lock, mtx_plain);
    pthread_create(&one, NULL, work, NULL);
    pthread_create(&two, NULL, work, NULL);
    pthread_join(one, NULL);
    pthread_join(two, NULL);
    return shared + number + ready[0] == 1;
}
"""
RIGHT = {
    "atomic": "number++; if (number == 100000) shared++;",
    "relaxed": "atomic_fetch_add_explicit(&number, 1, memory_order_relaxed); if (number == 100000) shared++;",
    "old builtins": "__sync_fetch_and_add(&number, 1);",
    "spin lock": "while (atomic_flag_test_and_set_explicit(&busy, memory_order_acquire)) continue; shared++; "
                 "atomic_flag_clear_explicit(&busy, memory_order_release);",
    "C11's mutex": "mtx_lock(&lock); shared++; mtx_unlock(&lock);",
    "handed over": "int none = 0; if (i == 0 && atomic_compare_exchange_strong(&number, &none, 1)) { shared = 7; number = 2; } "
                   "else if (number == 2 && shared == 8) ready[0] = 1;",
}
WRONG = {
    "plain": "shared++;",
    "volatile": "(*(volatile int *)&shared)++;",
    "atomic here, plain there": "__atomic_fetch_add(&shared, 1, __ATOMIC_SEQ_CST); shared++;",
    "published too weakly": "int none = 0; if (i == 0 && atomic_compare_exchange_strong_explicit(&number, &none, 1, "
                            "memory_order_relaxed, memory_order_relaxed)) shared = 7; else shared += 1;",
}

pytestmark = pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is missing")


def races(folder: Path, body: str) -> int:
    source = folder / "student.c"
    source.write_text(START % body)
    flags = ["gcc", "-std=gnu11", "-g", "-O1", "-w", "-pthread"]
    subprocess.run([*flags, "-c", KIT / "grader" / "c" / "races.c", "-o", folder / "races.o"], check=True)
    subprocess.run([*flags, "-fsanitize=thread", "-c", source, "-o", folder / "student.o"], check=True)
    subprocess.run([*flags, folder / "student.o", folder / "races.o", "-o", folder / "student"], check=True)
    done = subprocess.run(["valgrind", "--tool=helgrind", *TOOLS["helgrind"], folder / "student"], capture_output=True, text=True)
    findings = read_findings(done.stderr, "student.c")
    assert findings.complete
    return sum(finding.kind == "race" for finding in findings.found)


@pytest.mark.parametrize("style", RIGHT)
def test_right_programs_have_none(tmp_path: Path, style: str) -> None:
    assert races(tmp_path, RIGHT[style]) == 0


@pytest.mark.parametrize("style", WRONG)
def test_a_race_is_found(tmp_path: Path, style: str) -> None:
    assert races(tmp_path, WRONG[style]) > 0
