"""The MQTT broker of the demo where no mosquitto is installed: amqtt in a process of its own.

It delivers QoS 1 to whoever is connected, and no more: what comes while a subscriber is away is lost for it, and so is
what it had not acknowledged (amqtt 0.12.1, measured). So it tells the simulated readers whenever somebody subscribes,
and they send again what they kept. A demo can live with that; a border needs a broker that keeps sessions.
"""

import asyncio
import logging

from amqtt.broker import Broker, BrokerContext
from amqtt.plugins.base import BasePlugin

from simulators.mqtt_port import SUBSCRIBED_TOPIC


class Announcer(BasePlugin[BrokerContext]):  # type: ignore[misc]  # no types there
    """Says who has subscribed, on a topic that the simulated readers follow."""

    async def on_broker_client_subscribed(self, client_id: str, topic: str, qos: int) -> None:  # noqa: ARG002
        """Tell the readers, unless it is one of them."""
        if topic != SUBSCRIBED_TOPIC:
            await self.context.broadcast_message(SUBSCRIBED_TOPIC, client_id.encode(), 1)


async def run_broker(port: int) -> None:
    """Serve on a loopback port until cancelled."""
    logging.getLogger("transitions").setLevel(logging.WARNING)
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {
                "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True},
                "simulators.small_broker.Announcer": {},
            },
        }
    )
    await broker.start()
    try:
        await asyncio.Event().wait()
    finally:
        await broker.shutdown()
