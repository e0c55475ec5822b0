"""Just enough of C++ to see where a function is defined and where it is called: for the checks in this folder."""

import re

_SKIPPED = re.compile(r'//[^\n]*|/\*.*?\*/|R"\((?:.*?)\)"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)
# In front of a call; in front of a declaration there is a type.
_BEFORE_CALL = {"return", "co_return", "co_await", "co_yield", "else", "not", "throw", "case"}


def blank(text):
    """The text with comments and what is in quotes blanked, so that places stay where they are."""
    return _SKIPPED.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def end_of(code, at):
    """Behind the bracket that closes the one at `at`."""
    pairs = {"(": ")", "{": "}", "[": "]"}
    opening, closing = code[at], pairs[code[at]]
    depth = 0
    for i in range(at, len(code)):
        depth += (code[i] == opening) - (code[i] == closing)
        if depth == 0:
            return i + 1
    return len(code)


def body_of(code, name, start=0):
    """(begin, end) of the body of the first definition of a function behind `start`; None when there is none."""
    for found in re.finditer(rf"\b{name}\s*\(", code[start:]):
        at = end_of(code, start + found.end() - 1)
        # Qualifiers, a trailing return type, a constructor's initialisers.
        tail = re.match(r"\s*(?:const|noexcept|override|final|->\s*[\w:<>*&, ]+|\s)*", code[at:])
        at += tail.end()
        if code[at : at + 1] == ":" and code[at : at + 2] != "::":
            at = behind_initialisers(code, at + 1)
        if code[at : at + 1] == "{":
            return at, end_of(code, at)
    return None


def behind_initialisers(code, at):
    """Where the body of a constructor begins."""
    while True:
        member = re.match(r"\s*[\w:<>, ]+?\s*(?=[({])", code[at:])
        if not member:
            return at
        at = end_of(code, at + member.end())
        rest = re.match(r"\s*(,?)", code[at:])
        at += rest.end()
        if not rest[1]:
            return at


def calls(code, name):
    """Where a function is called, or its address taken."""
    found = [each.start() for each in re.finditer(rf"&\w+(?:::\w+)*::{name}\b", code)]
    for each in re.finditer(rf"\b{name}\s*(?:<[^;(){{}}]*>)?\s*\(", code):
        before = code[: each.start()].rstrip()
        word = re.search(r"\w+$", before)
        typed = before[-1:] in (">", "&", "*") and before[-2:] not in ("->", "&&")
        if typed or (word and word[0] not in _BEFORE_CALL):
            continue
        behind = code[end_of(code, each.end() - 1) :]
        if not (before.endswith("::") and re.match(r"\s*(?:const|noexcept|\s)*[{:]", behind)):  # a definition
            found.append(each.start())
    return sorted(found)
