"""Accounts and their API keys, found by id and listed in order of creation."""

from collections.abc import Sequence

from hookline.schemas.records import Account, ApiKey

_NONE: dict[str, ApiKey] = {}


def erased(account_id: str, before: Account | None, *, now_ms: int) -> Account:
    """The marker of an account: its id, and that it is erased. It stays for ever, so that nothing of it comes back."""
    return Account(
        account_id=account_id,
        name="",
        created_at_ms=0 if before is None else before.created_at_ms,
        version=1 if before is None else before.version + 1,
        updated_at_ms=now_ms,
        erased_at_ms=now_ms,
    )


class Accounts:
    """The last record of each account and each key. A key may come before its account, and stay behind it.

    An account that is erased is no account any more, and its keys are none; only its marker is there.
    """

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._markers: dict[str, Account] = {}
        self._keys: dict[str, ApiKey] = {}
        self._keys_of: dict[str, dict[str, ApiKey]] = {}

    def put(self, record: Account | ApiKey) -> None:
        """Add an account or a key, or replace the one with its id."""
        match record:
            case Account():
                self._put_account(record)
            case ApiKey():
                self._remove_key(record.key_id)
                self._keys[record.key_id] = record
                self._keys_of.setdefault(record.account_id, {})[record.key_id] = record

    def remove(self, record_id: str) -> None:
        """Forget the account or the key with this id; nothing happens if there is none."""
        self._accounts.pop(record_id, None)
        self._markers.pop(record_id, None)
        self._remove_key(record_id)

    def account(self, account_id: str) -> Account | None:
        return self._accounts.get(account_id)

    def accounts(self) -> Sequence[Account]:
        """All accounts, in order of creation."""
        return sorted(self._accounts.values(), key=lambda each: (each.created_at_ms, each.account_id))

    def marker(self, account_id: str) -> Account | None:
        """The record of an account that is erased."""
        return self._markers.get(account_id)

    def markers(self) -> Sequence[Account]:
        """Those of all that are, in order of their creation."""
        return sorted(self._markers.values(), key=lambda each: (each.created_at_ms, each.account_id))

    def key(self, key_id: str) -> ApiKey | None:
        found = self._keys.get(key_id)
        return None if found is None or found.account_id in self._markers else found

    def keys(self) -> Sequence[ApiKey]:
        """All keys, in order of creation."""
        found = (each for each in self._keys.values() if each.account_id not in self._markers)
        return sorted(found, key=lambda each: (each.created_at_ms, each.key_id))

    def keys_of(self, account_id: str) -> Sequence[ApiKey]:
        """All of an account's keys, in order of creation; of "" those that are of none."""
        found = _NONE.values() if account_id in self._markers else self._keys_of.get(account_id, _NONE).values()
        return sorted(found, key=lambda each: (each.created_at_ms, each.key_id))

    def _put_account(self, account: Account) -> None:
        self._accounts.pop(account.account_id, None)
        self._markers.pop(account.account_id, None)
        of_its_kind = self._accounts if account.erased_at_ms is None else self._markers
        of_its_kind[account.account_id] = account

    def _remove_key(self, key_id: str) -> None:
        removed = self._keys.pop(key_id, None)
        if removed is None:
            return
        left = self._keys_of[removed.account_id]
        del left[key_id]
        if not left:
            del self._keys_of[removed.account_id]
