from __future__ import annotations

from triglot.renamed import new_name, renamed


def test_only_keys_of_a_stage_are_renamed() -> None:
    assert new_name("alignment.anchor") == "alignment.lexicon_init"
    assert new_name("arms.batches.languages") == "arms.batches.languages"  # an arm called `batches`
    assert new_name("arms.x.robust.language.weight") == "arms.x.robust.language_adversary.weight"
    assert new_name("languages") == "languages"
    assert new_name("sources.12.unit") == "sources.12.candidate_text"
    assert new_name("evaluate.0.options.unit") == "evaluate.0.options.unit"


def test_settings_of_an_old_checkpoint_are_those_of_today() -> None:
    old = {"seed": 1, "batches": {"kind": "xy", "languages": "size"}, "robust": {"language": {"weight": 0.1}}}
    now = {"batches": {"kind": "xy", "language_sampling": "size"}, "robust": {"language_adversary": {"weight": 0.1}}}
    assert renamed(old) == {"seed": 1} | now
    assert renamed(now) == now


def test_where_both_names_are_given_the_new_one_counts() -> None:
    assert renamed({"lexicon_init": 0.5, "anchor": 0.1}) == {"lexicon_init": 0.5}
