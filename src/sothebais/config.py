"""Configuration: environment (``SOTHEBAIS_…``), then ``sothebais.toml``, then defaults.

Secrets come from the environment or from files, never from ``sothebais.toml``, and are never printed.
"""

import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from sothebais.errors import ConfigurationError

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
        default=8020, description="Port of event-handler's health and metrics."
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
    public_url: Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.:\[\]-]+$")] | None = Field(
        default=None,
        description="Where people find the house, such as https://auctions.example: what a wallet signs for, passkeys are "
        "bound to and X returns to. Without it only this machine's own addresses can be signed in at.",
    )
    secrets_key: SecretStr | None = Field(
        default=None,
        description="AES-256 key (64 hex digits) that encrypts second factors at rest; else data/keys/secrets.key.",
    )
    ethereum_rpc_url: SecretStr | None = Field(
        default=None, description="JSON-RPC of an Ethereum node; needed for signing in with contract wallets (ERC-1271)."
    )
    ethereum_chain_ids: tuple[int, ...] = Field(
        default=(1,), description="Chain ids a wallet may sign in for; the first is the one ethereum_rpc_url speaks of."
    )
    x_client_id: str | None = Field(default=None, description="OAuth 2.0 client id at X; without it nobody signs in by X.")
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
    log_level: Annotated[str, Field(pattern="^(debug|info|warning|error)$")] = Field(
        default="info", description="Least level that is logged."
    )
    log_file_bytes_max: Annotated[int, Field(ge=10_000)] = Field(
        default=10_000_000, description="A log file is rotated at this size."
    )
    log_files_max: Annotated[int, Field(ge=1, le=100)] = Field(default=5, description="Rotated log files kept.")

    @field_validator("database_url", "redis_url", "house_key", "secrets_key", mode="before")
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
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


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
