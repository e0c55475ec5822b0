#!/usr/bin/env python3
"""The catalogue of errors is whole and fresh, and the check finds what it must."""

import contextlib
import io
import json
import os
import pathlib
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import error_catalogue  # noqa: E402

ROOT = pathlib.Path(os.environ.get("FLOTILLA_SOURCE", pathlib.Path(__file__).resolve().parents[2]))


def mistakes(root):
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        error_catalogue.main([str(root)])
    return printed.getvalue()


class Catalogue(unittest.TestCase):
    # Goal: every code in the sources has its help, and the page says what the sources say.
    def test_page_is_whole_and_fresh(self):
        self.assertEqual(mistakes(ROOT), "")

    # Goal: a new code without help, a help without its code and a stale page are told.
    def test_mistakes_are_found(self):
        with tempfile.TemporaryDirectory(prefix="flotilla-") as folder:
            root = pathlib.Path(folder)
            for file in ["framework/flotilla/base/result.hpp", "framework/flotilla/http/problem.cpp"]:
                (root / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / file, root / file)
            (root / "services/user").mkdir(parents=True)
            (root / "services/user/user.cpp").write_text(
                '// ErrorCode old{"commented_out", Kind::invalid, "x"};\n'
                'constexpr ErrorCode taken{"name_taken", Kind::conflict, "Name taken"};\n'
                'return Error(Kind::not_found,\n             "user_gone", "User gone");\n')
            (root / "docs").mkdir()
            (root / "docs/errors.json").write_text(json.dumps({"user_gone": "Look again.", "of_yore": "?"}))
            said = mistakes(root)
            self.assertIn("says nothing about 'name_taken' of user-service", said)
            self.assertIn("'of_yore' is in no source any more", said)
            self.assertIn("docs/errors.md: is stale", said)
            self.assertNotIn("commented_out", said)
            (root / "docs/errors.json").write_text(json.dumps({"user_gone": "Look again.", "name_taken": "Choose."}))
            with contextlib.redirect_stdout(io.StringIO()):
                error_catalogue.main(["--write", str(root)])
            self.assertEqual(mistakes(root), "")
            self.assertIn("| `name_taken` | 409 | user-service | Name taken | Choose. |", (root / "docs/errors.md").read_text())


if __name__ == "__main__":
    unittest.main()
