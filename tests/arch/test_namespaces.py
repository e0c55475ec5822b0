#!/usr/bin/env python3
"""Unit tests are compiled several files at a time: each must keep its names in a namespace named after the file.

    test_namespaces.py [ROOT]

Says which file lets names out, where and what to write instead, and ends with 1."""

import pathlib
import re
import sys

FOLDERS = ["framework", "gateway", "hub", "cli", "services", "bench", "examples"]
TEST = re.compile(r"^(?:TEST|TEST_F|TEST_P|TYPED_TEST)\(", re.M)


def named_after_file(text, stem):
    """Whether the nameless namespace of the tests stands in one that ends in the file's name."""
    return re.search(rf"^namespace (?:\w+::)*{re.escape(stem)} {{\n+namespace {{$", text, re.M) is not None


def outside(text):
    """(line, text) of what reaches the files compiled with it: a macro, or a using outside every namespace."""
    in_namespace = False
    defined = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("namespace ") and line.endswith("{"):
            in_namespace = True
        elif line.startswith("} // namespace"):
            in_namespace = False
        elif line.startswith("using ") and not in_namespace:
            yield number, line
        elif macro := re.match(r"#\s*define (\w+)", line):
            defined[macro.group(1)] = (number, line)
        elif macro := re.match(r"#\s*undef (\w+)", line):
            defined.pop(macro.group(1), None)
    yield from defined.values()


def mistakes(root):
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*_test.cpp")):
            text = path.read_text()
            if not TEST.search(text):
                continue
            file = path.relative_to(root)
            if not named_after_file(text, path.stem):
                yield (f"{file}: the tests do not stand in a namespace named after their file: write "
                       f"`namespace flotilla::{path.stem} {{` (or of the layer: `flotilla::http::{path.stem}`) directly "
                       f"before `namespace {{`")
            for number, line in outside(text):
                yield (f"{file}:{number}: `{line}` reaches the tests compiled together with this one: move it into "
                       f"the namespace, or #undef it at the end")


def main():
    found = list(mistakes(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
    for mistake in found:
        print(mistake)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
