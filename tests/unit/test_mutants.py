import pytest

from mutants.mutant import Mutant
from mutants.patches import MUTANTS
from mutants.run import ROOT, patched


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_patch_of_the_mutants_still_applies(mutant: Mutant) -> None:
    text = (ROOT / mutant.file).read_text(encoding="utf-8")
    compile(patched(text, mutant), mutant.file, "exec")


def test_every_mutant_has_a_name_of_its_own() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
