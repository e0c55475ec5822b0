#!/usr/bin/env python3
"""A service is found by its folder: adding one edits nothing else of the build."""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ.get("FLOTILLA_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
LEFT_OUT = {"build", "services", ".git", ".flotilla"}


def run(*command, cwd):
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60)


def add_service(root, name, main=True):
    files = {f"{name}.cpp": "", "tests/case_test.cpp": "", "libraries.cmake": "set(libraries CURL::libcurl)\n"}
    if main:
        files["main.cpp"] = ""
    for file, text in files.items():
        path = root / "services" / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def copy_of_source(root):
    """The project with links for what is not services/."""
    for each in SOURCE.iterdir():
        if each.name not in LEFT_OUT:
            (root / each.name).symlink_to(each)
    (root / "services").mkdir()


class ServiceFolders(unittest.TestCase):
    # Goal: no service stands in the build's files.
    def test_build_names_no_service(self):
        names = [folder.name for folder in (SOURCE / "services").iterdir() if folder.is_dir()]
        self.assertIn("order", names)
        for file in [SOURCE / "CMakeLists.txt", SOURCE / "CMakePresets.json", *(SOURCE / "cmake").glob("*.cmake")]:
            for name in names:
                self.assertIsNone(re.search(rf"(services/|flotilla_service\(|flotilla_service_){name}\b", file.read_text()),
                                  f"{file} names {name}")

    # Goal: a new folder brings its program, its tests and the library it names, also into a build that is configured.
    def test_folder_is_found(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            copy_of_source(root)
            add_service(root, "quote")
            configured = run("cmake", "--preset", "release", cwd=root)
            self.assertEqual(0, configured.returncode, configured.stdout + configured.stderr)
            build = root / "build/release"

            def targets():
                return run("ninja", "-t", "targets", "all", cwd=build).stdout

            self.assertIn("\nquote-service: phony", targets())
            self.assertIn("\nquote_service_test: phony", targets())
            self.assertIn("libcurl", run("ninja", "-t", "commands", "quote-service", cwd=build).stdout)
            self.assertNotIn("\nanswer-service: phony", targets())

            add_service(root, "answer")
            run("ninja", "build.ninja", cwd=build)
            self.assertIn("\nanswer-service: phony", targets())

            add_service(root, "half", main=False)
            refused = run("ninja", "build.ninja", cwd=build)
            self.assertIn("services/half needs half.cpp and main.cpp", refused.stdout + refused.stderr)


if __name__ == "__main__":
    unittest.main()
