"""A child of ``stream.confined`` that does what it is told: answer, refuse, break, or want too much."""

import os
from pathlib import Path
from typing import Any

from sothebais.errors import InvalidInput
from sothebais.stream.confined import FILE_BYTES_MAX, answering


def work(folder: Path, question: dict[str, Any]) -> dict[str, Any]:
    """As ``question["do"]`` says."""
    match question["do"]:
        case "refuse":
            raise InvalidInput("No.", field="colour")
        case "die":
            os.abort()
        case "memory":
            return {"size": len(bytearray(8 * 1024**3))}
        case "for ever":
            while True:
                pass
        case "disk":
            with (folder / "large").open("wb") as file:
                file.truncate(FILE_BYTES_MAX + 1)
        case _:
            (folder / "out").write_bytes((folder / "in").read_bytes()[::-1])
    return {"environment": sorted(os.environ), "cwd": str(Path.cwd())}


if __name__ == "__main__":
    answering(work)
