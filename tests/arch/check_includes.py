#!/usr/bin/env python3
"""Checks the include graph against the dependency rules of docs/ARCHITECTURE.md.

Usage: check_includes.py ROOT. Prints each forbidden include as file:line and why; exits 1 when there is one.
"""

import pathlib
import re
import sys

# A layer may include the layers before its own, never one of the same row.
LAYERS = [
    ["base"],
    ["contract"],
    ["aio"],
    ["observe"],
    ["http"],
    ["store", "discovery", "security"],
    ["resilience", "bus", "node"],
    ["service"],
    ["saga"],
    ["simulation", "testing"],
]
RANK = {layer: rank for rank, row in enumerate(LAYERS) for layer in row}

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^">]+)[">]')
# The loop stands on epoll (docs/adr/0003-epoll.md): one event loop, not two.
ASIO = re.compile(r"^boost/asio")


def place_of(path):
    """What a file (or included path) belongs to, e.g. ("framework", "http") or ("services", "order", "domain")."""
    parts = path.split("/")
    if parts[0] == "framework" and len(parts) > 3:
        return ("framework", parts[2])
    if parts[0] == "flotilla" and len(parts) > 2:
        return ("framework", parts[1])
    if parts[0] == "services" and len(parts) > 2:
        return ("services", parts[1], parts[2] if len(parts) > 3 else "")
    if parts[0] in ("gateway", "hub", "cli"):
        return (parts[0], parts[1] if len(parts) > 2 else "")
    return None


def is_test(path):
    return path.endswith("_test.cpp") or "/tests/" in path or path.startswith("tests/") or "conformance" in path


def framework_rule(own, target):
    layer = own[1]
    if target[0] != "framework":
        return f"the framework knows no {target[0]}"
    other = target[1]
    if other not in RANK or layer not in RANK:
        return f"'{other if other not in RANK else layer}' is not a layer of the framework"
    if other != layer and RANK[other] >= RANK[layer]:
        return f"{layer} stands left of or beside {other}: it must not use it"
    return None


def service_rule(own, target):
    _, service, room = own
    if target[0] in ("gateway", "hub", "cli"):
        return f"a service knows no {target[0]}"
    if target[0] == "services":
        if target[1] != service and target[2] != "api":
            return f"of another service only api/ may be included, not {target[1]}'s inside"
        if room == "api" and target[1] != service:
            return "a contract stands alone"
        if room == "domain" and (target[1] != service or target[2] not in ("api", "domain")):
            return "domain/ uses base, contract and its own api/ only"
        return None
    if room in ("domain", "api") and target[1] not in ("base", "contract"):
        return f"{room}/ uses base and contract only, no I/O"
    if target[1] == "testing":
        return "only tests use testing"
    return None


def program_rule(own, target):
    if target[0] == "services":
        return f"{own[0]} knows no service"
    if target[0] in ("gateway", "hub", "cli") and target[0] != own[0]:
        return f"{own[0]} and {target[0]} do not know each other"
    if own[0] == "gateway" and own[1] == "core" and target[:2] == ("gateway", "plugins"):
        return "the gateway's core includes no plugin; builtin_plugins.cpp is the only list"
    if target == ("framework", "testing"):
        return "only tests use testing"
    return None


def verdict(file, included):
    """Why `file` must not include `included`, or None."""
    own = place_of(file)
    if own is None:
        return None
    test = is_test(file)
    if ASIO.match(included):
        return "there is one event loop, aio/reactor: Boost.Asio brings a second one"
    target = place_of(included)
    if target is None:
        return None
    if own[0] == "framework":
        if test and target == ("framework", "testing"):
            return None
        return framework_rule(own, target)
    if test and target[0] == "framework":
        return None
    if own[0] == "services":
        if test and target[0] == "services":
            return None if target[1] == own[1] or target[2] == "api" else "of another service only api/ may be included"
        return service_rule(own, target)
    return program_rule(own, target)


def check(root):
    """All forbidden includes below root as (file, line, included, why)."""
    found = []
    for folder in ("framework", "gateway", "hub", "cli", "services"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in (".hpp", ".cpp"):
                continue
            file = path.relative_to(root).as_posix()
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                match = INCLUDE.match(line)
                why = verdict(file, match.group(1)) if match else None
                if why:
                    found.append((file, number, match.group(1), why))
    return found


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    found = check(root)
    for file, line, included, why in found:
        print(f"{file}:{line}: includes {included}: {why}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
