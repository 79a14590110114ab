"""Asks the API what its document says it takes, and what it says it does not: schemathesis' cases, with keys and ids that are real."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, cast

import hypothesis
import requests
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from hypothesis.errors import FlakyStrategyDefinition
from schemathesis import Case, CheckContext, GenerationMode, Response
from schemathesis.checks import load_all_checks
from schemathesis.config import ChecksConfig
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import positive_data_acceptance

from fakes.audit import audit_entry
from fakes.history import DELIVERED, FAILED, FAILED_STEPS, MANY_REQUESTS, SUCCEEDED
from fakes.living import SLOTS, Living
from fakes.openapi import read_document
from fakes.served import Served
from hookline.api.history_requests import is_moment
from hookline.api.listing import cursor_of
from hookline.core.metadata import complaint_about_metadata
from hookline.core.static_headers import complaints_about_headers

_MODES = list(GenerationMode)
_ACCOUNT_HEADER = "Hookline-Account"
_ANSWER_S = 20
_BATCH = 10  # scenarios of one seed
_STEPS = 25  # of a scenario
_OFTEN = (True, True, True, True, True, True, True, False)
_RARELY = (False, False, False, False, False, False, False, True)
# By what its path ends with, the name of a list.
_LISTS = {
    **{name: name for name in ("webhooks", "accounts", "audit", "deliveries", "logs", "jobs")},
    "{event_id}": "event",
}

_OF_LETTERS = "W1swLCA1XV0"  # [[0, 5]]: from the fifth back
# Rules of ours that no JSON schema can say: by field, whether what was sent breaks one. What breaks none has to be taken
# if its schema takes it.
_UNSAID: Mapping[str, Callable[[Any], bool]] = {
    "cursor": lambda _: True,  # one that no page has given
    "status": lambda status: status == "disabled",  # of a webhook that is not
    "since": is_moment,  # after the other, or more than 30 days before it
    "until": is_moment,
    "headers": lambda headers: bool(complaints_about_headers(headers)),  # names that are ours, or twice in other case
    "metadata": lambda metadata: complaint_about_metadata(metadata) is not None,  # 2**53 + 1, but not 1e300
}
# What depends on who asks, on what was asked before, or on what an endpoint says.
_UNSAID_TYPES = {
    "urn:hookline:problem:account-needed",
    "urn:hookline:problem:events-not-wanted",
    "urn:hookline:problem:idempotency-key-reused",
    "urn:hookline:problem:ownership-not-shown",
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. An administrator has to name an account, whoever else is of one."""

    key: str
    is_admin: bool


@dataclass(frozen=True, slots=True)
class Way:
    """How a case is sent: as whom, about what is there (by slot) or about what the case says, and with what it says of both."""

    caller: Caller
    slot: int | None = 0
    is_named: bool = True
    is_as_drawn: bool = False


@dataclass(slots=True)
class Asked:
    """What came of asking one operation."""

    name: str
    examples: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)  # by kind
    first: dict[str, str] = field(default_factory=dict)  # the first of each kind, with the request that shows it

    def answered(self, response: Response) -> None:
        """One answer more."""
        self.examples += 1
        self.statuses[response.status_code] += 1

    def add(self, other: "Asked") -> None:
        """What came of asking another one as well."""
        self.examples += other.examples
        self.statuses += other.statuses
        self.findings += other.findings
        self.first = {**other.first, **self.first}

    @contextmanager
    def finding(self) -> Iterator[None]:
        """Whatever a check says in this block, or the connection, is a finding."""
        try:
            yield
        except FailureGroup as failures:
            for each in failures.exceptions:
                self.found(f"{type(each).__name__}: {getattr(each, 'title', '')}", str(failures))
        except requests.RequestException as error:
            self.found(type(error).__name__, str(error))

    def found(self, kind: str, text: str) -> None:
        """One finding more."""
        self.findings[kind] += 1
        self.first.setdefault(kind, text)


class Fuzzer:
    """Asks one running API. Only ids and keys differ between two runs with one seed."""

    def __init__(
        self,
        served: Served,
        *,
        slots: Sequence[int | None] = (*range(SLOTS), None),
        document: Mapping[str, Any] | None = None,
    ) -> None:
        """`slots`: which of the ids that are there are asked about; None: those that a case says. `document`: instead of its own."""
        schemathesis.openapi.format("uri", _urls())
        load_all_checks()
        self._served = served
        self._slots = slots
        self._living = Living(served)
        self._session = requests.Session()
        self._schema = schemathesis.openapi.from_dict(dict(document or served.do(read_document)))
        self._schema.config.update(base_url=served.url)
        _excuse(self._schema.config.checks)
        self._callers = callers(served)
        fill(served)

    @property
    def operations(self) -> Sequence[str]:
        """Their labels."""
        return [str(found.ok().label) for found in cast("Any", self._schema.get_all_operations())]

    def ask(self, label: str, *, examples: int, seed: int) -> Asked:
        """So many cases, half of them against the schema."""
        operation, asked = self._operation(label), Asked(label)
        cases = st.one_of([operation.as_strategy(generation_mode=mode) for mode in _MODES])

        @hypothesis.seed(seed)
        @_settings(examples)
        @hypothesis.given(case=cases, way=self._ways(operation))
        def check(case: Case[Any], way: Way) -> None:
            self._check(case, way, asked)

        self._living.make_room()
        check()
        return asked

    def ask_boundaries(self, label: str) -> Asked:
        """Schemathesis' own cases: the least and the most, each field wrong or missing, other methods."""
        operation, asked = self._operation(label), Asked(label)
        config = self._schema.config.generation_for(operation=operation, phase="coverage")
        cases = self._schema.iter_coverage_cases(operation, generation_modes=_MODES, generation_config=config)
        *whose, _reader = self._callers_of(operation)
        self._living.make_room()
        for number, case in enumerate(cases):
            way = Way(whose[number % len(whose)], slot=number % SLOTS, is_as_drawn=_is_about_keys(case))
            self._check(case, way, asked)
        return asked

    def walk(self, *, examples: int, seed: int) -> Asked:
        """Schemathesis' scenarios along the document's links: what was made is read, changed, and gone once it is deleted."""
        asked, way = Asked("scenarios"), Way(self._callers[0], slot=None)
        headers, dress = self._headers(way.caller), self._dress
        base: Any = self._schema.as_state_machine()

        class Walk(base):  # type: ignore[misc]  # a class of schemathesis, made of our document
            def before_call(self, case: Case[Any]) -> None:
                dress(case, way, headers)

            def get_call_kwargs(self, _case: Case[Any]) -> dict[str, Any]:
                return {"headers": headers, "timeout": _ANSWER_S}

            def validate_response(self, response: Response, case: Case[Any], **sent: Any) -> None:
                asked.answered(response)
                with asked.finding():
                    super().validate_response(response, case, additional_checks=[takes_what_fits], **sent)

        for number in range(0, examples, _BATCH):
            # What can come next depends on what the API answered, and that on what an earlier scenario has left there.
            with suppress(FlakyStrategyDefinition):
                hypothesis.seed(seed + number)(Walk).run(
                    settings=_settings(min(_BATCH, examples - number), stateful_step_count=_STEPS)
                )
        return asked

    def _operation(self, label: str) -> Any:
        found = self._schema.find_operation_by_label(label)
        assert found is not None, label
        return found

    def _callers_of(self, operation: Any) -> Sequence[Caller]:
        """Who asks this one: whoever may, and last one who may only read."""
        is_admins = "Administration" in (operation.tags or [])
        *others, reader = self._callers
        return [*(caller for caller in others if caller.is_admin or not is_admins), reader]

    def _ways(self, operation: Any) -> st.SearchStrategy[Way]:
        return st.builds(
            Way,
            caller=st.sampled_from(self._callers_of(operation)),
            slot=st.sampled_from(self._slots),
            is_named=st.sampled_from(_OFTEN),
            is_as_drawn=st.sampled_from(_RARELY),
        )

    def _check(self, case: Case[Any], way: Way, asked: Asked) -> None:
        headers = {} if way.is_as_drawn else self._headers(way.caller, is_named=way.is_named)
        self._dress(case, way, headers)
        sent: dict[str, Any] = {"session": self._session, "headers": headers, "timeout": _ANSWER_S}
        with asked.finding():
            response = case.call(**sent)
            asked.answered(response)
            case.validate_response(
                response, additional_checks=[takes_what_fits], headers=headers, transport_kwargs=sent
            )

    def _headers(self, caller: Caller, *, is_named: bool = True) -> dict[str, str]:
        account = {_ACCOUNT_HEADER: self._served.api.account_id} if is_named and caller.is_admin else {}
        return {"Authorization": f"Bearer {caller.key}", **account}

    def _dress(self, case: Case[Any], way: Way, headers: Mapping[str, str]) -> None:
        """Give a case a key, an account, ids and cursors that are there; but not always, so that wrong ones are seen as well."""
        if way.slot is not None:
            living = self._living.parameters(case.path, way.slot) if case.path_parameters else {}
            case.path_parameters.update({name: living[name] for name in case.path_parameters if name in living})
            if "cursor" in case.query and _is_positive(case):
                case.query["cursor"] = _cursor_of(case.path)
        if way.is_named and not way.is_as_drawn:
            case.headers.pop(_ACCOUNT_HEADER, None)
        case.headers.update(headers)
        # To read it has it made anew: only so a key is sent that the case had left out.
        assert case.meta is not None


def _cursor_of(path: str) -> str:
    """One that this list takes."""
    name = path.rpartition("/")[2]
    return _OF_LETTERS if name == "dead-letters" else cursor_of(_LISTS[name], 1_700_000_000_000, "any")


def takes_what_fits(ctx: CheckContext, response: Response, case: Case[Any]) -> bool | None:
    """What fits the schema is taken, unless it breaks a rule that no schema can say."""
    try:
        return positive_data_acceptance(ctx, response, case)
    except Failure:
        if _is_unsaid(response.json(), case):
            return None
        raise


def callers(served: Served) -> Sequence[Caller]:
    """An administrator, whoever may write, with a key and with a console link, and whoever may only read."""
    api = served.api
    account = f"/accounts/{api.account_id}"
    link = served.do(lambda api: api.admin("POST", f"{account}/links")).json["token"]
    reader = served.do(lambda api: api.admin("POST", f"{account}/keys", {"name": "reader", "scope": "read"})).json
    others = [Caller(key, is_admin=False) for key in (api.call.key, link, reader["key"])]
    return [Caller(api.admin.key, is_admin=True), *others]


def fill(served: Served) -> None:
    """Let there be deliveries, attempts and changes to be listed."""
    history = served.api.history
    history.delivery_rows, history.log_rows = [SUCCEEDED, FAILED], [DELIVERED]
    history.step_rows, history.numbers = {FAILED.delivery_id: FAILED_STEPS}, MANY_REQUESTS
    history.audit_entries = [audit_entry(number) for number in range(3)]


def _urls() -> st.SearchStrategy[str]:
    """Endpoints that a webhook may have; a schema can say little of that."""
    places = st.text("abc0-", min_size=1, max_size=8).map(lambda middle: f"a{middle}z")
    paths = st.text("abz09-_.~/", max_size=12)
    queries = st.just("") | st.text("ab=&", min_size=1, max_size=6).map(lambda query: f"?{query}")
    return st.builds("https://{}.example.com/{}{}".format, places, paths, queries)


def _excuse(checks: ChecksConfig) -> None:
    """No schema can say which edition is there, nor how large a body may be; of the rest `takes_what_fits` knows."""
    for each in (checks.negative_data_rejection, checks.positive_data_acceptance):
        each.expected_statuses = [*each.expected_statuses, "412", "413"]
    checks.positive_data_acceptance.enabled = False


def _is_unsaid(problem: Mapping[str, Any], case: Case[Any]) -> bool:
    if problem["type"] in _UNSAID_TYPES:
        return True
    fields = [each["field"] for each in problem.get("errors", [])]
    return bool(fields) and all(_is_broken(name, case) for name in fields)


def _is_broken(name: str, case: Case[Any]) -> bool:
    sent = {**case.query, **(case.body if isinstance(case.body, dict) else {})}
    return name in _UNSAID and name in sent and _UNSAID[name](sent[name])


def _is_positive(case: Case[Any]) -> bool:
    return case.meta is not None and case.meta.generation.mode.is_positive


def _is_about_keys(case: Case[Any]) -> bool:
    data: Any = None if case.meta is None else case.meta.phase.data
    return getattr(data, "parameter", None) == "Authorization"


def _settings(examples: int, **more: Any) -> hypothesis.settings:
    return hypothesis.settings(
        max_examples=examples,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
        **more,
    )


def table(all_asked: Sequence[Asked]) -> Iterator[str]:
    """What came of it, an operation a line, and after it its findings."""
    for asked in all_asked:
        statuses = " ".join(f"{status}:{count}" for status, count in sorted(asked.statuses.items()))
        yield f"{asked.name:<48} {asked.examples:>6,} {asked.findings.total():>4} {statuses}"
        yield from (f"    {count} x {kind}\n{asked.first[kind]}" for kind, count in asked.findings.items())
