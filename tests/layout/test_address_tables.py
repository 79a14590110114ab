"""The tables of addresses are what IANA's registries say: the module is made from the data, and the data is no older than a library's."""

import csv
import importlib.util
from ipaddress import IPv6Network, ip_network
from types import ModuleType

from netaddr.ip import iana

from fakes.documents import ROOT
from hookline.core.address_blocks import IPV6_ALLOCATED

FOLDER = ROOT / "infra" / "iana"


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("iana_generate", FOLDER / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_module_is_made_from_the_data() -> None:
    made = generator()
    assert made.TARGET.read_text(encoding="utf-8") == made.made(), "run python infra/iana/generate.py"


def test_every_block_is_a_network_and_named_once() -> None:
    for file in FOLDER.glob("*.csv"):
        blocks = [row["block"] for row in csv.DictReader(file.read_text(encoding="utf-8").splitlines())]
        assert len({ip_network(block) for block in blocks}) == len(blocks) > 0, file


def test_what_a_library_knows_to_be_allocated_is_in_our_table() -> None:
    """Newer blocks may be in ours alone; one that is missing would be an endpoint that is never called."""
    known = [
        IPv6Network(str(network))
        for network, record in iana.IANA_INFO["IPv6_unicast"].items()
        if record["status"] == "ALLOCATED"
    ]
    ours = [IPv6Network(block) for block in IPV6_ALLOCATED]
    missing = [str(each) for each in known if not any(each.subnet_of(block) for block in ours)]
    assert missing == ["2001::/23", "2002::/16"]  # special purpose: IETF protocols, 6to4
