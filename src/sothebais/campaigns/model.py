"""Campaigns as plain values. Pure."""

from enum import StrEnum


class CampaignStatus(StrEnum):
    """DRAFT → SCHEDULED → ACTIVE → COMPLETED, or CANCELLED."""

    DRAFT = "DRAFT"
    SCHEDULED = "SCHEDULED"
    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"


class DayStatus(StrEnum):
    """The stage of a campaign day; SCHEDULED → PRE_AUCTION → AUCTION → POST_AUCTION → COMPLETED, or CANCELLED."""

    SCHEDULED = "SCHEDULED"
    PRE_AUCTION = "PRE_AUCTION"
    AUCTION = "AUCTION"
    POST_AUCTION = "POST_AUCTION"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
