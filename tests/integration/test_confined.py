"""Work on what others made: it may refuse, break or want too much, and the house goes on without it."""

import asyncio
import time
from pathlib import Path

import pytest

from sothebais.errors import InvalidInput, Overloaded
from sothebais.stream import confined
from sothebais.stream.confined import CHILDREN_MAX, WAITING_MAX, Children

MODULE = "tests.fakes.confined_child"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setenv("DATABASE_URL", "postgresql://a-secret")
    monkeypatch.setenv("SOTHEBAIS_HOUSE_KEY", "a-secret")
    monkeypatch.setattr(confined.tempfile, "tempdir", str(tmp_path))


async def test_a_child_answers_knows_no_secret_and_leaves_nothing(tmp_path: Path) -> None:
    answer, out = await Children().run(MODULE, {"do": "work"}, {"in": b"abc"}, result="out")
    assert out == b"cba"
    assert "DATABASE_URL" not in answer["environment"]
    assert not [name for name in answer["environment"] if name.startswith("SOTHEBAIS")]
    assert Path(answer["cwd"]).parent == tmp_path
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("what", "said"),
    [("refuse", r"^No\.$"), ("die", "broke on it"), ("memory", "too much memory"), ("disk", "broke on it")],
)
async def test_a_child_that_refuses_breaks_or_wants_too_much_is_a_refusal(what: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=said):
        await Children().run(MODULE, {"do": what}, {}, result="out")
    assert list(tmp_path.iterdir()) == []


async def test_a_child_that_takes_too_long_is_ended() -> None:
    began = time.monotonic()
    with pytest.raises(InvalidInput, match="takes too long"):
        await Children(lasts_s_max=1.0).run(MODULE, {"do": "for ever"}, {}, result="out")
    assert time.monotonic() - began < 10


async def test_more_than_may_wait_are_refused_and_the_others_served() -> None:
    children = Children()
    given = [
        children.run(MODULE, {"do": "work"}, {"in": b"a"}, result="out") for _ in range(CHILDREN_MAX + WAITING_MAX + 2)
    ]
    answers = await asyncio.gather(*given, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, Overloaded)]
    assert len(refused) == 2
    assert all(one.fields["retry_after"] for one in refused)
    assert len([answer for answer in answers if isinstance(answer, tuple)]) == CHILDREN_MAX + WAITING_MAX
