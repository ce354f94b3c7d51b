"""Results in the layout of MTEB: `results/<model>/<revision>/<Task>.json`, as its `TaskResult.from_disk` and
`ResultCache` read them.

MTEB averages a task's main score over its subsets. A setting is therefore a task of its own (`xquad-r-mono`,
`xquad-r-cross`, `xquad-r-multi`) and a language, or an ordered pair, is a subset: MTEB's average is then our macro
average. `mteb_version` is null, since MTEB has not computed these figures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

from triglot import outputs
from triglot.files import InputError, write_json
from triglot.measures import known
from triglot.names import check_name
from triglot.report.runs import Arm, Run

SETTINGS = ("mono", "cross", "multi", "ranked")
NO_REVISION = "no_revision_available"  # MTEB's words for a model that is in no hub
NO_DATASET_REVISION = "dataset revision not available"  # likewise
_META = "model_meta.json"
# Three-letter codes that CLDR turns into a two-letter one although ISO 639-3 pairs it with another: bibliographic and
# narrower codes.
_NOT_PAIRED = (
    "adp alb als arb arm ayr azj baq bur chi cls cmn cwd cze drh dut ekk esk fat fre fuc gaz geo ger gre gug ice "
    "ike khk kmr knc kng kpv "
    "lvs mac mao may mol npi ojg ory pbu per pes plt prp quz rum scc scr slo src swh tib twi uzn wel ydd zsm zyb"
)
_MORE = {"tl": "tgl", "tw": "twi"}


@cache
def _three_letters() -> Mapping[str, str]:
    from babel.core import get_global

    others = set(_NOT_PAIRED.split())
    found = {
        short: long for long, short in get_global("language_aliases").items() if len(long) == 3 and long not in others
    }
    return found | _MORE


def language_script(code: str) -> str:
    """A language as MTEB writes it, `deu-Latn`, from a code such as `de`, `zh` or `sr-Latn`; an unknown script is
    Zyyy."""
    from babel.core import get_global

    language, *rest = code.replace("_", "-").split("-")
    scripts = [part.title() for part in rest if len(part) == 4 and part.isalpha()]
    likely = get_global("likely_subtags").get(get_global("language_aliases").get(language, language), "").split("_")
    script = scripts[0] if scripts else next((part for part in likely if len(part) == 4), "Zyyy")
    return f"{_three_letters().get(language, language)}-{'Hang' if script == 'Kore' else script}"


def _measure(name: str) -> str:
    """`r@10` -> `recall_at_10`; `map` as it is."""
    base, _, cut = name.partition("@")
    theirs = next((row.mteb for row in known() if row.mteb and row.base == base), base)
    return f"{theirs}_at_{cut}" if cut else base


def _main_scores() -> list[str]:
    """The first of these that a task has is its main score: accuracy for classification, nDCG@10 where runs are judged,
    else mAP.
    """
    return [row.name for row in reversed(list(known())) if row.main]


def _subset(name: str, codes: Sequence[str], cell: Mapping[str, Any], main: str) -> dict[str, Any]:
    figures = {
        _measure(key): value for key, value in cell.items() if isinstance(value, int | float) and math.isfinite(value)
    }
    return {
        **figures,
        "main_score": cell[main],
        "hf_subset": name,
        "languages": [language_script(code) for code in codes],
    }


def task_results(name: str, entry: Mapping[str, Any], by_language: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Task name -> content of its file, one task a setting.

    Args:
        name: of the benchmark.
        entry: of results.json.
        by_language: content of NAME.languages.json.
    """
    found = {}
    for setting in SETTINGS:
        cells: list[tuple[str, list[str], Mapping[str, Any]]] = []
        for code, value in by_language.get(setting, {}).items():
            if setting == "cross":
                cells += [(f"{code}-{other}", [code, other], cell) for other, cell in value.items()]
            else:
                bias = by_language.get("bias", {}).get(code, {}) if setting == "multi" else {}
                cells.append((code, [code], {**bias, **value}))
        if cells:
            main = next(
                (measure for measure in _main_scores() if all(cell[2].get(measure) is not None for cell in cells)), ""
            )
            if not main:
                raise InputError(
                    f"{name}.languages.json: {setting}: a language has none of {', '.join(_main_scores())}"
                )
            found[f"{name}-{setting}"] = {
                "dataset_revision": NO_DATASET_REVISION,
                "task_name": f"{name}-{setting}",
                "mteb_version": None,
                "scores": {"test": [_subset(*cell, main) for cell in cells]},
                "evaluation_time": None,
                "kg_co2_emissions": None,
                "triglot": {"notes": entry.get("notes", []), "licence": entry.get("licence", "")},
            }
    return found


def model_meta(run: Run, name: str, revision: str) -> dict[str, Any]:
    """What MTEB wants to know about a model, as far as the run tells."""
    codes = run.settings.get("languages") or []
    return {
        "name": name,
        "revision": revision,
        "release_date": None,
        "languages": [language_script(code) for code in codes] or None,
        "n_parameters": run.summary.get("parameters"),
        "memory_usage_mb": None,
        "max_tokens": None,
        "embed_dim": None,
        "license": None,
        "open_weights": None,
        "public_training_code": None,
        "public_training_data": None,
        "framework": ["Sentence Transformers"] if run.recipe else [],
        "reference": None,
        "similarity_fn_name": "cosine" if run.recipe else None,
        "use_instructions": None,
        "training_datasets": None,
        "adapted_from": None,
        "superseded_by": None,
        "modalities": ["text"],
        "model_type": ["dense"],
        "loader": None,
        "is_cross_encoder": False,
    }


def write_mteb(
    arms: Sequence[Arm], out: str | Path, *, organisation: str = "triglot", force: bool = False
) -> list[Path]:
    """Write the results of arms as MTEB does, below `out/results`; `mteb.ResultCache(out)` reads them.

    A model is `organisation/arm`, a revision is a seed.

    Args:
        arms: as `find_arms` gives them.
        out: the folder; what else is in it stays.
        organisation: before the arm in the model's name.
        force: replace the results of another run.

    Returns:
        the task files.

    Raises:
        InputError: a run without figures by language, or two that would be the same model and revision.
    """
    places: dict[Path, Run] = {}
    names = {}
    for arm in arms:
        for run in arm.runs:
            name = f"{organisation}/{check_name('model', arm.name.replace('/', '-'), str(run.folder))}"
            revision = NO_REVISION if run.seed is None else f"seed-{run.seed}"
            folder = Path(out) / "results" / name.replace("/", "__").replace(" ", "_") / revision
            if folder in places:
                raise InputError(f"{run.folder}: {name} of revision {revision} is {places[folder].folder} already")
            places[folder], names[folder] = run, (name, revision)
    # All is read before anything is written.
    contents = {folder: _files_of(run, *names[folder]) for folder, run in places.items()}
    with ExitStack() as stack:
        for folder, run in places.items():
            place = stack.enter_context(
                outputs.folder(folder, "compare", model=str(run.folder), inputs=[run.folder], force=force)
            )
            for name, content in contents[folder].items():
                write_json(place / name, content)
    return [folder / name for folder, found in contents.items() for name in found if name != _META]


def _files_of(run: Run, name: str, revision: str) -> dict[str, dict[str, Any]]:
    """File name -> content, of one model and revision."""
    found = {}
    for benchmark, entry in run.benchmarks.items():
        by_language = run.languages(benchmark)
        if not by_language:
            raise InputError(
                f"{run.folder}: no {benchmark}.languages.json; MTEB's layout needs the figures by language"
            )
        for task, content in task_results(benchmark, entry, by_language).items():
            found[f"{check_name('benchmark', task, str(run.folder))}.json"] = content
    return found | {_META: model_meta(run, name, revision)}
