"""Pages to one person carry a link of their own to acknowledge with."""

from datetime import timedelta

from incidentd.delivery.traits import Traits
from incidentd.domain.ack_link import LIFETIME, AckLink, AckLinks
from incidentd.store import deliveries
from tests.delivery.cast import GONE, NOW, RETRY, FakeSender, Office
from tests.delivery.players import tell

LINKS = AckLinks(b"k" * 32, "http://inc.example")
ANN = "ann@example.com"


class Mail(FakeSender):
    targets = (ANN,)

    def links(self) -> list[AckLink | None]:
        urls = [message.acknowledge_url or "" for message in self.heard]
        return [LINKS.read(url.rpartition("/")[2]) for url in urls]


def hire(office: Office, mail: Mail) -> None:
    tell(office, "mail", targets={"mail": mail.targets})
    office.hire({"mail": mail}, traits={"mail": Traits(personal=True)}, ack_links=LINKS)


async def test_every_attempt_at_a_page_has_the_same_link_and_its_end_has_none(office: Office) -> None:
    mail = Mail(RETRY)
    hire(office, mail)
    number = await office.declare()
    await office.settled()
    await office.later(5)
    await office.resolve(number)
    await office.settled()
    first, second, end = mail.links()
    assert first is not None
    assert (first.incident_id, first.recipient, first.expires_at) == (number, ANN, NOW + LIFETIME)
    assert (second, end) == (first, None)


async def test_a_page_that_a_person_puts_back_days_later_has_a_link_that_works(office: Office) -> None:
    mail = Mail(GONE)
    hire(office, mail)
    await office.declare()
    await office.settled()
    await office.later(timedelta(days=2).total_seconds())
    [dead] = await office.rows()
    now = office.clock.now()
    await office.store.write(lambda tx: deliveries.revive(tx, dead.id, now))
    office.wake()
    await office.settled()
    await office.later(1)  # the fall-back may have held its row for a moment
    _, again = mail.links()
    assert again is not None
    assert again.expires_at == now + LIFETIME
