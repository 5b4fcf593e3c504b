"""A process that holds a share in embedded servers and does what its standard input says; the tests' other half.

It prints one JSON object per line. With ``--leave`` it is an ordinary program: it enters the servers and waits to be interrupted.
"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from sothebais.embedded import EmbeddedServers
from sothebais.errors import EmbeddedServerError


def say(**words: object) -> None:
    print(json.dumps(words), flush=True)


def main() -> int:
    data_dir, options, mode = Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3]
    house = EmbeddedServers(data_dir, **options)
    try:
        if mode == "--leave":
            with house as servers:
                say(event="ready", servers=asdict(servers))
                sys.stdin.readline()
            return 0
        say(event="ready", servers=asdict(house.acquire()))
        for line in sys.stdin:
            match line.strip():
                case "ensure":
                    say(event="ensured", servers=asdict(house.ensure_running()))
                case "release":
                    house.release()
                    say(event="released")
                case "die":
                    os._exit(9)
    except EmbeddedServerError as error:
        say(event="error", message=error.message)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
