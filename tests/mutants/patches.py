"""All mutants."""

from mutants.mutant import Mutant
from mutants.of_headers import HEADERS
from mutants.of_isolation import ENDPOINTS, ISOLATION
from mutants.of_jobs import JOBS
from mutants.of_records import BITMAPS, COMMITS, REPEATS
from mutants.of_replays import REPLAYS
from mutants.of_sending import SENDING
from mutants.of_writes import STALE, WRITES

MUTANTS: tuple[Mutant, ...] = (
    *COMMITS,
    *BITMAPS,
    *REPEATS,
    *WRITES,
    *STALE,
    *ISOLATION,
    *REPLAYS,
    *ENDPOINTS,
    *SENDING,
    *HEADERS,
    *JOBS,
)
