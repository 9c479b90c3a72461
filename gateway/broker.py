"""What the MQTT link and the doctor share: a client for an `[[mqtt]]` table, and why a broker cannot be used.

Certificates are always checked, the broker's name too: there is no key to switch that off.
"""

import ssl
from pathlib import Path
from typing import Final

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.broker_url import parse_broker
from gateway.network import address
from gateway.tables import MqttTable

KEEP_ALIVE_S: Final = 20
CONNECT_S: Final = 5.0

#: What MQTT 5 is told unless the configuration says it: 14 days, as ops/mosquitto/mosquitto.conf keeps sessions
#: of 3.1.1; and mosquitto's own limit of messages in flight.
SESSION_EXPIRY_S: Final = 1_209_600
RECEIVE_MAXIMUM: Final = 20

#: The end of OpenSSL's names for what the other side says when it refuses us (RFC 8446, section 6.2).
_ALERTS: Final = (
    (
        "CERTIFICATE_REQUIRED",
        "the broker wants a client certificate: set cert and key of [[mqtt]]",
    ),
    (
        "ALERT_UNKNOWN_CA",
        "the broker does not know the authority that signed our certificate: have cert signed by its own",
    ),
    (
        "ALERT_CERTIFICATE_EXPIRED",
        "our client certificate has expired, says the broker: renew cert (and look at both clocks)",
    ),
    ("ALERT_CERTIFICATE_REVOKED", "our client certificate is revoked, says the broker: renew cert"),
    (
        "ALERT_CERTIFICATE_UNKNOWN",
        "the broker does not accept our client certificate: look at cert",
    ),
    ("ALERT_BAD_CERTIFICATE", "the broker does not accept our client certificate: look at cert"),
    (
        "ALERT_HANDSHAKE_FAILURE",
        "the broker refuses the TLS handshake: it may want a client certificate (cert and key)",
    ),
    ("ALERT_PROTOCOL_VERSION", "the broker has no TLS version that we take (1.2 and 1.3)"),
    ("WRONG_VERSION_NUMBER", "no TLS is spoken on this port: use mqtt://, or the port of mqtts"),
    ("UNEXPECTED_EOF", "it ends the TLS handshake: no TLS on this port, or it refuses us"),
)


class _Socket(ssl.SSLSocket):
    """Closed when the handshake fails: paho forgets it then, and it would stay open."""

    def do_handshake(self, block: bool = False) -> None:
        """As ssl's own."""
        try:
            super().do_handshake(block)
        except (OSError, ValueError):
            self.close()
            raise


class BrokerAway(Exception):  # noqa: N818 - named by what happened
    """The broker cannot be used now; the text is for a person."""


def new_client(table: MqttTable, name: str, *, clean: bool = False) -> Client:
    """A client with the id `name` that knows where to connect, and is not connected yet.

    `clean`: the broker keeps nothing for it. Certificates and the password are read each time, so that
    renewed ones are taken at the next connection. Raises `BrokerAway` where a file cannot be used.
    """
    newest = table.version == "5"
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=name,
        clean_session=None if newest else clean,
        protocol=MQTTProtocolVersion.MQTTv5 if newest else MQTTProtocolVersion.MQTTv311,
        manual_ack=True,
        reconnect_on_failure=False,
    )
    client.connect_timeout = CONNECT_S
    host, port, tls = parse_broker(table.url)
    if tls:
        client.tls_set_context(_context(table))
    if table.username is not None:
        client.username_pw_set(table.username, _password(table))
    if newest:
        wanted = _wanted(table, clean=clean)
        client.connect_async(host, port, KEEP_ALIVE_S, clean_start=clean, properties=wanted)
    else:
        client.connect_async(host, port, KEEP_ALIVE_S)
    # Without this paho writes to the socket in whichever thread acknowledges, beside its own.
    client.on_socket_register_write = lambda *_: None
    return client


def connect(client: Client, table: MqttTable) -> None:
    """Make the connection of a client; its CONNECT goes out with the first `loop`. Raises `BrokerAway`."""
    try:
        client.reconnect()
    except (OSError, ValueError) as error:
        raise BrokerAway(connect_cause(table, error)) from error


def connect_cause(table: MqttTable, error: Exception) -> str:
    """Why no connection came about."""
    where = place(table)
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate of the broker at {where} is refused: {_refused(error)}"
    if isinstance(error, ssl.SSLError):
        return f"no TLS connection with {where}: {tls_cause(str(error))}"
    if isinstance(error, ConnectionResetError) and parse_broker(table.url).tls:
        return f"no TLS connection with {where}: {tls_cause('UNEXPECTED_EOF')}"
    text = getattr(error, "strerror", None) or str(error)
    if isinstance(error, ConnectionRefusedError):
        text = "nobody listens there"
    elif isinstance(error, TimeoutError):
        text = "off, unplugged, behind a firewall, or no TLS there"
    return f"no broker answers at {where}: {text}"


def silent_cause(table: MqttTable, said: str) -> str:
    """Why a connection ended before the broker's first answer; `said` is what the library saw."""
    where = place(table)
    if "SSL" in said:
        return f"the broker at {where} refuses us: {tls_cause(said)}"
    text = f"{where} closed the connection before it answered"
    if not parse_broker(table.url).tls:
        return f"{text}: no MQTT {table.version} on this port, or TLS is wanted (mqtts://)"
    if table.cert is None:
        return f"{text}: perhaps it wants a client certificate (cert and key)"
    return f"{text}: perhaps it refuses our client certificate"


def tls_cause(text: str) -> str:
    """What an error of OpenSSL means, and what to do."""
    known = next((meaning for name, meaning in _ALERTS if name in text.upper()), None)
    return known or text


def place(table: MqttTable) -> str:
    """The broker as a person knows it: `mqtts://HOST:PORT`."""
    host, port, tls = parse_broker(table.url)
    return f"{'mqtts' if tls else 'mqtt'}://{address(host, port)}"


def session_expiry_s(table: MqttTable) -> int:
    """How long a broker is asked to keep our session (MQTT 5)."""
    return SESSION_EXPIRY_S if table.session_expiry_s is None else table.session_expiry_s


def _wanted(table: MqttTable, *, clean: bool) -> Properties:
    """MQTT 5, section 3.1.2.11: without an expiry interval the session ends with the connection.

    No maximum packet size: the broker would drop larger messages without a word to anybody (3.1.2-25).
    """
    wanted = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    wanted.SessionExpiryInterval = 0 if clean else session_expiry_s(table)
    wanted.ReceiveMaximum = table.receive_maximum or RECEIVE_MAXIMUM
    return wanted


def _context(table: MqttTable) -> ssl.SSLContext:
    """TLS that checks the broker's certificate and name. Raises `BrokerAway`."""
    try:
        context = ssl.create_default_context(cafile=table.ca)
    except (OSError, ssl.SSLError) as error:
        raise BrokerAway(f"ca {table.ca}: {_file_cause(error)}") from error
    context.sslsocket_class = _Socket
    if table.cert is not None:
        try:
            # An encrypted key would ask a terminal for its password.
            context.load_cert_chain(table.cert, table.key, password=lambda: b"")
        except (OSError, ssl.SSLError) as error:
            cause = _file_cause(error)
            raise BrokerAway(f"cert {table.cert} with key {table.key}: {cause}") from error
    return context


def _password(table: MqttTable) -> str | None:
    if table.password_file is None:
        return None
    try:
        return Path(table.password_file).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BrokerAway(f"password_file {table.password_file}: {_file_cause(error)}") from error


def _file_cause(error: Exception) -> str:
    text = str(error)
    if "KEY_VALUES_MISMATCH" in text:
        return "the key is not the certificate's"
    if isinstance(error, ssl.SSLError) or not isinstance(error, OSError):
        return f"cannot be used: PEM is wanted, the key without a password ({text})"
    return error.strerror or text


def _refused(error: ssl.SSLCertVerificationError) -> str:
    text = error.verify_message
    if "mismatch" in text or "not valid for" in text:
        return f"{text}: use the name that stands in it, or give the broker another"
    if "expired" in text or "not yet valid" in text:
        return f"{text}: renew it (and look at both clocks)"
    return f"{text}: set ca to the authority that signed it"
