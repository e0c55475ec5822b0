"""Small fleet files for tests."""

import pathlib


def write(folder, services):
    """A flotilla.yaml with the given text below `services:`; the default hub, no gateway."""
    file = pathlib.Path(folder) / "flotilla.yaml"
    file.write_text(f"name: test\nservices:\n  {services}")
    return file
