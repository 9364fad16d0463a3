"""Passwords are compared beside the event loop, once, at the same price for anybody."""

import asyncio
import subprocess
import sys
import time

import bcrypt
import pytest

from exporter.web import users
from exporter.web.users import MAX_VERIFIED, MAX_WAITING, Passwords, TooManyWaiting

HASH = bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode()
DEAR = bcrypt.hashpw(b"right", bcrypt.gensalt(11)).decode()


@pytest.fixture
def compared(monkeypatch):
    """Which hashes were compared; the comparing itself stays what it is."""
    seen: list[str] = []
    real = users._matches

    def matches(hashed: str, password: bytes) -> bool:
        seen.append(hashed)
        return real(hashed, password)

    monkeypatch.setattr(users, "_matches", matches)
    return seen


def run(coroutine):
    return asyncio.run(coroutine)


def test_what_was_right_is_not_computed_again(compared) -> None:
    async def many() -> None:
        passwords = Passwords()
        known = {"a": HASH}
        assert all([await passwords.verify(known, "a", b"right") for _ in range(5)])
        assert len(compared) == 1
        assert not any([await passwords.verify(known, "a", b"wrong") for _ in range(3)])
        assert len(compared) == 4
        assert not await passwords.verify({"a": DEAR.replace("$11$", "$04$")}, "a", b"right")
        assert not await passwords.verify({"b": HASH}, "a", b"right")
        passwords.close()

    run(many())


def test_those_who_ask_the_same_at_once_wait_for_one_answer(compared) -> None:
    async def many() -> None:
        passwords = Passwords()
        asked = [passwords.verify({"a": HASH}, "a", b"right") for _ in range(50)]
        assert all(await asyncio.gather(*asked))
        assert len(compared) == 1
        passwords.close()

    run(many())


def test_there_are_bounds() -> None:
    async def many() -> None:
        passwords = Passwords()
        guesses = [passwords.verify({"a": HASH}, "a", b"%d" % i) for i in range(MAX_WAITING + 9)]
        answers = await asyncio.gather(*guesses, return_exceptions=True)
        assert answers.count(False) == MAX_WAITING
        assert sum(isinstance(answer, TooManyWaiting) for answer in answers) == 9
        for i in range(MAX_VERIFIED + 20):
            assert await passwords.verify({f"u{i}": HASH}, f"u{i}", b"right")
        assert len(passwords._verified) == MAX_VERIFIED
        passwords.close()

    run(many())


def test_nothing_that_is_kept_holds_a_password() -> None:
    async def one() -> None:
        passwords = Passwords()
        assert await passwords.verify({"name": HASH}, "name", b"right")
        kept = repr(vars(passwords))
        assert "right" not in kept
        assert HASH not in kept
        assert "name" not in kept
        passwords.close()

    run(one())


@pytest.mark.parametrize("known", [{"a": HASH}, {"a": DEAR}, {"a": HASH, "b": DEAR}])
def test_who_is_not_there_costs_as_much(compared, known) -> None:
    async def one() -> None:
        passwords = Passwords()
        assert not await passwords.verify(known, "nobody", b"right")
        (hashed,) = compared
        assert hashed.split("$")[2] == max(one.split("$")[2] for one in known.values())
        passwords.close()

    run(one())


def test_who_is_not_there_is_refused_whatever_the_password(monkeypatch) -> None:
    monkeypatch.setattr(users, "_NOBODY", HASH.split("$")[3])

    async def one() -> None:
        passwords = Passwords()
        for _ in range(2):
            assert not await passwords.verify({"a": HASH}, "nobody", b"right")
        assert await passwords.verify({"a": HASH}, "a", b"right")
        passwords.close()

    run(one())


def test_the_event_loop_goes_on_meanwhile() -> None:
    async def both() -> float:
        passwords = Passwords()
        asked = asyncio.ensure_future(passwords.verify({"a": DEAR}, "a", b"right"))
        turns, longest = 0, 0.0
        while not asked.done():
            before = time.perf_counter()
            await asyncio.sleep(0)
            longest = max(longest, time.perf_counter() - before)
            turns += 1
        assert await asked
        passwords.close()
        assert turns > 100
        return longest

    alone = time.perf_counter()
    bcrypt.checkpw(b"right", DEAR.encode())
    alone = time.perf_counter() - alone
    assert run(both()) < alone


def test_bcrypt_is_loaded_where_there_are_users_only() -> None:
    program = "import sys, exporter.app; print([n for n in ('bcrypt',) if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
