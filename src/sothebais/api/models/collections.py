"""Bodies about collections and art items."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, JsonValue

from sothebais.api.models.base import AmountText, Body, Id, Instant

type Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,79}$", examples=["nouns"])]
type ContractAddress = Annotated[
    str, Field(pattern=r"^0x[0-9a-fA-F]{40}$", examples=["0x9C8fF314C9Bc7F6e59A9d9225Fb22946427eDC03"])
]
type Blockchain = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$", examples=["ethereum"])]
type Address = Annotated[str, Field(max_length=2_000, description="An address of http, https, ipfs or ar.")]
type Name = Annotated[str, Field(min_length=1, max_length=200)]
type Description = Annotated[str, Field(max_length=10_000)]
type Percent = Annotated[str, Field(pattern=r"^(?:0|[1-9][0-9]{0,2})(?:\.[0-9]{1,6})?$", examples=["2.5"])]


class Collection(Body):
    """A project's collection."""

    id: Id
    slug: str
    name: str
    description: str
    project_name: str | None
    seller_id: Id | None
    image: str | None
    contract_address: str | None
    blockchain: str | None
    royalty_percent: AmountText | None
    item_count: int
    created_at: Instant


class CollectionPage(Body):
    """Collections, in the order in which they were made."""

    items: list[Collection]
    next: Id | None


class NewCollection(Body):
    """A collection to be; art items come in by ``POST /art-items`` or ``sothebais collection import``."""

    slug: Slug
    name: Name = Field(examples=["Nouns"])
    description: Description = ""
    project_name: Annotated[str, Field(max_length=200)] | None = None
    seller_id: Id | None = None
    image: Address | None = None
    contract_address: ContractAddress | None = None
    blockchain: Blockchain | None = None
    royalty_percent: Percent | None = None


class CollectionChange(Body):
    """What may change of a collection; a field that is not named stays. Its slug never changes."""

    name: Name | None = Field(default=None, examples=["Nouns of the house"])
    description: Description | None = None
    project_name: Annotated[str, Field(max_length=200)] | None = None
    seller_id: Id | None = None
    image: Address | None = None
    contract_address: ContractAddress | None = None
    blockchain: Blockchain | None = None
    royalty_percent: Percent | None = None


class Picture(Body):
    """The stored picture of an item. ``url`` never changes its content; add ``&width=320``, ``640`` or ``1280``."""

    url: str
    media_type: Literal["image/png", "image/jpeg", "image/webp"]
    width: int
    height: int
    sha256: str


class ArtItem(Body):
    """A piece: its ERC-721 metadata, and its picture as the house keeps it."""

    id: Id
    collection_id: Id
    token_id: str
    name: str
    description: str
    position: int
    image: str | None
    animation_url: str | None
    attributes: list[dict[str, Any]]
    picture: Picture | None
    created_at: Instant


class ArtItemPage(Body):
    """Art items: of one collection in its order, else in the order in which they were made."""

    items: list[ArtItem]
    next: Id | None


class NewArtItem(Body):
    """An art item to be: ERC-721 metadata. ``image`` is fetched now and kept by the house.

    Without ``image`` send the picture to ``PUT /art-items/{id}/image`` afterwards.
    """

    collection_id: Id
    token_id: Annotated[str, Field(min_length=1, max_length=78, examples=["7"])]
    name: Name = Field(examples=["Noun 7"])
    description: Description = ""
    image: Annotated[str, Field(max_length=700_000, description="An address, or a data: URI.")] | None = None
    animation_url: Address | None = None
    attributes: Annotated[list[dict[str, JsonValue]], Field(max_length=100)] = Field(
        default_factory=list, examples=[[{"trait_type": "Head", "value": "Bell"}]]
    )


class ArtItemChange(Body):
    """What may change of an item. A lot keeps the title it was scheduled with."""

    name: Name | None = Field(default=None, examples=["Noun 7, restored"])
    description: Description | None = None
    animation_url: Address | None = None


REQUESTS: dict[str, type[BaseModel]] = {
    "ArtItemChange": ArtItemChange,
    "CollectionChange": CollectionChange,
    "NewArtItem": NewArtItem,
    "NewCollection": NewCollection,
}
ANSWERS: dict[str, type[BaseModel]] = {
    "ArtItem": ArtItem,
    "ArtItemPage": ArtItemPage,
    "Collection": Collection,
    "CollectionPage": CollectionPage,
}
