"""Everything about signing in and being somebody, joined: what the API and the command line are given."""

from sqlalchemy.ext.asyncio import AsyncEngine

from sothebais.clock import Clock
from sothebais.config import Settings
from sothebais.users.api_keys import ApiKeys
from sothebais.users.contract_wallets import ContractWallets
from sothebais.users.nonces import Nonces
from sothebais.users.passkeys import Passkeys
from sothebais.users.profile import Profiles
from sothebais.users.secret_box import SecretBox
from sothebais.users.service import SessionService
from sothebais.users.staff import Staff
from sothebais.users.wallets import Wallets
from sothebais.users.x_sign_in import XClient, XSignIn


class People:
    """The services of identity over one database."""

    def __init__(
        self, settings: Settings, clock: Clock, engine: AsyncEngine, sessions: SessionService, box: SecretBox
    ) -> None:
        rpc, chains = settings.ethereum_rpc_url, settings.ethereum_chain_ids
        self.sessions = sessions
        self.nonces = Nonces(engine)
        self.profiles = Profiles(engine)
        self.api_keys = ApiKeys(engine)
        self.passkeys = Passkeys(engine, self.nonces)
        self.staff = Staff(engine, clock, self.nonces, sessions, box, self.passkeys)
        self.wallets = Wallets(
            engine,
            clock,
            self.nonces,
            sessions,
            chain_ids=chains,
            contracts=None if rpc is None else ContractWallets(rpc.get_secret_value(), chains[0], clock),
        )
        self.x = XSignIn(engine, self.nonces, sessions, box, _x_client(settings))


def _x_client(settings: Settings) -> XClient | None:
    if settings.x_client_id is None:
        return None
    secret = settings.x_client_secret
    return XClient(
        settings.x_client_id,
        None if secret is None else secret.get_secret_value(),
        settings.x_authorize_url,
        settings.x_token_url,
        settings.x_users_url,
    )
