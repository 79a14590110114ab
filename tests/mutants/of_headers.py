"""Wrong lines in headers on record."""

from mutants.mutant import CONTRACT, UNIT, rule, shell

HEADERS = (
    rule(
        "signatures are shown in full",
        "shown_headers.py",
        "rest[:_SHOWN_CHARACTERS]",
        "rest",
        f"{UNIT}/test_shown_headers.py",
    ),
    rule(
        "cookies are shown",
        "shown_headers.py",
        "_MASKED if name.lower().startswith(_COOKIE) else value",
        "value",
        f"{UNIT}/test_shown_headers.py",
    ),
    rule(
        "what an answer's headers send back is shown",
        "shown_headers.py",
        "redacted(_joined(raw_headers), secrets)",
        "_joined(raw_headers)",
        f"{UNIT}/test_shown_headers.py",
    ),
    rule(
        "a header is cut before its secrets are masked",
        "shown_headers.py",
        "redacted(_joined(raw_headers), secrets)[:ANSWER_HEADERS_BYTES_MAX]",
        "redacted(_joined(raw_headers)[:ANSWER_HEADERS_BYTES_MAX], secrets)",
        f"{UNIT}/test_shown_headers.py",
    ),
    shell(
        "static headers are shown",
        "prepared.py",
        "shown.update(dict.fromkeys(masked, MASK))",
        "pass",
        f"{CONTRACT}/test_attempt_headers.py",
    ),
)
