"""Back-pressure between a library's thread and the event loop."""

import asyncio

from gateway.hand_over import HandOver


async def test_a_slow_gateway_holds_the_network_thread_not_the_memory() -> None:
    gate = HandOver(most=2, most_bytes=100)
    gate.set(open_=True)
    assert gate.enter(10)
    assert gate.enter(10)
    third = asyncio.create_task(asyncio.to_thread(gate.enter, 10))
    done, _ = await asyncio.wait([third], timeout=0.05)
    assert not done
    gate.leave(10)
    async with asyncio.timeout(5):
        assert await third


async def test_a_piece_larger_than_all_room_passes_when_nothing_else_is_there() -> None:
    gate = HandOver(most=2, most_bytes=100)
    gate.set(open_=True)
    assert gate.enter(500)


async def test_the_network_thread_is_let_go_when_the_link_ends() -> None:
    gate = HandOver(most=1, most_bytes=100)
    gate.set(open_=True)
    assert gate.enter(10)
    waiting = asyncio.create_task(asyncio.to_thread(gate.enter, 10))
    gate.set(open_=False)
    async with asyncio.timeout(5):
        assert await waiting is False
