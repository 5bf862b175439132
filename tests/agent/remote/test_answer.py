"""Commands are done at most once, answered and recorded, over restarts, crashes, full disks and floods."""

import asyncio
from contextlib import closing
from typing import Any

import pytest
from journal_support import START
from key_support import new_key
from remote_support import GATEWAY, HOUR, TOPIC, Bureau, command, order_id

from agent.factors import REJECTED_EVERY_MS
from agent.journal_check import open_read_only, verify
from agent.journal_schema import JournalError, StorageFullError
from agent.remote.answered import Answered, FailedCommandError, RefusedCommandError, has_effects
from wire import strict, topics
from wire.commands import MAX_TEXT_BYTES, Outcome
from wire.envelope import Signer
from wire.orders import Configure, ConfigureAction, Order, Read, ReadDay, Resend, TellStatus, Verb
from wire.records import DetailKey
from wire.results import Configuration, ConfigurationState, Figures

READ = Read("m")
DAY = 24 * HOUR


def test_a_command_is_done_answered_and_recorded(bureau: Bureau) -> None:
    """Once each, in a record that travels to the centre, and in the log."""

    async def scenario() -> None:
        async with bureau.run() as run:
            reply = await run.answer(command(1))
            assert (reply.gateway, reply.id, reply.time_ms) == (GATEWAY, order_id(1), START)
            assert (reply.outcome, reply.verb, reply.result) == (Outcome.DONE, Verb.STATUS, Figures({"n": 1}))
            assert run.answerer.counts["done"] == 1

    asyncio.run(scenario())
    assert bureau.events() == [
        {DetailKey.COMMAND: order_id(1).hex(), DetailKey.VERB: Verb.STATUS, DetailKey.OUTCOME: Outcome.DONE}
    ]
    assert verify(bureau.path).problems == []


@pytest.mark.parametrize("order", [TellStatus(), READ])
def test_a_repeated_command_gets_the_same_reply_and_is_not_done_again(bureau: Bureau, order: Order) -> None:
    """At once, while it is under way, after a restart, and with other contents under its id."""
    waiting = asyncio.Event()

    async def slow(_: Any) -> Answered:
        await waiting.wait()
        return Answered(Outcome.FAILED, "line busy")

    bureau.doing = slow

    async def scenario() -> None:
        async with bureau.run() as run:
            run.take(command(1, order))
            await run.settled()
            run.take(command(1, order))
            await run.replied(0)
            waiting.set()
            await run.replied(1)
            await run.answer(command(1, order))
            await run.answer(command(1, TellStatus(), lasts=2 * HOUR))
        for _ in range(2):
            async with bureau.run() as run:
                bureau.clock.wall_ms += 1000
                await run.answer(command(1, order))

    asyncio.run(scenario())
    assert bureau.done == [order_id(1)]
    assert len(bureau.wire.payloads) == 5
    assert len(set(bureau.wire.payloads)) == 1
    assert bureau.outcomes() == [(1, Outcome.FAILED)]


@pytest.mark.parametrize(
    ("raised", "outcome", "text"),
    [
        (RefusedCommandError("no such meter"), Outcome.REFUSED, "no such meter"),
        (FailedCommandError("it is silent"), Outcome.FAILED, "it is silent"),
        (StorageFullError("disk I/O error"), Outcome.FAILED, "the journal can't be read: disk I/O error"),
        (ZeroDivisionError("division by zero"), Outcome.FAILED, "a fault of the gateway's program: ZeroDivisionError"),
        (RefusedCommandError("文" * 1000), Outcome.REFUSED, "文" * (MAX_TEXT_BYTES // 3)),
    ],
)
def test_whatever_goes_wrong_is_answered(bureau: Bureau, raised: Exception, outcome: Outcome, text: str) -> None:
    """With the reason, in the reply and in the record; and the next command is done."""

    async def scenario() -> None:
        async with bureau.run() as run:
            bureau.doing = failing
            reply = await run.answer(command(1, READ))
            assert (reply.outcome, reply.text) == (outcome, text)
            bureau.doing = None
            assert (await run.answer(command(2))).outcome == Outcome.DONE

    async def failing(_: Any) -> Answered:
        raise raised

    asyncio.run(scenario())
    assert bureau.events()[0][DetailKey.TEXT] == text[:80]


def test_a_damaged_journal_ends_the_run(bureau: Bureau) -> None:
    """As everywhere in the gateway."""

    async def failing(_: Any) -> Answered:
        raise JournalError("damaged")

    async def scenario() -> None:
        bureau.doing = failing
        async with bureau.run() as run:
            run.take(command(1))
            await run.settled()

    with pytest.raises(JournalError, match="damaged"):
        asyncio.run(scenario())


def test_what_the_centre_did_not_sign_is_never_answered(bureau: Bureau) -> None:
    """It is counted, and recorded at most once an hour."""

    async def scenario() -> None:
        async with bureau.run() as run:
            bad = bureau.signed(command(1), signer=Signer(new_key()))
            for topic, envelope in [
                (TOPIC, bad),
                (TOPIC, b"\x00"),
                (TOPIC, bureau.signed(command(1), topic=topics.command("gw-2"))),
                (TOPIC, bureau.signer.sign(strict.dump({0: 1}), TOPIC)),
                (topics.acknowledgement(GATEWAY), bureau.signed(command(1))),
            ]:
                assert not run.answerer.message(topic, envelope)
            bureau.clock.wall_ms += REJECTED_EVERY_MS
            run.answerer.message(TOPIC, bad)
            await run.replied(0)
            assert run.answerer.counts["unbelieved"] == 6

    asyncio.run(scenario())
    assert bureau.done == []
    counts = [(details[DetailKey.COUNT], details[DetailKey.OUTCOME]) for details in bureau.events()]
    assert counts == [(1, Outcome.REFUSED), (6, Outcome.REFUSED)]
    assert all(DetailKey.COMMAND not in details for details in bureau.events())


def test_what_is_signed_but_not_of_now_or_not_for_here_is_refused(bureau: Bureau) -> None:
    """With the reason; a refusal that can't be outlived is not kept."""

    async def scenario() -> None:
        async with bureau.run() as run:
            run.time.heard(START)
            bureau.trusted = False
            assert not run.take(command(1, issued=START - 2 * HOUR))
            assert not run.take(command(2, issued=START + HOUR))
            assert not run.take(command(3, gateway="gw-2"))
            replies = await run.replied(3)
            texts = {reply.id: reply.text for reply in replies}
            assert "expired" in texts[order_id(1)]
            assert "of the future" in texts[order_id(2)]
            assert "for gw-2" in texts[order_id(3)]
            assert all(reply.outcome == Outcome.REFUSED for reply in replies)
            assert [kept.id for kept in run.journal.commands()] == [order_id(2)]
            # What was refused once stays refused: its answer has been given.
            bureau.clock.wall_ms += HOUR
            assert (await run.answer(command(2, issued=START + HOUR))).outcome == Outcome.REFUSED

    asyncio.run(scenario())
    assert bureau.done == []
    assert bureau.outcomes() == [(2, Outcome.REFUSED)]


def test_a_verb_of_a_later_version_is_refused(bureau: Bureau) -> None:
    """And recorded with its number."""

    async def scenario() -> None:
        async with bureau.run() as run:
            parts = {0: 1, 1: GATEWAY, 2: order_id(1), 3: START, 4: START + HOUR, 5: 200, 6: {9: "x"}}
            envelope = bureau.signer.sign(strict.dump(parts), TOPIC)
            for count in (1, 2):
                run.answerer.message(TOPIC, envelope)
                reply = (await run.replied(count))[-1]
                assert (reply.outcome, reply.verb, reply.text) == (
                    Outcome.REFUSED,
                    None,
                    "this program does not know verb 200",
                )

    asyncio.run(scenario())
    assert [details[DetailKey.VERB] for details in bureau.events()] == [200]


def test_a_replay_after_the_clock_was_set_back_does_nothing(bureau: Bureau) -> None:
    """Not while its id is kept, and not when it has been forgotten: that goes by the centre's time alone."""

    async def scenario() -> None:
        async with bureau.run() as run:
            await run.answer(command(1, READ))
        bureau.trusted = False
        async with bureau.run() as run:
            bureau.clock.wall_ms = START - DAY
            assert (await run.answer(command(1, READ))).outcome == Outcome.DONE  # the reply that is kept
            bureau.clock.wall_ms = START + 2 * DAY  # the gateway's own time, which nobody vouches for
            assert (await run.answer(command(2, READ, issued=START + 2 * DAY))).outcome == Outcome.DONE
            run.time.heard(START + 2 * DAY)
            await run.answer(command(3, issued=START + 2 * DAY))
            assert order_id(1) not in {kept.id for kept in run.journal.commands()}
        async with bureau.run() as run:
            bureau.clock.wall_ms = START
            reply = await run.answer(command(1, READ))
            assert reply.outcome == Outcome.REFUSED
            assert "expired" in reply.text
            assert "doubtful" in reply.text

    asyncio.run(scenario())
    assert bureau.done == [order_id(1), order_id(2), order_id(3)]


def test_a_command_from_before_the_journal_is_not_done_again(bureau: Bureau) -> None:
    """The journal that knew whether it was done is gone; what is issued from then on is done."""

    async def scenario() -> None:
        async with bureau.run() as run:
            await run.answer(command(1, READ))
        for path in bureau.path.parent.glob("journal.db*"):
            path.unlink()
        bureau.clock.wall_ms += 60_000
        async with bureau.run() as run:
            reply = await run.answer(command(1, READ))
            assert reply.outcome == Outcome.REFUSED
            assert "before this gateway's journal began" in reply.text
            assert (await run.answer(command(2, READ, issued=START + 60_000))).outcome == Outcome.DONE

    asyncio.run(scenario())
    assert bureau.done == [order_id(1), order_id(2)]


def test_a_clock_that_is_far_ahead_for_a_while_forgets_nothing(bureau: Bureau) -> None:
    """Else a command could be done again when the clock is right."""

    async def scenario() -> None:
        async with bureau.run() as run:
            await run.answer(command(1, READ))
            bureau.clock.wall_ms = START + 400 * DAY
            assert (await run.answer(command(2, READ))).outcome == Outcome.REFUSED
        bureau.clock.wall_ms = START
        async with bureau.run() as run:
            assert (await run.answer(command(1, READ))).outcome == Outcome.DONE
            assert (await run.answer(command(2, READ))).outcome == Outcome.REFUSED  # it has been told so

    asyncio.run(scenario())
    assert bureau.done == [order_id(1)]


def test_a_reply_that_the_link_lost_goes_again(bureau: Bureau) -> None:
    """By itself when the link is back, and whenever the command comes again."""

    async def scenario() -> None:
        async with bureau.run() as run:
            bureau.wire.connected = False
            run.take(command(1))
            run.take(command(2, gateway="gw-2"))
            await run.settled()
            bureau.wire.connected = True
            run.answerer.connected()
            await run.replied(2)

    asyncio.run(scenario())
    assert {reply.id for reply in bureau.wire.replies} == {order_id(1), order_id(2)}


def test_a_command_that_was_begun_when_the_program_died_is_told_as_interrupted(bureau: Bureau) -> None:
    """By whoever finishes what a former run left; it is not done again."""

    async def never(_: Any) -> Answered:
        await asyncio.Event().wait()
        raise AssertionError

    bureau.doing = never

    async def scenario() -> None:
        async with bureau.run(killed=True) as run:
            run.take(command(1, READ))
            run.take(command(2))
            await run.settled()
        bureau.doing = None
        async with bureau.run() as run:
            assert run.answerer.unfinished == {order_id(1): Verb.READ}  # the other one had no effects
            assert await run.answerer.finish(order_id(1), Answered(Outcome.FAILED, "interrupted by a restart"))
            assert run.answerer.unfinished == {}
            assert run.answerer.is_answered(order_id(1))
            assert (await run.replied(1))[0].text == "interrupted by a restart"
            assert (await run.answer(command(2))).outcome == Outcome.DONE
            assert (await run.answer(command(1, READ))).outcome == Outcome.FAILED

    asyncio.run(scenario())
    assert sorted(bureau.done) == [order_id(1), order_id(2), order_id(2)]
    assert bureau.outcomes() == [(1, Outcome.FAILED), (2, Outcome.DONE)]


def test_a_command_under_way_gets_a_second_answer(bureau: Bureau) -> None:
    """As a configuration on trial does, from another run of the program; each answer has its record."""
    shown = Configuration(ConfigurationState.ON_TRIAL, bytes(32))

    async def trial(_: Any) -> Answered:
        return Answered(Outcome.UNDER_WAY, "on trial", shown)

    bureau.doing = trial
    order = Configure(ConfigureAction.ROLL_BACK)

    async def scenario() -> None:
        async with bureau.run() as run:
            assert (await run.answer(command(1, order))).outcome == Outcome.UNDER_WAY
            assert not run.answerer.is_answered(order_id(1))
        async with bureau.run() as run:
            run.time.heard(START + 30 * DAY)  # however long it took
            assert run.answerer.unfinished == {order_id(1): Verb.CONFIGURE}
            await run.answerer.finish(order_id(1), Answered(Outcome.DONE, "it stays", shown))
            assert [reply.outcome for reply in await run.replied(2)] == [Outcome.UNDER_WAY, Outcome.DONE]

    asyncio.run(scenario())
    assert bureau.outcomes() == [(1, Outcome.UNDER_WAY), (1, Outcome.DONE)]


def test_the_end_of_a_command_that_the_journal_does_not_know_is_told_all_the_same(bureau: Bureau) -> None:
    """The journal was set aside while a configuration was on trial."""

    async def scenario() -> None:
        async with bureau.run() as run:
            shown = Configuration(ConfigurationState.SENT, bytes(32))
            assert not run.answerer.is_answered(order_id(9))
            assert await run.answerer.finish(order_id(9), Answered(Outcome.DONE, "it stays", shown))
            (reply,) = await run.replied(1)
            assert (reply.id, reply.verb) == (order_id(9), Verb.CONFIGURE)

    asyncio.run(scenario())
    assert bureau.outcomes() == [(9, Outcome.DONE)]


@pytest.mark.parametrize(
    ("order", "effects"),
    [
        (TellStatus(), False),
        (ReadDay("2026-01-01"), False),
        (ReadDay("2026-01-01", from_meters=True), True),
        (READ, True),
        (Resend(bytes(8), 1, 2), True),
        (Configure(ConfigureAction.SHOW), False),
        (Configure(ConfigureAction.SET, "x"), True),
        (Configure(ConfigureAction.ROLL_BACK), True),
    ],
)
def test_what_has_effects_is_on_the_disk_before_it_is_done(bureau: Bureau, order: Order, effects: bool) -> None:
    """What only looks needs no preparation."""
    assert has_effects(order) is effects
    found: list[int] = []

    async def looking(_: Any) -> Answered:
        with closing(open_read_only(bureau.path)) as other:  # which sees what is committed
            found.extend(other.execute("SELECT count(*) FROM commands").fetchone())
        return Answered(Outcome.DONE)

    bureau.doing = looking

    async def scenario() -> None:
        async with bureau.run() as run:
            await run.answer(command(1, order))

    asyncio.run(scenario())
    assert found == [int(effects)]


def test_nothing_is_begun_when_the_gateway_ends(bureau: Bureau) -> None:
    """The link goes on for a moment to say goodbye: what comes then is for the next run."""

    async def scenario() -> None:
        async with bureau.run() as run:
            pass
        assert not run.take(command(1, READ))
        run.answerer.start(run.answerer.finish(order_id(1), Answered(Outcome.DONE)))
        async with bureau.run() as run:
            assert (await run.answer(command(1, READ))).outcome == Outcome.DONE

    asyncio.run(scenario())
    assert bureau.outcomes() == [(1, Outcome.DONE)]
