"""Accounts and their API keys, found by id and listed in order of creation."""

from collections.abc import Sequence

from hookline.schemas.records import Account, ApiKey

_NONE: dict[str, ApiKey] = {}


class Accounts:
    """The last record of each account and each key. A key may come before its account, and stay behind it."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._keys: dict[str, ApiKey] = {}
        self._keys_of: dict[str, dict[str, ApiKey]] = {}

    def put(self, record: Account | ApiKey) -> None:
        """Add an account or a key, or replace the one with its id."""
        match record:
            case Account():
                self._accounts[record.account_id] = record
            case ApiKey():
                self._remove_key(record.key_id)
                self._keys[record.key_id] = record
                self._keys_of.setdefault(record.account_id, {})[record.key_id] = record

    def remove(self, record_id: str) -> None:
        """Forget the account or the key with this id; nothing happens if there is none."""
        self._accounts.pop(record_id, None)
        self._remove_key(record_id)

    def account(self, account_id: str) -> Account | None:
        return self._accounts.get(account_id)

    def accounts(self) -> Sequence[Account]:
        """All accounts, in order of creation."""
        return sorted(self._accounts.values(), key=lambda each: (each.created_at_ms, each.account_id))

    def key(self, key_id: str) -> ApiKey | None:
        return self._keys.get(key_id)

    def keys(self) -> Sequence[ApiKey]:
        """All keys, in order of creation."""
        return sorted(self._keys.values(), key=lambda each: (each.created_at_ms, each.key_id))

    def keys_of(self, account_id: str) -> Sequence[ApiKey]:
        """All of an account's keys, in order of creation; of "" those that are of none."""
        found = self._keys_of.get(account_id, _NONE).values()
        return sorted(found, key=lambda each: (each.created_at_ms, each.key_id))

    def _remove_key(self, key_id: str) -> None:
        removed = self._keys.pop(key_id, None)
        if removed is None:
            return
        left = self._keys_of[removed.account_id]
        del left[key_id]
        if not left:
            del self._keys_of[removed.account_id]
