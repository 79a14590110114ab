"""Wrong lines in what is sent, under which keys, and what is shown of it."""

from mutants.mutant import CONTRACT, UNIT, Mutant, rule, shell

_HANDSHAKE = "src/hookline/runtime/handshake.py"

SENDING = (
    rule(
        "what is sealed for one purpose opens for another",
        "sealing.py",
        "parts = (purpose.mark, ",
        "parts = (Purpose.SECRET.mark, ",
        f"{UNIT}/test_sealing.py",
    ),
    rule(
        "a URL is shown with its query",
        "masking.py",
        "{MASK if query else ''}",
        "{query}",
        f"{UNIT}/test_masking.py",
    ),
    rule(
        "an underline makes another header of it",
        "static_headers.py",
        '.replace("_", "-")',
        "",
        f"{UNIT}/test_static_headers.py",
    ),
    rule(
        "a value may end a line",
        "static_headers.py",
        '_VALUE = re.compile(r"(?:',
        '_VALUE = re.compile(r"(?s:.*)|(?:',
        f"{UNIT}/test_static_headers.py",
    ),
    rule(
        "one key pair signs for every account",
        "asymmetric.py",
        'info=_PURPOSE + len(account).to_bytes(4, "big") + account',
        "info=_PURPOSE",
        f"{UNIT}/test_asymmetric.py",
    ),
    shell(
        "what the API would refuse is sent all the same",
        "prepared.py",
        "sendable(read_headers(self._unsealed(subscription, sealed, Purpose.HEADERS)))",
        "read_headers(self._unsealed(subscription, sealed, Purpose.HEADERS))",
        f"{CONTRACT}/test_secret_requests.py",
    ),
    shell(
        "the oldest asymmetric key signs",
        "prepared.py",
        "asymmetric_keys[0] if",
        "asymmetric_keys[-1] if",
        f"{CONTRACT}/test_account_signatures.py",
    ),
    shell(
        "a changed account takes no effect",
        "prepared.py",
        " and known.account is account:",
        ":",
        f"{CONTRACT}/test_account_signatures.py",
    ),
    Mutant(
        "any answer is a permission",
        _HANDSHAKE,
        "if _ANYBODY in allowed or origin.lower() in allowed:",
        "if True:",
        (f"{CONTRACT}/test_handshake.py",),
    ),
    Mutant(
        "a redirect to one who agrees is followed",
        _HANDSHAKE,
        "allow_redirects=False",
        "allow_redirects=True",
        (f"{CONTRACT}/test_handshake.py",),
    ),
    Mutant(
        "the question bears the password of its URL",
        _HANDSHAKE,
        "place = URL(url).with_user(None)",
        "place = URL(url)",
        (f"{CONTRACT}/test_handshake.py",),
    ),
)
