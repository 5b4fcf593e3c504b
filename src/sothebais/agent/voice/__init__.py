"""The host's voice: text to sound, with the times of words and of the mouth."""
