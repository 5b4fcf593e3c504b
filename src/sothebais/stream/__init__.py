"""The show: scenes, composer, encoder, outputs."""
