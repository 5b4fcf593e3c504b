"""Pictures that come in from elsewhere, live: a studio camera, a guest, another programme."""
