#!/usr/bin/env python3
"""docs/http.md names tests that exist, and the check finds what it must."""

import os
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import http_rules  # noqa: E402

ROOT = pathlib.Path(os.environ.get("FLOTILLA_SOURCE", pathlib.Path(__file__).resolve().parents[2]))


class Rules(unittest.TestCase):
    # Goal: no rule's test is gone or was never there.
    def test_page_is_true(self):
        self.assertEqual(http_rules.mistakes(ROOT), [])

    # Goal: a row without a proof, or with one that is not there, is found with its line.
    def test_mistakes_are_found(self):
        def checked(row):
            with tempfile.TemporaryDirectory() as folder:
                root = pathlib.Path(folder)
                for path, text in {"docs/http.md": "# Rules\n" + row + "\n",
                                   "gateway/core/a_test.cpp": "TEST(A, B) {\n}\n",
                                   http_rules.CORPUS: "[a case]\n"}.items():
                    (root / path).parent.mkdir(parents=True, exist_ok=True)
                    (root / path).write_text(text)
                return http_rules.mistakes(root)

        self.assertEqual(checked("| §1 | rule | code | `A.B`, [a case] |"), [])
        self.assertEqual(checked("| §1 | rule | | none: nothing of the kind is spoken here |"), [])
        self.assertEqual(checked("| §1 | rule | code | `A.C` |"), ["docs/http.md:2: there is no test A.C"])
        self.assertEqual(checked("| §1 | rule | code | `A.B`, [other] |"), ["docs/http.md:2: the corpus has no case [other]"])
        self.assertEqual(checked("| §1 | rule | `gateway/core/b.cpp` | `A.B` |"),
                         ["docs/http.md:2: there is no file gateway/core/b.cpp"])
        self.assertEqual(checked("| §1 | rule | code | see there |"),
                         ["docs/http.md:2: names no test, nor 'none: ' and a reason"])
        self.assertEqual(checked("| §1 | rule | code | none: so |"),
                         ["docs/http.md:2: says no reason why it has no test"])
        self.assertEqual(checked("| §1 | rule |"),
                         ["docs/http.md:2: a rule has four cells: section, rule, code, test"])
        self.assertEqual(checked("nothing"), ["docs/http.md: holds no rule"])


if __name__ == "__main__":
    unittest.main()
