import base64
from pathlib import Path

import pytest

from hookline.runtime.settings import Endpoints, MasterKey, Settings, as_env
from hookline.runtime.settings_table import table
from hookline.schemas.errors import ConfigError

KEY = base64.b64encode(bytes(32)).decode()


def test_the_defaults_are_the_contracts() -> None:
    settings = Settings.from_env({"PATH": "/bin"})
    assert settings.retry_tiers == (1_000, 300_000, 1_800_000, 7_200_000, 21_600_000, 43_200_000)
    assert settings.request_timeout_s == 30
    assert settings.endpoints is Endpoints.PUBLIC


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("HOOKLINE_IN_FLIGHT_MAX", "0", "HOOKLINE_IN_FLIGHT_MAX is 0; it must be at least 4"),
        ("HOOKLINE_IN_FLIGHT_MAX", "many", "HOOKLINE_IN_FLIGHT_MAX is 'many'; it must be a whole number"),
        ("HOOKLINE_REQUEST_TIMEOUT_S", "31", "HOOKLINE_REQUEST_TIMEOUT_S is 31; it must be at most 30"),
        ("HOOKLINE_ENDPOINTS", "all", "HOOKLINE_ENDPOINTS is 'all'; it must be public or loopback"),
        ("HOOKLINE_RETRY_TIERS", "1s,soon", "HOOKLINE_RETRY_TIERS: tier 'soon' is not a number and one of"),
        ("HOOKLINE_MASTER_KEYS", "k1:short", "HOOKLINE_MASTER_KEYS: key number 1"),
        ("HOOKLINE_TOPIC_PREFIX", "a b", "topic prefix 'a b' must be"),
        ("HOOKLINE_IN_FLIHGT_MAX", "5", "HOOKLINE_IN_FLIHGT_MAX is no setting"),
        ("HOOKLINE_LOG_LEVEL", "loud", "HOOKLINE_LOG_LEVEL is 'loud'"),
        (
            "HOOKLINE_EVENT_RETENTION_DAYS",
            "30",
            "HOOKLINE_EVENT_RETENTION_DAYS is 30; it must be below HOOKLINE_HISTORY_",
        ),
        (
            "HOOKLINE_HISTORY_RETENTION_DAYS",
            "7",
            "HOOKLINE_EVENT_RETENTION_DAYS is 7; .* HOOKLINE_HISTORY_.* which is 7",
        ),
    ],
)
def test_a_wrong_value_is_named(name: str, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match="^" + said.replace("(", r"\(")):
        Settings.from_env({name: text})


def test_history_knows_what_was_delivered_of_all_that_a_replay_reads() -> None:
    given = {"HOOKLINE_EVENT_RETENTION_DAYS": "30", "HOOKLINE_HISTORY_RETENTION_DAYS": "31"}
    assert Settings.from_env(given).event_retention_days == 30


def test_a_master_key_is_never_shown() -> None:
    settings = Settings.from_env({"HOOKLINE_MASTER_KEYS": f"k1:{KEY}"})
    assert settings.master_keys == (MasterKey("k1", bytes(32)),)
    assert KEY not in repr(settings)
    assert repr(bytes(32)) not in repr(settings)


@pytest.mark.parametrize("name", ["HOOKLINE_MASTER_KEYS", "HOOKLINE_ASYMMETRIC_KEYS"])
@pytest.mark.parametrize("text", ["k1:{}x", "k1:{}\u201d", "k1:{},k2:{}\u00e9", "\u00e9:{}", "k1:{},k1:{}"])
def test_what_is_wrong_with_keys_is_said_without_them(name: str, text: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name}: key number [12] ") as caught:
        Settings.from_env({name: text.format(KEY, KEY)})
    assert KEY not in str(caught.value)


def test_settings_travel_to_another_process_whole() -> None:
    settings = Settings(
        bootstrap_servers="127.0.0.1:9",
        retry_tiers=(250, 90_000),
        master_keys=(MasterKey("k1", bytes(32)),),
        data_dir=Path("/x y"),
    )
    assert Settings.from_env(as_env(settings)) == settings


def test_every_setting_is_in_the_table_with_a_meaning() -> None:
    rows = list(table())
    assert {"HOOKLINE_RETRY_TIERS", "HOOKLINE_API_PORT"} <= {row.variable for row in rows}
    assert all(row.text for row in rows)
    assert next(row.default for row in rows if row.variable == "HOOKLINE_RETRY_TIERS") == "1s,5m,30m,2h,6h,12h"


@pytest.mark.parametrize(
    ("name", "bounds"),
    [
        ("HOOKLINE_REQUEST_TIMEOUT_S", "1 to 30"),
        ("HOOKLINE_COMMIT_RECORDS", "at least 1"),
        ("HOOKLINE_DRAIN_S", "0 to 240"),
        ("HOOKLINE_TOPIC_PREFIX", ""),
    ],
)
def test_the_bounds_of_a_setting_are_in_the_table(name: str, bounds: str) -> None:
    assert next(row.bounds for row in table() if row.variable == name) == bounds
