#!/usr/bin/env python3
"""Checks that lists of steps in comments are true.

Usage: step_lists.py ROOT. Prints what is not true as file:line and why; exits 1 when there is something.

A list is a comment right in front of the function that takes the steps:

    // The order in which a request passes:
    //  1. server   (http/server_connection.cpp) what has been done before the function is called
    //  2. routing  (service/request/routes.cpp: routes_.match) why it stands where it stands
    //  3. refusal  (service/request/refusal.cpp: refuse) ...

In parentheses stands a file and, behind a colon, what of it the code calls, as the code writes it (or the end of that);
a type stands for the making of an object. Several are parted by commas; a step may have several parentheses.

True means: the file exists and has those functions; the function, with those of its own file that it calls put in their
places, makes the first calls of the steps in the order of the list; and whatever it gives the request to, or sets on it,
is a step.
"""

import pathlib
import re
import sys

import cpp_text

FOLDERS = ("framework", "gateway", "hub", "services", "cli")
TITLE = re.compile(r"^// The order in which a \w+ passes:$")
STEP = re.compile(r"^//\s+(\d+)\. (.*)$")
PLACE = re.compile(r"\(([\w/]+\.(?:cpp|hpp))(?:: ([\w.:>, -]+))?\)")
# What is given the whole request, not a part of it.
REQUEST = re.compile(r"\bexchange\b(?!\s*(?:\.|->))")
# What may be asked of the request, and the answer: none of it is a step.
PLAIN = re.compile(r"exchange\.(?:request|request_body_size|peer|responded|read|read_all|respond|reset)$")
CALL = re.compile(r"((?:[A-Za-z_]\w*(?:\[[^\]]*\])?(?:\.|->|::))*[A-Za-z_]\w*)\s*\(")
NO_CALLS = {"if", "while", "for", "switch", "return", "co_return", "co_await", "catch", "sizeof", "must", "move"}


class Step:
    def __init__(self, line, number, text):
        self.line, self.number, self.text = line, number, text
        self.places = []  # (file, calls)

    def close(self):
        self.places = [(file, [each.strip() for each in (calls or "").split(",") if each.strip()])
                       for file, calls in PLACE.findall(self.text)]

    @property
    def calls(self):
        return [call for _, calls in self.places for call in calls]


def lists_in(lines):
    """(index of the line behind it, steps) of each list of a file."""
    at = 0
    while at < len(lines):
        if not TITLE.match(lines[at]):
            at += 1
            continue
        steps = []
        at += 1
        while at < len(lines) and lines[at].startswith("//"):
            step = STEP.match(lines[at])
            if step:
                steps.append(Step(at + 1, int(step[1]), step[2]))
            elif steps:
                steps[-1].text += " " + lines[at].lstrip("/ ")
            at += 1
        for step in steps:
            step.close()
        yield at, steps


def find_file(root, name):
    for folder in ("", "framework/flotilla/"):
        if (root / (folder + name)).is_file():
            return root / (folder + name)
    return None


def unit_of(path):
    """The code of a file and of its header, or its source."""
    both = [path.with_suffix(suffix) for suffix in (".hpp", ".cpp")]
    return "\n".join(cpp_text.blank(each.read_text()) for each in both if each.is_file())


def last_of(call):
    return re.split(r"\.|->|::", call)[-1]


def ends_with(call, listed):
    """Whether a call, as the code writes it, is the listed one, or ends with it."""
    parts = lambda text: re.split(r"\.|->|::", re.sub(r"\[[^\]]*\]", "", text))
    return parts(call)[-len(parts(listed)):] == parts(listed)


def calls_in(code, begin, end, own, seen=()):
    """What a body calls, as it stands there: (call, its arguments). Functions of the own file are put in their place."""
    for found in CALL.finditer(code, begin, end):
        call = found[1]
        if call in NO_CALLS:
            continue
        arguments = code[found.end() - 1 : cpp_text.end_of(code, found.end() - 1)]
        made = re.search(r"([A-Za-z_][\w:]*)(?:<[^<>;]*>)?\s+$", code[:found.start()])
        if made and made[1] not in NO_CALLS | {"throw", "else"}:
            yield made[1], arguments  # an object with a name
            continue
        body = cpp_text.body_of(own, call) if "." not in call and "->" not in call and "::" not in call else None
        if body and call not in seen:
            yield call, ""
            yield from calls_in(code, *body, own, (*seen, call))
        else:
            yield call, arguments


def check_list(root, path, lines, behind, steps):
    code = cpp_text.blank("\n".join(lines))
    start = sum(len(line) + 1 for line in lines[:behind])
    function = re.search(r"(\w+)\(", code[start:])
    body = cpp_text.body_of(code, function[1], start) if function else None
    if not body:
        yield steps[0].line if steps else behind, "no function stands behind the list"
        return
    made = list(calls_in(code, *body, code, (function[1],)))
    last_at, last_step = -1, None
    for expected, step in enumerate(steps, 1):
        if step.number != expected:
            yield step.line, f"step {step.number} stands where {expected} should"
        if not step.places:
            yield step.line, f"step {step.number} names no file, as in (http/server.cpp: serve)"
        for name, calls in step.places:
            file = find_file(root, name)
            if not file:
                yield step.line, f"{name} does not exist"
                continue
            unit = unit_of(file)
            for call in calls:
                name_of = last_of(call)
                if not cpp_text.body_of(unit, name_of) and not re.search(rf"\b(?:class|struct) {name_of}\b", unit):
                    yield step.line, f"{name} has no {name_of}"
        first = None
        for call in step.calls:
            at = next((i for i, (each, _) in enumerate(made) if ends_with(each, call)), None)
            if at is None:
                yield step.line, f"step {step.number}: {function[1]} does not call {call}"
            elif first is None:
                first = at
        if first is None:
            if last_step and not step.calls:
                yield step.line, f"step {step.number} does not say what is called; only what comes before the function may"
            continue
        if first < last_at:
            yield step.line, f"step {step.number} is taken before step {last_step}: {step.calls[0]}"
        last_at, last_step = max(first, last_at), step.number
    listed = [call for step in steps for call in step.calls]
    for call, arguments in made:
        given = call.startswith("exchange.") or REQUEST.search(arguments)
        if not given or PLAIN.match(call):
            continue
        if not any(ends_with(call, each) for each in listed):
            yield behind + 1, f"{call} is given the request and is in no step"


def check(root):
    found = []
    lists = 0
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*.[ch]pp")):
            lines = path.read_text().split("\n")
            for behind, steps in lists_in(lines):
                lists += 1
                found += [f"{path.relative_to(root)}:{line}: {why}"
                          for line, why in check_list(root, path, lines, behind, steps)]
    return lists, found


def main():
    lists, found = check(pathlib.Path(sys.argv[1]))
    for each in found:
        print(each)
    if not lists:
        print("there is no list of steps any more")
    return 1 if found or not lists else 0


if __name__ == "__main__":
    sys.exit(main())
