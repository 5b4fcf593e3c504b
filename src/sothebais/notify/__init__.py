"""Notifications, and the webhooks others have subscribed."""
