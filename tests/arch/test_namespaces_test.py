#!/usr/bin/env python3
"""Every unit test keeps its names to itself, and the check finds one that does not."""

import os
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import test_namespaces  # noqa: E402

KEPT = """#include <x>

namespace flotilla::http::router_test {
namespace {

using testing::HasSubstr;

TEST(Router, X) {}

} // namespace
} // namespace flotilla::http::router_test
"""


class TestNamespaces(unittest.TestCase):
    def mistakes(self, text, name="router_test.cpp"):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "framework/flotilla/http" / name
            file.parent.mkdir(parents=True)
            file.write_text(text)
            return list(test_namespaces.mistakes(pathlib.Path(folder)))

    # Goal: every test of this repository.
    def test_repository(self):
        root = pathlib.Path(os.environ.get("FLOTILLA_SOURCE", "."))
        self.assertEqual([], list(test_namespaces.mistakes(root)))
        self.assertGreater(len(list((root / "framework").rglob("*_test.cpp"))), 100)

    # Goal: a namespace that is not the file's is named with what to write.
    def test_namespace(self):
        self.assertEqual([], self.mistakes(KEPT))
        for text in (KEPT.replace("::router_test", ""), KEPT.replace("router_test", "routes_test")):
            found = self.mistakes(text)
            self.assertEqual(1, len(found))
            self.assertIn("namespace flotilla::router_test {", found[0])

    # Goal: what reaches other files is named with its line.
    def test_outside(self):
        self.assertIn(":3: `using namespace flotilla;`",
                      self.mistakes(KEPT.replace("namespace flotilla", "using namespace flotilla;\n\nnamespace flotilla",
                                                 1))[0])
        macro = KEPT.replace("TEST(", "#define EXPECT_IT(x) EXPECT_TRUE(x)\nTEST(")
        self.assertIn(":8: `#define EXPECT_IT", self.mistakes(macro)[0])
        self.assertEqual([], self.mistakes(macro + "#undef EXPECT_IT\n"))

    # Goal: what only serves tests is linked, and needs no such namespace.
    def test_without_tests(self):
        self.assertEqual([], self.mistakes("namespace flotilla {\nvoid f() {}\n} // namespace flotilla\n"))


if __name__ == "__main__":
    unittest.main()
