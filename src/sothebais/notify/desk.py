"""The parts of notifications, joined: what the API asks, and what the event-handler runs."""

from collections.abc import Callable, Coroutine
from email.utils import parseaddr
from functools import cached_property
from typing import Any

from sothebais.auctions.receipts import HouseKey
from sothebais.clock import Clock
from sothebais.config import Settings
from sothebais.events.cursors import TOGETHER_MAX, DurableConsumer
from sothebais.notify.announcer import Announcer
from sothebais.notify.consumer import CONSUMER, TYPES, NotificationHandler
from sothebais.notify.dispatcher import Dispatcher
from sothebais.notify.mail import EmailOutbox, parse_server
from sothebais.notify.outgoing import Outgoing
from sothebais.notify.push import PushOutbox, VapidKey
from sothebais.notify.webhooks import CONSUMER as WEBHOOKS
from sothebais.notify.webhooks import WebhookHandler, WebhookOutbox
from sothebais.users.secret_box import SecretBox

type Work = Callable[[], Coroutine[Any, Any, None]]


class NotifyDesk:
    """Notifications and webhooks of one house."""

    def __init__(
        self, settings: Settings, clock: Clock, dsn: str, *, key: HouseKey, vapid: VapidKey, box: SecretBox
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.dsn = dsn
        self.key = key
        self.vapid = vapid
        self.box = box

    @cached_property
    def outgoing(self) -> Outgoing:
        """What the API checks and tests addresses with."""
        return self._outgoing()

    @property
    def public_url(self) -> str:
        """Where the links in mails lead."""
        return self.settings.public_url or f"http://{self.settings.host}:{self.settings.port}"

    @property
    def sends_mail(self) -> bool:
        """Whether there is a mail server."""
        return self.settings.smtp_url is not None

    def consumers(self) -> list[DurableConsumer]:
        """The readers of the log: one process at a time each."""
        return [
            DurableConsumer(
                self.dsn,
                CONSUMER,
                NotificationHandler(self.clock, email=self.sends_mail),
                types=TYPES,
                together_max=TOGETHER_MAX,
            ),
            DurableConsumer(self.dsn, WEBHOOKS, WebhookHandler(), together_max=TOGETHER_MAX),
        ]

    def announcer(self) -> Announcer:
        """News for many, and reminders: one process at a time."""
        return Announcer(self.dsn, self.clock, email=self.sends_mail)

    def dispatchers(self) -> list[Dispatcher]:
        """What sends: any number of processes."""
        sender = self.settings.smtp_from
        push = PushOutbox(
            self.clock, key=self.vapid, outgoing=self._outgoing(), contact=f"mailto:{parseaddr(sender)[1]}"
        )
        found = [
            Dispatcher(self.dsn, push),
            Dispatcher(self.dsn, WebhookOutbox(self.clock, self._outgoing(), self.box)),
        ]
        if self.settings.smtp_url is not None:
            server = parse_server(self.settings.smtp_url.get_secret_value())
            mail = EmailOutbox(self.clock, server=server, sender=sender, public_url=self.public_url, key=self.key)
            found.append(Dispatcher(self.dsn, mail))
        return found

    def work(self) -> list[Work]:
        """Everything the event-handler runs."""
        return [
            *(consumer.run for consumer in self.consumers()),
            self.announcer().run,
            *(dispatcher.run for dispatcher in self.dispatchers()),
        ]

    def _outgoing(self) -> Outgoing:
        return Outgoing(private=self.settings.private_receivers)
