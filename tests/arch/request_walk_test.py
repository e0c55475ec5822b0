#!/usr/bin/env python3
"""docs/life_of_a_request.md is true, and the check finds what is not."""

import os
import pathlib
import re
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import request_walk  # noqa: E402

ROOT = pathlib.Path(os.environ.get("FLOTILLA_SOURCE", pathlib.Path(__file__).resolve().parents[2]))

FILES = {
    "docs/life_of_a_request.md": """1. Accepted. (`http/server.cpp`: `serve`; `gateway/core/gateway.cpp`: `Gateway`, by `Exchange`)
2. Routed by what `gateway/routes.yaml` says. (`gateway/core/pipeline.cpp`: `handle`, `act`;
   `gateway/core/proxy.cpp`: `forward`)
""",
    "framework/flotilla/http/server.cpp": "void serve(Exchange& exchange) {\n    handler(exchange); // pipeline.handle()\n}\n",
    "gateway/core/gateway.cpp": "Gateway::Gateway() : pipeline_(1), server_([this](Exchange& e) { pipeline_.handle(e); }) {}\n",
    "gateway/core/pipeline.hpp": "class Pipeline {\n    void handle(Exchange& exchange) { act(exchange); }\n};\n",
    "gateway/core/pipeline.cpp": "void Pipeline::act(Exchange& exchange) {\n    return proxy_.forward(exchange);\n}\n",
    "gateway/core/proxy.cpp": "void Proxy::forward(Exchange&) const {\n}\n",
    "gateway/routes.yaml": "",
}
PAGE = "docs/life_of_a_request.md"


class RequestWalk(unittest.TestCase):
    def check(self, changes=()):
        """What is found once texts of files were replaced; None takes the file away."""
        with tempfile.TemporaryDirectory() as folder:
            files = dict(FILES)
            for name, old, new in changes:
                self.assertIn(old, files[name])
                files[name] = files[name].replace(old, new) if new is not None else None
            for name, text in files.items():
                path = pathlib.Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                if text is not None:
                    path.write_text(text)
            return list(request_walk.check(pathlib.Path(folder)))

    def refused(self, why, *changes):
        found = self.check(changes)
        self.assertTrue(any(re.search(why, each) for each in found), found or "nothing found")

    # Goal: the page names files that are there and on the way, each with what it does.
    def test_page_of_the_project_is_true(self):
        self.assertEqual([], list(request_walk.check(ROOT)))

    # Goal: a page that is true is found to be.
    def test_true_page_passes(self):
        self.assertEqual([], self.check())

    # Goal: files and functions that have gone or moved are found, and a file without a word on what it does.
    def test_what_has_gone_is_found(self):
        self.refused("gateway/core/proxy.cpp does not exist", ("gateway/core/proxy.cpp", "", None))
        self.refused("gateway/routes.yaml does not exist", ("gateway/routes.yaml", "", None))
        self.refused("pipeline.cpp does not define act", ("gateway/core/pipeline.cpp", "::act", "::do_it"))
        self.refused("proxy.cpp is named without what it does", (PAGE, "`: `forward`", "`"))

    # Goal: a file that is left out breaks the walk at the next one.
    def test_file_that_is_missing_on_the_page_is_found(self):
        self.refused("nothing that is named before calls forward of gateway/core/proxy.cpp",
                     (PAGE, "(`gateway/core/pipeline.cpp`: `handle`, `act`;\n   ", "("))

    # Goal: so does a file that is not called any more, in a comment or a declaration not either.
    def test_file_that_is_not_on_the_way_is_found(self):
        for other in ("", "// proxy_.forward(exchange)", "Result<void> forward(Exchange& exchange);"):
            self.refused("nothing that is named before calls forward of gateway/core/proxy.cpp",
                         ("gateway/core/pipeline.cpp", "return proxy_.forward(exchange);", other))

    # Goal: what lies between two files without a call is in both.
    def test_shared_text_is_in_both(self):
        self.refused("gateway.cpp does not say Exchange", ("gateway/core/gateway.cpp", "Exchange", "auto"))
        self.refused("nothing that is named before says Socket, which is to lead to gateway/core/gateway.cpp",
                     (PAGE, "by `Exchange`", "by `Socket`"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
