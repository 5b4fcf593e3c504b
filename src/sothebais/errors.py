"""The one hierarchy of errors. Each class carries its HTTP status and its stable ``code``."""

from typing import Any, ClassVar


class SothebaisError(Exception):
    """Base of every error this package raises on purpose.

    ``message`` says what is wrong and what to do; ``fields`` are added to the RFC 9457 problem document.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "INTERNAL"
    title: ClassVar[str] = "Something went wrong in the house"

    def __init__(self, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.message = message
        self.fields = fields


class InvalidInput(SothebaisError):
    """What was sent cannot be used; sending it again unchanged will fail again."""

    status = 422
    code = "INVALID_INPUT"
    title = "The input is not valid"


class InvalidAmount(InvalidInput):
    """An amount of money that is malformed: sign, zero, exponent, NaN, too many decimals, too large."""

    code = "INVALID_AMOUNT"
    title = "The amount is not valid"


class NotFound(SothebaisError):
    """Nothing with that id exists, or this caller may not know that it does."""

    status = 404
    code = "NOT_FOUND"
    title = "Not found"


class Conflict(SothebaisError):
    """The request is well formed but does not fit the present state."""

    status = 409
    code = "CONFLICT"
    title = "The present state does not allow this"


class IllegalTransition(Conflict):
    """A lifecycle step that its table does not have. Nothing changed."""

    code = "ILLEGAL_TRANSITION"
    title = "This step is not possible now"


class IdempotencyConflict(Conflict):
    """An idempotency key of this user was used before with another body."""

    code = "IDEMPOTENCY_KEY_REUSED"
    title = "This Idempotency-Key was used with another body"


class BidRejected(Conflict):
    """The rules refused a bid; ``fields`` has ``reason``, ``next_valid_amount`` and ``bid``."""

    code = "BID_REJECTED"
    title = "The bid was refused"


class Unauthenticated(SothebaisError):
    """Nobody is signed in, or the session has ended."""

    status = 401
    code = "UNAUTHENTICATED"
    title = "Sign in first"


class ProofRefused(Unauthenticated):
    """What should prove who somebody is does not: a signature, a code, a nonce that was used. Nobody was signed in."""

    code = "PROOF_REFUSED"
    title = "This proves nothing"


class Forbidden(SothebaisError):
    """Signed in, but not allowed to do this."""

    status = 403
    code = "FORBIDDEN"
    title = "Not allowed"


class TooLarge(SothebaisError):
    """A body longer than is taken at its address; ``fields`` has ``bytes_max``."""

    status = 413
    code = "TOO_LARGE"
    title = "The body is too long"


class RateLimited(SothebaisError):
    """Too many requests; ``fields`` has ``retry_after`` in seconds."""

    status = 429
    code = "RATE_LIMITED"
    title = "Too many requests"


class Unavailable(SothebaisError):
    """A part the house needs does not answer now; ``fields`` has ``retry_after`` in seconds. Trying again is safe."""

    status = 503
    code = "UNAVAILABLE"
    title = "Not available at the moment"


class Overloaded(Unavailable):
    """A bounded queue is full. Nothing was kept."""

    code = "OVERLOADED"
    title = "Too busy at the moment"


class OutcomeUnknown(Unavailable):
    """The commit was sent but its answer was lost. The same Idempotency-Key makes trying again safe."""

    code = "OUTCOME_UNKNOWN"
    title = "The outcome is not known"


class ConfigurationError(SothebaisError):
    """A setting is missing or wrong; the message names it and says what it should be."""

    code = "CONFIGURATION"
    title = "The configuration is not valid"


class EmbeddedServerError(SothebaisError):
    """An embedded PostgreSQL or Valkey cannot be found, started or reached."""

    status = 503
    code = "EMBEDDED_SERVER"
    title = "An embedded server is not available"


class VerificationFailed(SothebaisError):
    """A log does not prove what it claims; ``fields`` has ``n``, the first event that does not fit."""

    status = 409
    code = "VERIFICATION_FAILED"
    title = "The log does not verify"
