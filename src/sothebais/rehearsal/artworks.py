"""A generated collection to rehearse and demonstrate with: pictures drawn by code, catalogued as a house would.

The same seed gives the same bytes with the same version of Pillow. Nothing is read and nothing is fetched.
"""

import json
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from PIL import Image

from sothebais.errors import InvalidInput
from sothebais.rehearsal.forms import FORMS
from sothebais.rehearsal.painting import PALETTES, Palette

PIECES_MAX: Final = 1_000
DRAWING_AT_ONCE_MAX: Final = 4
ARTIST: Final = "The House Studio"
COLLECTION: Final = "Rooms of Light"
DESCRIPTION: Final = "Abstract pieces in eight forms, drawn by code for the rehearsals of the house."

_YEARS: Final = ("2023", "2024", "2025", "2026")
#: Paper grain does not compress; more effort only takes longer.
_PNG_EFFORT: Final = 3
_ROMAN: Final = ((10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"))

#: Titles of each form, in no order.
_TITLES: Final[dict[str, tuple[str, ...]]] = {
    "Horizon": (
        "Ridges before Morning",
        "The Far Side of the Valley",
        "Low Sun, Late in the Year",
        "Evening above the Cols",
        "Where the Road Was",
        "The Hour of Long Shadows",
        "A Quiet Meridian",
        "First Light over the Passes",
    ),
    "Strata": (
        "The Well of Days",
        "Soundings",
        "A Lake, Seen from Within",
        "Inner Shore",
        "What the River Kept",
        "Contour of a Silence",
        "The Opened Stone",
        "Depth Chart",
    ),
    "Orrery": (
        "Orrery for a Small Room",
        "The Patient Planet",
        "Conjunction in Autumn",
        "Study of an Orbit",
        "The Clockmaker's Evening",
        "Small Moons, One at Rest",
        "Transit, Late Summer",
        "Music of an Inner Sphere",
    ),
    "Current": (
        "Upstream",
        "The Wind in the Barley",
        "Delta at Night",
        "One Thread of Many",
        "Slack Water, Turning",
        "The Course of a Rumour",
        "Undertow",
        "Grass under a Northerly",
    ),
    "Weave": (
        "Over, Under, Over",
        "The Loom at Rest",
        "Basket for the Afternoon",
        "Selvedge",
        "Common Cloth",
        "A Thread Out of Place",
        "Warp and Evening",
        "Twill for a Traveller",
    ),
    "Construction": (
        "Balance with One Doubt",
        "Composition for a Stairwell",
        "The Weight of a Line",
        "Counterpoint",
        "Signal and Rest",
        "Disc with Arguments",
        "The Architect's Sunday",
        "Equilibrium, Provisional",
    ),
    "Vessels": (
        "Conversation on a Ledge",
        "Still Life with One Stranger",
        "The Bottles after Rain",
        "Five O'Clock, North Window",
        "Family Portrait in Clay",
        "Things Kept on the Sill",
        "The Potter's Alphabet",
        "A Table, Left as It Was",
    ),
    "Enfilade": (
        "Through to the Sea",
        "Enfilade at Noon",
        "The Seventh Door",
        "A House with One Direction",
        "Passage toward Light",
        "The Long Gallery",
        "Threshold after Threshold",
        "Cloister in August",
    ),
}

_NOTES: Final[dict[str, str]] = {
    "Horizon": "Ridge lies behind ridge like cut paper, each paler than the one before it, and one disc holds the sky together.",
    "Strata": "Sheet upon sheet has been opened, each a little less than the last, until a single bright ground shows at the bottom.",
    "Orrery": "A lit globe keeps its company on hairline orbits. The light comes from one side only, and every body agrees on which.",
    "Current": "Ribbons of paper follow one unseen stream. A single strand of the accent colour runs its whole length.",
    "Weave": "Bands pass over and under one another in strict order; one of them was dyed for another cloth.",
    "Construction": "A disc, a few bars and an arc hold each other in balance, with one small round objection.",
    "Vessels": "Bottles and bowls stand close on a ledge in window light, painted for the spaces between them.",
    "Enfilade": "Arch stands behind arch, each a room further from the viewer, with the day at the far end.",
}


def generate(folder: Path, count: int, seed: int) -> None:
    """Write ``count`` pieces as ``1.json`` … and ``images/1.png`` …, ready for ``collection import``."""
    if not 1 <= count <= PIECES_MAX:
        raise InvalidInput(f"A generated collection has 1 to {PIECES_MAX:,} pieces.", field="count")
    pictures = folder / "images"
    pictures.mkdir(parents=True, exist_ok=True)

    def write(number: int, piece: dict[str, Any]) -> None:
        picture = draw(piece["form"], piece["palette"], seed, number)
        picture.save(pictures / f"{number}.png", "PNG", compress_level=_PNG_EFFORT)
        document = json.dumps(piece["metadata"], ensure_ascii=False, indent=1)
        (folder / f"{number}.json").write_text(document + "\n", encoding="utf-8")

    # Pillow works outside the interpreter's lock; a piece needs about 100 MB while it is drawn
    with ThreadPoolExecutor(DRAWING_AT_ONCE_MAX) as pool:
        list(pool.map(write, range(1, count + 1), catalogue(count, seed)))


def catalogue(count: int, seed: int) -> list[dict[str, Any]]:
    """What each piece will be: ``form``, ``palette`` and ERC-721 ``metadata``. Neighbours differ in form and colour."""
    rng = _rng(seed, "catalogue")
    titles = {form: rng.sample(names, len(names)) for form, names in _TITLES.items()}
    used = dict.fromkeys(FORMS, 0)
    forms: list[str] = []
    palettes: list[Palette] = []
    pieces: list[dict[str, Any]] = []
    for number in range(1, count + 1):
        forms = forms or _shuffled(rng, list(FORMS), pieces[-1]["form"] if pieces else None)
        palettes = palettes or _shuffled(rng, list(PALETTES), pieces[-1]["palette"] if pieces else None)
        form, palette = forms.pop(0), palettes.pop(0)
        again, title = divmod(used[form], len(titles[form]))
        used[form] += 1
        name = titles[form][title] + (f", {_roman(again + 1)}" if again else "")
        pieces.append(
            {
                "form": form,
                "palette": palette,
                "metadata": {
                    "name": name,
                    "description": f"{_NOTES[form]} From the palette {palette.name}.",
                    "image": f"images/{number}.png",
                    "attributes": [
                        {"trait_type": "Artist", "value": ARTIST},
                        {"trait_type": "Series", "value": COLLECTION},
                        {"trait_type": "Form", "value": form},
                        {"trait_type": "Palette", "value": palette.name},
                        {"trait_type": "Year", "value": rng.choice(_YEARS)},
                        {"trait_type": "Medium", "value": "Generative drawing"},
                    ],
                },
            }
        )
    return pieces


def draw(form: str, palette: Palette, seed: int, number: int) -> Image.Image:
    """The picture of one piece, 1200 × 1200; depends on nothing but the arguments."""
    return FORMS[form](_rng(seed, f"piece {number}"), palette)


def _rng(seed: int, purpose: str) -> random.Random:
    return random.Random(f"{seed}/{purpose}")  # noqa: S311 - pictures, not secrets


def _shuffled[Entry](rng: random.Random, entries: list[Entry], last: Entry | None) -> list[Entry]:
    """A new order that does not begin with what was there last."""
    rng.shuffle(entries)
    if entries[0] == last:
        entries.append(entries.pop(0))
    return entries


def _roman(number: int) -> str:
    text = ""
    for value, letters in _ROMAN:
        text, number = text + letters * (number // value), number % value
    return text
