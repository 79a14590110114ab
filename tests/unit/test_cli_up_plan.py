from dataclasses import replace

import pytest

from hookline.cli.up_plan import (
    ROLES,
    STOP_ORDER,
    Part,
    Ports,
    command,
    environment,
    parts,
    reachable,
    road_settings,
    stop_deadline_s,
)
from hookline.runtime.settings import Endpoints, MasterKey, Settings

PORTS = Ports(api=20_001, receiver=20_002, health={part: 20_010 + number for number, part in enumerate(ROLES)})
INHERITED = {"PATH": "/usr/bin", "HOOKLINE_DRAIN_S": "1"}
KEYS = (MasterKey("up-1", bytes(32)),)
SETTINGS = Settings(master_keys=KEYS, asymmetric_keys=KEYS, retry_tiers=(1_000, 5_000))


def settings_of(part: Part) -> Settings:
    shared = road_settings(SETTINGS, bootstrap_servers="127.0.0.1:9", ports=PORTS)
    given = environment(part, shared, ports=PORTS, inherited=INHERITED, name="acct_1")
    return Settings.from_env(given)


def test_a_process_reads_back_the_settings_it_is_started_with() -> None:
    shared = road_settings(SETTINGS, bootstrap_servers="127.0.0.1:9", ports=PORTS)
    assert settings_of(Part.DISPATCHER) == replace(
        shared, instance_id="acct_1-dispatcher", health_port=PORTS.health[Part.DISPATCHER]
    )


def test_endpoints_on_this_machine_are_allowed_under_up_only() -> None:
    assert (Settings().endpoints, settings_of(Part.API).endpoints) == (Endpoints.PUBLIC, Endpoints.LOOPBACK)


@pytest.mark.parametrize("part", list(Part))
def test_every_process_listens_on_loopback(part: Part) -> None:
    assert (settings_of(part).api_host, settings_of(part).health_host) == ("127.0.0.1", "127.0.0.1")


@pytest.mark.parametrize("part", list(Part))
def test_only_who_seals_or_opens_secrets_or_signs_has_the_keys(part: Part) -> None:
    assert bool(settings_of(part).master_keys) is (part in {Part.API, Part.DISPATCHER})
    assert bool(settings_of(part).asymmetric_keys) is (part in {Part.API, Part.DISPATCHER})


def test_the_rest_of_the_environment_is_inherited() -> None:
    given = environment(Part.API, SETTINGS, ports=PORTS, inherited=INHERITED, name="acct_1")
    assert (given["PATH"], given["HOOKLINE_DRAIN_S"]) == ("/usr/bin", "35")


def test_no_secret_is_among_the_arguments_of_a_process() -> None:
    assert command(Part.API)[1:] == ("-m", "hookline", "--leashed", "api")


def test_without_the_demo_just_the_roles_run() -> None:
    assert parts(demo=False) == ROLES
    assert set(parts(demo=True)) == set(Part)


def test_everything_that_starts_is_stopped_what_makes_work_first() -> None:
    assert set(STOP_ORDER) == set(Part)
    assert STOP_ORDER[0] is Part.SOURCE
    assert STOP_ORDER.index(Part.FANOUT) < STOP_ORDER.index(Part.DISPATCHER) < STOP_ORDER.index(Part.HISTORY)


def test_a_dispatcher_may_drain_for_as_long_as_its_setting_says() -> None:
    assert stop_deadline_s(Part.DISPATCHER, Settings(drain_s=100)) == 105
    assert stop_deadline_s(Part.API, Settings(drain_s=100)) == 15


@pytest.mark.parametrize(("host", "to"), [("0.0.0.0", "127.0.0.1"), ("10.0.0.1", "10.0.0.1")])  # noqa: S104 - no listening here
def test_what_listens_everywhere_is_reached_on_loopback(host: str, to: str) -> None:
    assert reachable(host) == to
