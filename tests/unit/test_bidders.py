"""Simulated bidders who are curious: few questions, one person at a time, the same evening from the same seed."""

import random

from sothebais.agent.understanding import Wish, understand
from sothebais.rehearsal.bidders import ASKS_FROM, CURIOUS, QUESTIONS, Curiosity


def evening(seed: int, lots: int) -> list[tuple[int, str, str]]:
    """Who asks what of which lot."""
    people = {handle: Curiosity(handle, random.Random(f"{seed}:{handle}")) for handle in (*CURIOUS, "ana")}
    asked = []
    for number in range(1, lots + 1):
        for passed in (ASKS_FROM - 0.01, 0.3, 0.5, 0.51, 0.99):
            for handle, one in people.items():
                text = one.question({"id": f"lot-{number}", "lot_number": number}, passed)
                if text is not None:
                    asked.append((number, handle, text))
    return asked


def test_of_every_lot_one_curious_person_asks_one_thing() -> None:
    asked = evening(7, 9)
    assert [number for number, _, _ in asked] == list(range(1, 10))
    assert {handle for _, handle, _ in asked} == set(CURIOUS)


def test_nothing_is_asked_twice_before_everything_was_asked() -> None:
    texts = [text for _, _, text in evening(7, len(QUESTIONS))]
    assert sorted(texts) == sorted(QUESTIONS)


def test_the_same_seed_asks_the_same_and_nobody_asks_at_once() -> None:
    assert evening(7, 9) == evening(7, 9)
    assert evening(7, 9) != evening(8, 9)
    one = Curiosity(CURIOUS[0], random.Random(1))
    assert one.question({"id": "lot", "lot_number": len(CURIOUS)}, ASKS_FROM - 0.01) is None


def test_the_host_understands_whatever_they_ask() -> None:
    understood = [understand(text) for text in QUESTIONS]
    assert all(one.kind == "QUESTION" for one in understood)
    wishes = [one.ask for one in understood]
    assert Wish.OFF_TOPIC not in wishes
    assert len(set(wishes)) == len(QUESTIONS)
