"""What is told where the store can't be used."""


class StoreError(Exception):
    """The store can't be used as it is; the message says what to do."""
