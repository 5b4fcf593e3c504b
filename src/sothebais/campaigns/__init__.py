"""Campaigns, their days and stages, and the schedule of lots."""
