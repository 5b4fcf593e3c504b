"""The host: character, mood, memory, conversation, speech."""
