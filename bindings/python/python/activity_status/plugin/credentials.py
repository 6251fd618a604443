from typing import Protocol, TypedDict


class _ApiKey(TypedDict):
    api_key: str


class Keys(_ApiKey, total=False):
    """The keys of a call, under the names of the settings. The two that a submit needs come together or not at all."""

    access_key: str
    secret_key: str


class Credentials(Protocol):
    """Where the keys come from, if they may change while the program runs: ``Client(credentials=...)`` takes any function.

    It is asked before each call, on the thread that makes it, so keep what you have fetched. What it raises when the
    client is made comes out of that; later it is the ``__cause__`` of the :class:`ConfigError` that a call raises, and
    nothing was sent. Its text is not in ours, for it might hold a key.

    It may have a method ``refused(http_status)``: the vendor did not accept the present keys (401 or 403). If it gives
    others after that, the call goes out once more with them.
    """

    def __call__(self) -> Keys:
        """The keys for a call that is about to be made."""
        ...
