"""What a process may be called: the kernel keeps 15 bytes of a name, and calls a script by what runs it.

A name of full length is made whole from the command line, if something in that begins with it. What an interpreter
runs is found by the script's name (`#!/usr/bin/env python3` makes a process called python3).
Source: proc(5), `comm`; execve(2), interpreter scripts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

import psutil

KEPT = 15
"""Bytes of a name that the kernel keeps (TASK_COMM_LEN, without the zero that ends it)."""

_INTERPRETER = re.compile(
    r"(python|pypy|perl|ruby|node|nodejs|deno|bun|php|lua|luajit|tclsh|wish|guile|Rscript|escript|awk|gawk|mawk|busybox|"
    r"a?sh|bash|dash|[kz]sh|mksh|fish|t?csh)[\d.]*"
)


def names_of(process: psutil.Process) -> set[str]:
    """All names of a living process. Raises psutil.Error where it has gone."""
    name = process.name()
    if not _cut(name) and not _INTERPRETER.fullmatch(name):
        return {name}
    try:
        return names(name, process.cmdline())
    except psutil.AccessDenied:
        return {name}


def names(name: str, argv: Sequence[str]) -> set[str]:
    """The names of a process the kernel, or psutil, calls `name`, with this command line."""
    found = {name, _kept(name)}
    if _cut(name):
        begins = ([one for one in _spellings(argument) if _kept(one) == _kept(name)] for argument in argv)
        found.update(next(filter(None, begins), []))
    if argv and _INTERPRETER.fullmatch(name):
        script = next((argument for argument in argv[1:] if not argument.startswith("-")), None)
        if script is not None and not {"-c", "-m", "-e"}.intersection(argv[1 : argv.index(script, 1)]):
            found.add(os.path.basename(script))
    return found


def _cut(name: str) -> bool:
    return len(os.fsencode(name)) >= KEPT


def _kept(name: str) -> str:
    return os.fsdecode(os.fsencode(name)[:KEPT])


def _spellings(argument: str) -> list[str]:
    """The last part of an argument; servers that write there what they do put a colon or a space before that."""
    return [os.path.basename(one) for one in (argument, argument.split(": ", 1)[0], argument.split(" ", 1)[0])]
