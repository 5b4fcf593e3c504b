"""The sound of the show: speech over a quiet bed, short cues, silence; measured and kept level."""
