"""docs/errors.md: every error code in the sources, with what docs/errors.json says to do about it.

    error_catalogue.py [--write] [ROOT]

Without --write: says what differs and ends with 1 (a code without help, help for a code that is gone, a stale page)."""

import json
import pathlib
import re
import sys

FOLDERS = ["framework", "gateway", "hub", "cli", "services", "examples"]
CODE = r'"(?P<code>[a-z][a-z0-9]*(?:_[a-z0-9]+)*)"'
TEXT = r'(?P<text>(?:\s*"(?:[^"\\]|\\.)*")*)'
SHAPES = [
    re.compile(r"\bError\(\s*Kind::(?P<kind>\w+),\s*" + CODE + r"\s*,\s*(?:std::string\()?" + TEXT),
    re.compile(r"\bErrorCode \w+\{\s*" + CODE + r",\s*Kind::(?P<kind>\w+),\s*" + TEXT),
    re.compile(r"(?:\{|fail\()(?P<status>[45]\d\d),\s*" + CODE + r",\s*" + TEXT),
]


def sources(root):
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*.?pp")):
            if not path.stem.endswith("_test") and not path.name.startswith(("test_", "fake_")):
                yield path


def statuses(root):
    """The status of each kind, and of the codes that only HTTP knows, as the sources have them."""
    kinds = dict(re.findall(r"^    (\w+), +///< (\d{3}),", (root / "framework/flotilla/base/result.hpp").read_text(), re.M))
    special = dict(re.findall(r'code == "(\w+)"\) return (\d{3})',
                              (root / "framework/flotilla/http/problem.cpp").read_text()))
    return kinds, special


def found(root):
    """code -> {"statuses", "texts", "places"}"""
    codes = {}
    kinds, special = statuses(root)
    for path in sources(root):
        content = re.sub(r"^\s*//.*$", "", path.read_text(), flags=re.M)
        for shape in SHAPES:
            for match in shape.finditer(content):
                entry = codes.setdefault(match["code"], {"statuses": set(), "texts": [], "places": set()})
                given = match.groupdict()
                status = given.get("status") or special.get(match["code"]) or kinds[given["kind"]]
                entry["statuses"].add(int(status))
                text = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', match["text"]))
                if text and text not in entry["texts"]:
                    entry["texts"].append(text)
                entry["places"].add(room(path.relative_to(root)))
    return codes


def room(path):
    """Which part answers it: "user-service" for services/user, "http" for framework/flotilla/http."""
    if path.parts[0] == "services":
        return path.parts[1] + "-service"
    if path.parts[0] == "framework":
        return path.parts[2]
    return path.parts[0] if path.parts[0] != "examples" else path.parts[1]


def readable(text):
    """A literal as it is read: what stands between its pieces is made at run time."""
    text = text.replace('\\"', '"').replace("|", "\\|").strip()
    return text + (" ..." if text.endswith((":", '"', " of", "not")) else "")


def page(codes, help_texts):
    lines = ["# Errors", "",
             "Every failure is answered as `application/problem+json` (RFC 9457). `code` is stable and is what programs look",
             "at; `type` is `urn:flotilla:error:` and the code; `detail` is for people and may change. What an endpoint may",
             "answer is in its service's `/openapi.json`. An error without a code of its own carries its kind as its code",
             "(`not_found`, `unavailable`, ...) and the type `about:blank`.", "",
             "This page is made from the sources and from `errors.json` by `tests/arch/error_catalogue.py --write`, and a test",
             "fails when it is stale.", "",
             "| Code | Status | Answered by | Says | What to do |", "|---|---|---|---|---|"]
    for code in sorted(codes):
        entry = codes[code]
        says = "<br>".join(readable(text) for text in entry["texts"][:2])
        lines.append(f"| `{code}` | {', '.join(map(str, sorted(entry['statuses'])))} | {', '.join(sorted(entry['places']))} "
                     f"| {says} | {help_texts.get(code, '')} |")
    return "\n".join(lines) + "\n"


def main(arguments):
    write = "--write" in arguments
    rest = [argument for argument in arguments if argument != "--write"]
    root = pathlib.Path(rest[0] if rest else pathlib.Path(__file__).resolve().parents[2])
    help_texts = json.loads((root / "docs/errors.json").read_text())
    codes = found(root)
    mistakes = [f"docs/errors.json: says nothing about '{code}' of {', '.join(sorted(codes[code]['places']))}"
                for code in sorted(set(codes) - set(help_texts))]
    mistakes += [f"docs/errors.json: '{code}' is in no source any more" for code in sorted(set(help_texts) - set(codes))]
    target = root / "docs/errors.md"
    if write:
        target.write_text(page(codes, help_texts))
    elif not target.exists() or target.read_text() != page(codes, help_texts):
        mistakes.append("docs/errors.md: is stale: run tests/arch/error_catalogue.py --write")
    for mistake in mistakes:
        print(mistake)
    return 1 if mistakes else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
