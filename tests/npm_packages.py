"""Installs npm packages for tests, from a folder with package.json and package-lock.json."""

import fcntl
import shutil
import subprocess


def install(source, build):
    """Copies the folder into the build's and installs its packages there, once per lock file; safe beside others that do
    the same. Gives the folder, where its scripts find their packages."""
    target = build / "npm" / f"{source.parent.name}-{source.name}"
    target.mkdir(parents=True, exist_ok=True)
    with (target / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for file in source.iterdir():
            if file.is_file():
                shutil.copy(file, target)
        stamp = target / "installed.json"
        packages = (source / "package-lock.json").read_text()
        if not stamp.exists() or stamp.read_text() != packages:
            subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=target, check=True, timeout=300)
            stamp.write_text(packages)
    return target
