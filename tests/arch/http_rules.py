"""docs/http.md: every rule there names tests that exist, or says why it has none.

    http_rules.py [ROOT]

Says which rule names a test, a case of the corpus or a file that is not there, and ends with 1."""

import pathlib
import re
import sys

FOLDERS = ["framework", "gateway"]
CORPUS = "tests/conformance/http/requests.txt"
NOT_APPLICABLE = "none: "


def tests(root):
    """"Suite.Name" of every unit test of the codec, the server, the client and the gateway."""
    names = set()
    for folder in FOLDERS:
        for path in (root / folder).rglob("*_test.cpp"):
            names.update(f"{suite}.{name}" for suite, name in
                         re.findall(r"^TEST(?:_[FP])?\(\s*(\w+),\s*(\w+)\)", path.read_text(), re.M))
    return names


def cases(root):
    return set(re.findall(r"^\[(.+)\]$", (root / CORPUS).read_text(), re.M))


def rules(page):
    """(line, cells) of each row that begins with a section."""
    for number, line in enumerate(page.splitlines(), 1):
        cells = [cell.strip() for cell in line.strip()[1:-1].split("|")]
        if line.startswith("| §"):
            yield number, cells


def mistakes(root):
    found = []
    page = (root / "docs/http.md").read_text()
    known_tests, known_cases = tests(root), cases(root)
    seen = 0
    for number, cells in rules(page):
        seen += 1
        where = f"docs/http.md:{number}: "
        if len(cells) != 4:
            found.append(where + "a rule has four cells: section, rule, code, test")
            continue
        _, _, code, proof = cells
        for path in re.findall(r"`([\w/]+\.[ch]pp)`", code):
            if not any((root / start / path).exists() for start in (".", "framework/flotilla")):
                found.append(where + f"there is no file {path}")
        if proof.startswith(NOT_APPLICABLE):
            if len(proof) < len(NOT_APPLICABLE) + 15:
                found.append(where + "says no reason why it has no test")
            continue
        named = re.findall(r"`(\w+\.\w+)`", proof)
        for name in sorted(set(named) - known_tests):
            found.append(where + f"there is no test {name}")
        for name in sorted(set(re.findall(r"\[([^\]]+)\]", proof)) - known_cases):
            found.append(where + f"the corpus has no case [{name}]")
        if not named:
            found.append(where + "names no test, nor 'none: ' and a reason")
    if seen == 0:
        found.append("docs/http.md: holds no rule")
    return found


def main(arguments):
    root = pathlib.Path(arguments[0] if arguments else pathlib.Path(__file__).resolve().parents[2])
    found = mistakes(root)
    for mistake in found:
        print(mistake)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
