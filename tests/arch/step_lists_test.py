#!/usr/bin/env python3
"""The lists of steps in the code are true, and the check finds what is not."""

import os
import pathlib
import re
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import step_lists  # noqa: E402

ROOT = pathlib.Path(os.environ.get("FLOTILLA_SOURCE", pathlib.Path(__file__).resolve().parents[2]))

STEPS = """#include "gateway/core/steps.hpp"

// The order in which a request passes:
//  1. server   (gateway/core/server.cpp) what was done before
//  2. routing  (gateway/core/routes.cpp: routes_.match) before a body is read, by
//              anybody
//  3. limits   (gateway/core/limits.cpp: apply_limits)
//  4. errors   (gateway/core/errors.hpp: Refusal)
task<void> Steps::handle(Context& context, Exchange& exchange) {
    auto matched = routes_.match(exchange.request()); // before("limits")
    co_await serve(context, exchange, matched);
    log("refuse(exchange)");
    const Refusal refusal(context, exchange);
    co_await exchange.respond(context);
}

task<void> Steps::serve(Context& context, Exchange& exchange, const Matched& matched) {
    if (matched) co_await apply_limits(exchange, matched.limits);
}
"""
FILES = {
    "steps.cpp": STEPS,
    "server.cpp": "",
    "routes.cpp": "Matched Routes::match(const Request& request) const { return {}; }\n",
    "limits.hpp": "Result<void> apply_limits(Exchange& exchange, int limits);\n",
    "limits.cpp": "Result<void> apply_limits(Exchange& exchange, int limits)\n{\n}\n",
    "errors.hpp": "class Refusal {\n    Refusal(Context&, Exchange&) : a_(1), b_{2} {}\n};\n",
}


class StepLists(unittest.TestCase):
    def check(self, **changes):
        """What is found once a text was replaced by another in files."""
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            core = root / "gateway/core"
            core.mkdir(parents=True)
            for name, text in FILES.items():
                for old, new in changes.get(name.split(".")[0], {}).items():
                    self.assertIn(old, text)
                    text = text.replace(old, new)
                if text != "(none)":
                    (core / name).write_text(text)
            lists, found = step_lists.check(root)
            self.assertEqual(1, lists)
            return found

    def refused(self, why, **changes):
        found = self.check(**changes)
        self.assertTrue(any(re.search(why, each) for each in found), found or "nothing found")

    # Goal: the lists of the gateway and of services say what the code does.
    def test_lists_of_the_project_are_true(self):
        lists, found = step_lists.check(ROOT)
        self.assertEqual([], found)
        self.assertGreaterEqual(lists, 2)

    # Goal: a list that is true is found to be.
    def test_true_list_passes(self):
        self.assertEqual([], self.check())

    # Goal: a step that the code takes, and the list does not have, is found by what is given the request.
    def test_missing_step_is_found(self):
        self.refused(r"steps\.cpp:8: apply_limits is given the request and is in no step",
                     steps={"//  3. limits   (gateway/core/limits.cpp: apply_limits)\n": "", "//  4.": "//  3."})
        self.refused("exchange.limit_time is given the request and is in no step",
                     steps={"    if (matched) co_await": "    exchange.limit_time(max);\n    co_await"})
        self.refused("authenticate is given the request and is in no step",
                     steps={"    if (matched) co_await": "    co_await authenticate(context, exchange);\n    co_await"})

    # Goal: steps out of order are found, wherever the order was changed.
    def test_wrong_order_is_found(self):
        self.refused("step 3 is taken before step 2: apply_limits",
                     steps={"    auto matched =": "    co_await apply_limits(exchange, 1);\n    auto matched ="})
        lines = STEPS.split("\n")
        swapped = [lines[6].replace("3.", "2."), *[each.replace("2.", "3.") for each in lines[4:6]]]
        self.refused("step 3 is taken before step 2: routes_.match", steps={"\n".join(lines[4:7]): "\n".join(swapped)})

    # Goal: a step that the code does not take any more is found.
    def test_step_that_is_not_taken_is_found(self):
        self.refused("step 3: handle does not call apply_limits",
                     steps={"co_await apply_limits(exchange, matched.limits)": "co_return"})

    # Goal: a file or function that has gone is found, and numbers that are wrong.
    def test_what_has_gone_is_found(self):
        self.refused("routes.cpp does not exist", routes={FILES["routes.cpp"]: "(none)"})
        self.refused("routes.cpp has no match", routes={"::match": "::find"})
        self.refused("step 4 stands where 3 should", steps={"//  3.": "//  4."})
        self.refused("step 2 names no file", steps={"(gateway/core/routes.cpp: routes_.match)": ""})

    # Goal: only what has been done before the function is called may name a file and no call.
    def test_step_says_what_is_called(self):
        self.refused("step 3 does not say what is called", steps={"limits.cpp: apply_limits": "limits.cpp"})


if __name__ == "__main__":
    unittest.main(verbosity=2)
