"""Collections and art items."""
