#!/usr/bin/env python3
"""Checks that docs/life_of_a_request.md walks through the code as it is.

Usage: request_walk.py ROOT. Prints what is not true as page:line and why; exits 1 when there is something.

The page names a place as (`file`: `function`, `function`; `file`: ...). True means, place by place:
- the file exists and defines the functions, it or its header;
- the walk gets there: the first function is called in a file that the page has named before, the others there or in the
  file itself;
- where no call leads there, because a handler, a signal or a connection lies between, the place says what it has in
  common with the file before: `file`: `function`, by `text`. The text is in both.
So a file that is left out breaks the walk at the next one, and so does a file that the request does not pass any more.
"""

import pathlib
import re
import sys

import cpp_text
from step_lists import find_file

PAGE = "docs/life_of_a_request.md"
FILE = re.compile(r"`((?:[\w.]+/)+[\w.]*)`")
PLACE = re.compile(r"`((?:[\w.]+/)+[\w.]+\.(?:cpp|hpp))`:((?:[,\s]*`\w+`)+)(?:,\s+by\s+`([^`]+)`)?")


def texts_of(root, name):
    """The texts of a file, and of its header or source: what is called there, and what is written there."""
    path = find_file(root, name)
    both = [path.with_suffix(suffix) for suffix in (".hpp", ".cpp")]
    written = "\n".join(each.read_text() for each in both if each.is_file())
    return cpp_text.blank(written), written


def check(root):
    page = (root / PAGE).read_text()
    line_of = lambda at: f"{PAGE}:{page.count(chr(10), 0, at) + 1}"
    placed = {match[1] for match in PLACE.finditer(page)}
    for match in FILE.finditer(page):
        name = match[1]
        if not find_file(root, name) and not any((root / folder / name).is_dir() for folder in ("", "framework/flotilla")):
            yield f"{line_of(match.start())}: {name} does not exist"
        elif name.endswith((".cpp", ".hpp")) and name not in placed:
            yield f"{line_of(match.start())}: {name} is named without what it does: `{name}`: `function`"
    before = []  # (name, code, text) of the files of the walk so far
    for match in PLACE.finditer(page):
        name, functions, shared = match[1], re.findall(r"\w+", match[2]), match[3]
        if not find_file(root, name):
            continue
        where = line_of(match.start())
        code, text = texts_of(root, name)
        for function in functions:
            if not cpp_text.body_of(code, function):
                yield f"{where}: {name} does not define {function}"
        own = [(name, code, text)]
        for i, function in enumerate(functions):
            if not before or (i == 0 and shared):
                continue
            callers = before if i == 0 and name not in {each for each, _, _ in before} else before + own
            if not any(cpp_text.calls(each, function) for _, each, _ in callers):
                yield f"{where}: nothing that is named before calls {function} of {name}"
        if shared and shared.lower() not in text.lower():
            yield f"{where}: {name} does not say {shared}"
        if shared and not any(shared.lower() in each.lower() for _, _, each in before):
            yield f"{where}: nothing that is named before says {shared}, which is to lead to {name}"
        before += own
    if not before:
        yield f"{PAGE}: no place is named"


def main():
    found = list(check(pathlib.Path(sys.argv[1])))
    for each in found:
        print(each)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
