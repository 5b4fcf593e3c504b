"""The voices that the settings ask for."""

from sothebais.agent.voice.fallback import VoiceChain
from sothebais.agent.voice.openai_speech import OpenAISpeech
from sothebais.agent.voice.phonemes import Phonemizer
from sothebais.agent.voice.piper import PiperVoice
from sothebais.agent.voice.ports import SpeechSynthesizer
from sothebais.clock import Clock
from sothebais.config import Settings
from sothebais.errors import ConfigurationError


def build_voice(settings: Settings, clock: Clock) -> VoiceChain:
    """Not started yet. Raises ConfigurationError when a setting that the voice needs is missing."""
    phonemizer = Phonemizer()
    voices: list[SpeechSynthesizer] = []
    if settings.agent_voice == "openai":
        if settings.agent_voice_url is None:
            raise ConfigurationError("agent_voice is openai, so agent_voice_url must say where the service is.")
        voices.append(
            OpenAISpeech(
                clock,
                settings.agent_voice_url,
                settings.agent_voice_name,
                settings.agent_voice_model,
                settings.agent_voice_key,
                phonemizer,
            )
        )
    if settings.agent_voice != "none":
        voices.append(PiperVoice(clock, settings.agent_voice_file, settings.agent_voice_threads, phonemizer))
    return VoiceChain(clock, voices)
