"""One spelling of language tags, and what file names tell."""

from __future__ import annotations

import pytest

from triglot.files import InputError
from triglot.language_tags import base, ending, language, of_name, tag, two_of_name, wanted, without_usual_script


@pytest.mark.parametrize(
    ("spellings", "known_as"),
    [
        ("de DE deu ger", "de"),
        ("zh-CN zh-cn zh_CN ZH_cn zho-CN cmn_cn", "zh-CN"),
        ("zh_Hant zh-hant zho_Hant", "zh-Hant"),
        ("zh-Hant-TW zh_hant_tw", "zh-Hant-TW"),
        ("pt-br pt_BR por-br", "pt-BR"),
        ("arb_Arab ara-Arab", "ar-Arab"),
        ("es-419", "es-419"),
        ("iw he heb", "he"),
        ("no nor", "no"),
        ("fil", "fil"),
        ("twi", "tw"),
        ("xx", "xx"),
    ],
)
def test_a_tag_has_one_spelling(spellings: str, known_as: str) -> None:
    for spelling in spellings.split():
        assert tag(spelling) == known_as
        assert language(spelling) == known_as
        assert of_name(f"dev.{spelling}") == known_as
        assert two_of_name(f"el-{spelling}", "") == ("el", known_as)
        assert two_of_name(f"{spelling}-el", "") == (known_as, "el")
    assert base(known_as) == known_as.split("-")[0]


@pytest.mark.parametrize(
    "text", ["dev", "x", "english", "de-test", "dev-es", "de-el", "", "de--AT", "../de", "zh-CN-x"]
)
def test_what_is_no_tag(text: str) -> None:
    assert tag(text) is None


def test_languages_apart_stay_apart() -> None:
    assert (
        len(
            {
                tag(one)
                for one in (
                    "zh-CN",
                    "zh-TW",
                    "zh-Hans",
                    "zh-Hant",
                    "zh",
                    "sr-Latn",
                    "sr-Cyrl",
                    "tgl",
                    "fil",
                    "twi",
                    "aka",
                )
            }
        )
        == 11
    )


@pytest.mark.parametrize(
    ("stem", "code"),
    [
        ("tydiqa.goldp.sw.dev", "sw"),
        ("dev.zh-TW", "zh-TW"),
        ("squad_pt-br", "pt-BR"),
        ("mlqa-qa.v2", None),
        ("squad-en-es", "es"),
        ("train", None),
        ("dev", None),
        ("squad.fil.dev", "fil"),
    ],
)
def test_the_language_in_a_name(stem: str, code: str | None) -> None:
    assert of_name(stem) == code


def test_the_language_at_the_end_of_a_name() -> None:
    assert [ending(one) for one in ("miracl-v1.0-zh-CN", "docs-sw", "toy-xx", "docs-12", "toys-de", "is-v1")] == [
        "zh-CN",
        "sw",
        "xx",
        None,
        "de",
        None,
    ]


def test_two_languages_in_a_name() -> None:
    assert two_of_name("zh-cn-pt-br", "") == ("zh-CN", "pt-BR")
    assert two_of_name("eng-Latn-deu-Latn", "") == ("en-Latn", "de-Latn")
    assert two_of_name("en-fr-CA", "") == ("en", "fr-CA")
    assert two_of_name("train-en", "") is None
    assert two_of_name("eng-en", "") is None
    with pytest.raises(InputError, match=r"a\.tsv: its name means en and fr-CA or en-FR and ca"):
        two_of_name("en-fr-ca", "a.tsv")


def test_other_names_stay_and_must_be_names_of_files() -> None:
    assert language("Klingon") == "Klingon"
    assert wanted(["zh_cn", "zh-CN", "de"]) == ["zh-CN", "de"]
    assert wanted(None) is None
    for value in ("../../evil", "/etc", "", " ", 5, None, ["de"], "a\nb"):
        with pytest.raises(InputError, match=r"a\.jsonl:3: .*language"):
            language(value, "a.jsonl:3")


def test_the_usual_script_can_be_left_out():
    tags = {
        "en-Latn": "en",
        "zh-Hans": "zh",
        "zh-Hant": "zh-Hant",
        "hi-Latn": "hi-Latn",
        "ar-Arab": "ar",
        "pt-BR": "pt-BR",
    }
    assert {code: without_usual_script(code) for code in tags} == tags
    assert without_usual_script("sr-Cyrl-RS") == "sr-RS"
