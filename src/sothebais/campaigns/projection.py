"""The campaigns' Redis states, read from the tables when one of their events passes.

Campaigns change a few times a day, so nothing is folded: every event has the state read fresh.
"""

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from sothebais.campaigns.tables import Campaign, CampaignDay
from sothebais.events.cursors import LoggedEvent
from sothebais.state import keys, models
from sothebais.state.store import Publication, Write

LIFE_S = keys.LIFE[keys.Kind.CAMPAIGN]
_OVER = ("COMPLETED", "CANCELLED")
_C, _D = Campaign.__tablename__, CampaignDay.__tablename__
# the auctions table belongs to a domain above this one; only its name and three columns are used here
_LOAD = f"""
select c.id, c.name, c.status, c.version, d.id as day_id, d.number, d.date, d.status as stage,
  extract(epoch from now() - d.ends_at) as day_over_s, max(extract(epoch from now() - d.ends_at)) over (partition by c.id) as over_s,
  array(select a.id from auctions a where a.campaign_day_id = d.id order by a.lot_number) as lots,
  (select count(*) from auctions a where a.campaign_day_id = d.id and a.status in ('ENDED', 'SETTLED', 'CANCELLED'))
    as completed
from {_C} c join {_D} d on d.campaign_id = c.id
where """  # noqa: S608
_OF_LOTS = f"""
select distinct d.campaign_id from auctions a join {_D} d on d.id = a.campaign_day_id where a.id = any($1::uuid[])
"""  # noqa: S608
_COUNTED = frozenset({"auction:end", "auction:cancelled", "auction:reopened"})
_SOME = _LOAD + "c.id = any($1::uuid[]) order by c.id, d.number"
_LIVE = (
    _LOAD
    + f"c.status <> 'DRAFT' and (c.status not in {_OVER} or d.ends_at > now() - interval '{LIFE_S} seconds') order by c.id, d.number"
)


class CampaignProjector:
    """The relay's port for campaigns and their days."""

    def wants(self, event: LoggedEvent) -> bool:
        """Events of campaigns, and of lots that count as done or not any more."""
        return event.subject.startswith("campaign:") or event.type in _COUNTED

    async def project(self, connection: Any, events: Sequence[LoggedEvent]) -> tuple[list[Write], list[Publication]]:
        """The states of the campaigns these events are about."""
        subjects = {event.subject.partition(":")[::2] for event in events}
        campaigns = [UUID(text) for kind, text in subjects if kind == "campaign"]
        lots = [UUID(text) for kind, text in subjects if kind == "auction"]
        if lots:
            campaigns += [row["campaign_id"] for row in await connection.fetch(_OF_LOTS, lots)]
        return _writes(await connection.fetch(_SOME, campaigns)), []

    async def rebuild(self, connection: Any) -> list[Write]:
        """Every campaign that is not over for a day."""
        return _writes(await connection.fetch(_LIVE))

    def patterns(self) -> Sequence[str]:
        """The keys of campaigns and their days."""
        return ("campaign:*",)

    def forget(self) -> None:
        """Nothing is kept."""


def _writes(rows: Sequence[Any]) -> list[Write]:
    by_campaign: dict[UUID, list[Any]] = {}
    for row in rows:
        by_campaign.setdefault(row["id"], []).append(row)
    made = []
    for campaign, days in by_campaign.items():
        made.append(_campaign(campaign, days))
        made += [_day(campaign, row) for row in days]
    return made


def _campaign(campaign: UUID, days: Sequence[Any]) -> Write:
    row = days[0]
    current = next((day for day in days if day["stage"] in ("PRE_AUCTION", "AUCTION", "POST_AUCTION")), None)
    begun = [day["number"] for day in days if day["stage"] != "SCHEDULED"]
    state = models.CampaignState(
        id=campaign,
        name=row["name"],
        status=cast(Any, row["status"]),
        current_day=max(begun) if begun else None,
        total_days=len(days),
        current_session=None if current is None else current["day_id"],
        n=row["version"],
    )
    seconds = LIFE_S if row["status"] in _OVER else 0
    return Write(keys.campaign(campaign), row["version"], state.model_dump_json().encode(), seconds)


def _day(campaign: UUID, row: Any) -> Write:
    state = models.CampaignDayState(
        campaign=campaign,
        day=row["number"],
        id=row["day_id"],
        date=row["date"].isoformat(),
        session=f"Day {row['number']}",
        stage=cast(Any, row["stage"]),
        lots=tuple(row["lots"]),
        completed=row["completed"],
        n=row["version"],
    )
    seconds = LIFE_S if row["stage"] in _OVER else 0
    return Write(keys.campaign_day(campaign, row["number"]), row["version"], state.model_dump_json().encode(), seconds)
