"""Configuration: environment (``SOTHEBAIS_…``), then ``sothebais.toml``, then defaults.

Secrets come from the environment or from files, never from ``sothebais.toml``, and are never printed.
"""

import os
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from sothebais import money
from sothebais.errors import ConfigurationError, InvalidAmount

CONFIG_FILE = "sothebais.toml"
_PREFIX = "SOTHEBAIS_"


class Settings(BaseSettings):
    """Every setting of the house."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, toml_file=CONFIG_FILE, extra="forbid", frozen=True, populate_by_name=True
    )

    data_dir: Path = Field(
        default=Path("data"), description="Folder for assets, logs, recordings and embedded servers."
    )
    database_url: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("DATABASE_URL", f"{_PREFIX}DATABASE_URL", "database_url"),
        description="PostgreSQL ≥ 15, postgresql://user:password@host/database. Without it an embedded server starts.",
    )
    redis_url: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("REDIS_URL", f"{_PREFIX}REDIS_URL", "redis_url"),
        description="Redis ≥ 7 or Valkey ≥ 8, redis://:password@host:6379/0. Without it an embedded server starts.",
    )
    host: str = Field(default="127.0.0.1", description="Address the HTTP services listen on.")
    port: Annotated[int, Field(ge=1, le=65535)] = Field(default=8000, description="Port of the pages and the API.")
    engine_port: Annotated[int, Field(ge=1, le=65535)] = Field(
        default=8010, description="Port of auction-engine when it runs alone."
    )
    events_port: Annotated[int, Field(ge=1, le=65535)] = Field(
        default=8021, description="Port of event-handler's health and metrics."
    )
    stream_port: Annotated[int, Field(ge=1, le=65535)] = Field(
        default=8030, description="Port of stream-manager: the live picture, HLS, stills."
    )
    agent_port: Annotated[int, Field(ge=1, le=65535)] = Field(
        default=8040, description="Port of agent-service's health and metrics."
    )
    stream_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s]+[^/\s]$",
        description="Where pages find the live picture, https://stream.example/api/v1/stream; else this machine's stream-manager.",
    )
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/\s]+$",
        description="Where people reach the pages, https://auctions.example; live connections of other sites are refused.",
    )
    live_port: Annotated[int, Field(ge=1, le=65535)] = Field(
        default=8020, description="Port of the live gateway; each further one of event-handler's takes the next."
    )
    live_gateways: Annotated[int, Field(ge=0, le=64)] = Field(
        default=1, description="Live gateways that event-handler starts; 0 where they run apart or not at all."
    )
    live_url: str | None = Field(
        default=None,
        pattern=r"^wss?://[^\s]+$",
        description="Where pages find the live feed, wss://live.example/api/v1/live; else this machine's gateway.",
    )
    live_trusted_proxies: tuple[str, ...] = Field(
        default=(),
        description='Proxies whose X-Forwarded-For is believed, besides one on this machine, such as ["10.0.0.0/8"].',
    )
    live_connections_max: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=20_000, description="Live connections one process takes; more are refused."
    )
    live_connections_per_address_max: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=200, description="Live connections one network address may have with one process."
    )
    live_topics_max: Annotated[int, Field(ge=1, le=1_000)] = Field(
        default=50, description="Topics one live connection may follow."
    )
    live_messages_per_second: Annotated[float, Field(gt=0, le=1_000)] = Field(
        default=5.0, description="Messages a live client may send a second, on average; more end its connection."
    )
    live_message_bytes_max: Annotated[int, Field(ge=512, le=65_536)] = Field(
        default=8_192, description="Length of a live client's message at most; a longer one ends its connection."
    )
    live_buffer_bytes_max: Annotated[int, Field(ge=16_384, le=64_000_000)] = Field(
        default=1_000_000, description="What may wait for a live client that reads slowly; more ends its connection."
    )
    event_streams_max: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=200, description="Server-sent event streams one process serves at once."
    )
    sandbox: bool = Field(
        default=False, description="Allow sign-in by handle without proof. For demos, rehearsals and tests only."
    )
    session_idle_s: Annotated[int, Field(ge=60)] = Field(
        default=86_400, description="A sign-in unused for so long ends."
    )
    session_absolute_s: Annotated[int, Field(ge=60)] = Field(
        default=30 * 86_400, description="A sign-in ends after so long whatever happens."
    )
    secrets_key: SecretStr | None = Field(
        default=None,
        description="AES-256 key (64 hex digits) that encrypts second factors at rest; else data/keys/secrets.key.",
    )
    ethereum_rpc_url: SecretStr | None = Field(
        default=None,
        description="JSON-RPC of an Ethereum node; needed for signing in with contract wallets (ERC-1271).",
    )
    ethereum_chain_ids: tuple[int, ...] = Field(
        default=(1,), description="Chain ids a wallet may sign in for; the first is the one ethereum_rpc_url speaks of."
    )
    x_client_id: str | None = Field(
        default=None, description="OAuth 2.0 client id at X; without it nobody signs in by X."
    )
    x_client_secret: SecretStr | None = Field(
        default=None, description="OAuth 2.0 client secret at X, for a confidential client."
    )
    x_authorize_url: str = Field(default="https://x.com/i/oauth2/authorize", description="Where X asks for consent.")
    x_token_url: str = Field(default="https://api.x.com/2/oauth2/token", description="Where X gives tokens.")
    x_users_url: str = Field(default="https://api.x.com/2/users/me", description="Where X says who somebody is.")
    body_bytes_max: Annotated[int, Field(ge=1_024)] = Field(
        default=262_144, description="The body of a request is at most so long; a longer one gets 413."
    )
    bids_waiting_max: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=10_000, description="Bids that may wait for the next commit; more get 503."
    )
    batch_bids_max: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=1_000, description="Bids decided in one commit at most."
    )
    commit_timeout_s: Annotated[float, Field(gt=0, le=60)] = Field(
        default=1.5, description="A bid that is not committed by then gets 503; every closing_grace is longer."
    )
    outage_extends_s: Annotated[float, Field(gt=0, le=3600)] = Field(
        default=5.0, description="An outage of bidding longer than this is given back to the running lots."
    )
    bids_per_user_per_second: Annotated[float, Field(gt=0)] = Field(
        default=20.0, description="Bids one user may make a second, on average."
    )
    bids_per_address_per_second: Annotated[float, Field(gt=0)] = Field(
        default=200.0, description="Bids from one network address a second, on average."
    )
    reads_per_second: Annotated[float, Field(gt=0)] = Field(
        default=200.0, description="Other requests that only read, by one person, API key or network address, a second."
    )
    writes_per_second: Annotated[float, Field(gt=0)] = Field(
        default=20.0, description="Other requests that write, by one person, API key or network address, a second."
    )
    assets_url: str | None = Field(
        default=None,
        description="Where assets are kept: a folder or an fsspec address (s3://bucket/prefix); else data/assets.",
    )
    stream_auto: bool = Field(
        default=True, description="A campaign day goes on air by itself; else only when staff start a stream."
    )
    stream_canvas: Annotated[str, Field(pattern=r"^(1280x720|1920x1080|720x1280|1080x1920)$")] = Field(
        default="1280x720", description="Size of streams that go on air by themselves."
    )
    stream_fps: Literal[30, 60] = Field(default=30, description="Their frames a second.")
    stream_video_kbps: Annotated[int, Field(ge=200, le=50_000)] = Field(
        default=3_000, description="Bit rate of the picture. X takes at most 12,000."
    )
    stream_video_kbps_min: Annotated[int, Field(ge=100, le=50_000)] = Field(
        default=800, description="The picture's rate is lowered to this when an output cannot keep up."
    )
    stream_audio_kbps: Annotated[int, Field(ge=32, le=320)] = Field(
        default=128, description="Bit rate of the sound. X takes at most 128."
    )
    stream_key_interval_s: Annotated[float, Field(ge=0.5, le=10)] = Field(
        default=1.0, description="A key frame so often, which is also how long an HLS segment is. X takes at most 3."
    )
    stream_encoder: Annotated[str, Field(pattern=r"^(auto|libx264|h264_[a-z0-9]+)$")] = Field(
        default="auto", description="H.264 encoder; auto takes the first hardware encoder that works, else libx264."
    )
    stream_preset: Annotated[str, Field(pattern=r"^(ultrafast|superfast|veryfast|faster|fast|medium)$")] = Field(
        default="superfast", description="libx264's preset."
    )
    stream_threads: Annotated[int, Field(ge=1, le=64)] = Field(default=1, description="Threads of the encoder.")
    stream_outputs: dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")], SecretStr] = Field(
        default={},
        description='Where the stream goes: {"x": "rtmps://…/KEY"}, RTMP or RTMPS with the stream key. Secret.',
    )
    stream_inputs: Annotated[
        dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")], SecretStr], Field(max_length=4)
    ] = Field(
        default={},
        description='Live pictures that scenes may show, by name: {"guest": "rtmp://server/app/KEY"}, RTMP or RTMPS. Secret.',
    )
    stream_ca_file: Path | None = Field(
        default=None, description="Certificates that RTMPS servers are checked against; else the system's."
    )
    stream_record: bool = Field(default=True, description="Every stream is recorded in data/recordings.")
    stream_hls: bool = Field(default=True, description="Every stream is written as HLS to data/hls.")
    stream_music: bool = Field(default=True, description="Quiet music lies under the stream.")
    stream_pause_after_s: Annotated[float, Field(ge=0, le=3_600)] = Field(
        default=30.0,
        description="Lots are paused when there has been no picture at all for so long; 0 never does that.",
    )
    recording_free_bytes_min: Annotated[int, Field(ge=0)] = Field(
        default=2_000_000_000, description="Recording stops while the disk has less left: bids are kept there too."
    )
    stream_asset_bytes_max: Annotated[int, Field(ge=1_024, le=1_073_741_824)] = Field(
        default=64 * 1024 * 1024, description="A file of the show (picture, video, sound) has at most so many bytes."
    )
    ipfs_gateways: tuple[str, ...] = Field(
        default=(), description='Gateways for ipfs:// pictures, a JSON list such as ["https://ipfs.example/ipfs"].'
    )
    house_key: SecretStr | None = Field(
        default=None, description="Ed25519 private key (64 hex digits) that signs receipts; else data/keys/house.key."
    )
    otlp_endpoint: str | None = Field(
        default=None,
        description="Where traces are sent by OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces; else none are made.",
    )
    trace_ratio: Annotated[float, Field(ge=0, le=1)] = Field(
        default=1.0, description="The share of requests that is traced."
    )
    invoice_after_s: Annotated[int, Field(ge=0, le=604_800)] = Field(
        default=300,
        description="A sold lot is invoiced by itself so long after its end; until then it can be re-opened.",
    )
    payment_due_s: Annotated[int, Field(ge=60, le=31_622_400)] = Field(
        default=7 * 86_400, description="An invoice is to be paid within so long, where the campaign says nothing else."
    )
    offer_lasts_s: Annotated[int, Field(ge=60, le=31_622_400)] = Field(
        default=2 * 86_400, description="A runner-up has so long to accept a lot whose winner did not pay."
    )
    approval_amounts: dict[str, Decimal] = Field(
        default={},
        description='Totals above these, by currency, are marked as paid or delivered by two of the staff: {"ETH": "10"}.',
    )
    invoice_issuer: Annotated[str, Field(min_length=1, max_length=1_000)] = Field(
        default="SothebAIs", description="Who issues the invoices: name and address, lines separated by \\n."
    )
    payment_instructions: dict[str, str] = Field(
        default={}, description='How invoices are paid, by currency: {"EUR": "IBAN DE…", "ETH": "0x…"}.'
    )
    chat_lines_per_minute: Annotated[float, Field(gt=0, le=600)] = Field(
        default=20.0, description="Lines one person may write in the rooms a minute, on average."
    )
    chat_slow_s: Annotated[int, Field(ge=0, le=3600)] = Field(
        default=0, description="Slow mode of rooms where staff set nothing else: a line in so many seconds; 0 is off."
    )
    chat_words_file: Path | None = Field(
        default=None, description="Words refused in the rooms, one a line, `word*` for a beginning; else a short list."
    )
    smtp_url: SecretStr | None = Field(
        default=None,
        description="Mail server, smtp://user:password@host:587 or smtps://…; without it no e-mail is sent.",
    )
    smtp_from: Annotated[str, Field(pattern=r"^[^@\r\n]*[^@\s<]@[^@\s>]+>?$", max_length=200)] = Field(
        default="SothebAIs <house@localhost>", description="Sender of e-mail, and whom push services may write to."
    )
    vapid_key: SecretStr | None = Field(
        default=None,
        description="P-256 private key (64 hex digits) that signs web push; else data/keys/vapid.key. The same on every machine.",
    )
    private_receivers: bool = Field(
        default=False, description="Allow webhooks and web push to private addresses, and webhooks without TLS."
    )
    agent_model_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s]+$",
        description="An OpenAI-compatible service that writes the host's lines, https://api.openai.com/v1; else the script does.",
    )
    agent_model_key: SecretStr | None = Field(
        default=None, description="The key for agent_model_url; local services often want none."
    )
    agent_model_name: Annotated[str, Field(min_length=1, max_length=100)] = Field(
        default="gpt-4o-mini", description="The model asked for at agent_model_url."
    )
    agent_model_deadline_ms: Annotated[int, Field(ge=100, le=30_000)] = Field(
        default=2_500, description="A line that the model has not written by then is spoken by the scripted host."
    )
    agent_model_output_tokens_max: Annotated[int, Field(ge=16, le=4_000)] = Field(
        default=220, description="Length of one answer of the model at most."
    )
    agent_embedding_tokenizer: Path | None = Field(
        default=None,
        description="tokenizer.json or vocab.txt of all-MiniLM-L6-v2: the host's memories are then found by meaning, else by words.",
    )
    agent_voice: Literal["piper", "openai", "none"] = Field(
        default="piper",
        description="Who speaks for the host: the embedded voice, a service at agent_voice_url, or nobody (captions only).",
    )
    agent_voice_file: Path | None = Field(
        default=None,
        description="Another Piper voice, voice.onnx with voice.onnx.json beside it; else the house's own.",
    )
    agent_voice_threads: Annotated[int, Field(ge=1, le=8)] = Field(
        default=1, description="Processor threads of the embedded voice."
    )
    agent_voice_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s]+$",
        description="An OpenAI-compatible speech service, https://api.openai.com/v1; used with agent_voice = openai.",
    )
    agent_voice_key: SecretStr | None = Field(default=None, description="The key for agent_voice_url.")
    agent_voice_name: Annotated[str, Field(min_length=1, max_length=100)] = Field(
        default="alloy", description="The voice asked for at agent_voice_url."
    )
    agent_voice_model: Annotated[str, Field(min_length=1, max_length=100)] = Field(
        default="gpt-4o-mini-tts", description="The model asked for at agent_voice_url."
    )
    clips: bool = Field(
        default=True, description="Have the stream-manager make clips of each sold lot, when the machine has time."
    )
    log_level: Annotated[str, Field(pattern="^(debug|info|warning|error)$")] = Field(
        default="info", description="Least level that is logged."
    )
    log_file_bytes_max: Annotated[int, Field(ge=10_000)] = Field(
        default=10_000_000, description="A log file is rotated at this size."
    )
    log_files_max: Annotated[int, Field(ge=1, le=100)] = Field(default=5, description="Rotated log files kept.")

    @field_validator("approval_amounts", "payment_instructions")
    @classmethod
    def _by_currency(cls, value: dict[str, Any]) -> dict[str, Any]:
        """Named currencies the house knows, and nothing that could not be an amount."""
        for currency, given in value.items():
            try:
                money.currency_decimals(currency)
                if isinstance(given, Decimal):
                    money.checked(given, money.DECIMALS_MAX, name=currency)
            except InvalidAmount as error:
                raise ValueError(error.message) from error
        return value

    @field_validator("stream_outputs", "stream_inputs")
    @classmethod
    def _rtmp(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        """Addresses that can be streamed to or read; the message must not say more of one than its name."""
        for name, given in value.items():
            address = urlsplit(given.get_secret_value())
            if address.scheme not in ("rtmp", "rtmps") or not address.hostname or len(address.path) < 2:
                raise ValueError(f"the address of {name} must look like rtmps://server/app/KEY")
        return value

    @field_validator("stream_outputs")
    @classmethod
    def _not_our_own(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name in value:
            if name in ("hls", "recording", "preview"):
                raise ValueError(f"{name} is the house's own output; give this one another name")
        return value

    @field_validator(
        "database_url",
        "redis_url",
        "house_key",
        "secrets_key",
        "smtp_url",
        "vapid_key",
        "agent_model_url",
        "agent_model_key",
        "agent_voice_key",
        mode="before",
    )
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        """An empty variable says that the file's value does not count either."""
        return None if value == "" else value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Given in code, then environment, then the file."""
        return init_settings, env_settings, _File(settings_cls)


class _File(TomlConfigSettingsSource):
    """``sothebais.toml``, which may be kept with the code: a secret in it is refused by name."""

    def __call__(self) -> dict[str, Any]:
        given = super().__call__()
        secret = sorted(name for name in given if name in _secrets())
        if secret:
            raise ConfigurationError(
                f"{CONFIG_FILE} holds what is secret: {', '.join(secret)}. Take it out of the file and give it by the "
                "environment instead."
            )
        return given


def _secrets() -> set[str]:
    return {name for name, field in Settings.model_fields.items() if "SecretStr" in repr(field.annotation)}


def load(**given: Any) -> Settings:
    """The settings. Raises ConfigurationError with the name of each wrong setting and what it should be."""
    _refuse_unknown_environment()
    try:
        return Settings(**given)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, fault['loc'])) or 'settings'}: {fault['msg']}" for fault in error.errors()]
        raise ConfigurationError("The configuration is not valid. " + "; ".join(lines)) from error
    except ValueError as error:  # a file that is not TOML
        raise ConfigurationError(f"{CONFIG_FILE} cannot be read: {error}") from error


#: Variables of the house that are not settings of this class.
_OTHER_VARIABLES = frozenset({"SOTHEBAIS_PG_USER"})


def _refuse_unknown_environment() -> None:
    known = {f"{_PREFIX}{name.upper()}" for name in Settings.model_fields} | _OTHER_VARIABLES
    for name in os.environ:
        if name.startswith(_PREFIX) and name not in known:
            raise ConfigurationError(f"{name} is not a setting. `sothebais doctor` lists them all.")
