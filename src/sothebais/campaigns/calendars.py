"""A campaign as an iCalendar feed (RFC 5545): a session for each day, in the campaign's own time zone. Pure."""

from collections.abc import Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event

from sothebais.campaigns.model import CampaignDetails, CampaignStatus, DayDetails, DayStatus
from sothebais.campaigns.ports import LotSummary
from sothebais.instants import Millis, to_datetime

#: Lots named in a day's description.
LOTS_NAMED_MAX = 50
#: How often a reader may ask again.
REFRESH = timedelta(hours=1)


def render(campaign: CampaignDetails, days: Sequence[DayDetails], lots: Sequence[LotSummary], now: Millis) -> bytes:
    """The feed. Times are wall-clock times with a VTIMEZONE, so that they stay right where the clocks change."""
    zone = ZoneInfo(campaign.time_zone)
    calendar = Calendar()
    calendar.add("prodid", "-//SothebAIs//campaigns//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("name", campaign.name)
    calendar.add("x-wr-calname", campaign.name)
    calendar.add("x-wr-timezone", campaign.time_zone)
    calendar.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    for day in days:
        of_day = [lot for lot in lots if lot.day == day.id]
        calendar.add_component(_event(campaign, day, of_day, zone, now))
    calendar.add_missing_timezones()
    data: bytes = calendar.to_ical()
    return data


def _event(
    campaign: CampaignDetails, day: DayDetails, lots: Sequence[LotSummary], zone: ZoneInfo, now: Millis
) -> Event:
    event = Event()
    event.add("uid", f"{day.id}@sothebais")
    event.add("dtstamp", to_datetime(now).replace(microsecond=0))
    event.add("dtstart", to_datetime(day.pre_auction_at).astimezone(zone))
    event.add("dtend", to_datetime(day.ends_at).astimezone(zone))
    event.add("sequence", campaign.version)
    event.add("summary", f"{campaign.name}: day {day.number}")
    begins = to_datetime(day.auction_at).astimezone(zone)
    named = [f"{_wall(lot.starts_at, zone)} lot {lot.lot_number}: {lot.title}" for lot in lots[:LOTS_NAMED_MAX]]
    more = [f"and {len(lots) - LOTS_NAMED_MAX} more"] if len(lots) > LOTS_NAMED_MAX else []
    event.add("description", "\n".join([f"The first lot opens at {begins:%H:%M}.", *named, *more]))
    cancelled = day.status is DayStatus.CANCELLED or campaign.status is CampaignStatus.CANCELLED
    draft = campaign.status is CampaignStatus.DRAFT
    event.add("status", "CANCELLED" if cancelled else "TENTATIVE" if draft else "CONFIRMED")
    event.add("transp", "TRANSPARENT")
    return event


def _wall(at: Millis, zone: ZoneInfo) -> str:
    return f"{to_datetime(at).astimezone(zone):%H:%M}"
