"""The search page in a real browser: questions typed, choices clicked, keys pressed, as a reader does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.browser import browser
from tests.search.small import Words, passages, removal
from tests.serve.serving import serving
from triglot.index.documents import Documents
from triglot.index.settings import IndexSettings
from triglot.index.store import DiskIndex, create
from triglot.search.searcher import Searcher, SearchSettings
from triglot.serve.settings import ServeSettings

pytestmark = [pytest.mark.browser, pytest.mark.slow]
ARABIC = "نهر طويل في الشمال"
BESIDE = """one => {
  const range = document.createRange();
  range.selectNodeContents(one);
  const [box, text] = [one.getBoundingClientRect(), range.getBoundingClientRect()];
  return [text.left - box.left, box.right - text.right];
}"""
HARM = "<img src=x onerror=\"document.title='harm'\"> lighthouse"


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Searcher:
    """Translations in three languages, one passage in Arabic, one that would like to be HTML."""
    held = passages(30)
    documents = Documents(
        [*held.ids, "ar", "harm"],
        [*held.texts, f"{ARABIC} lighthouse", HARM],
        [*held.langs, "ar", "en"],
        [*held.groups, "", ""],
        {"number": [*held.fields["number"], 99, 98]},
    )
    place = tmp_path_factory.mktemp("index") / "helpdesk"
    vectors = Words().encode(documents.texts, side="passage")
    create(place, documents, vectors, IndexSettings(), removal=removal(), model="words")
    return Searcher(Words(), DiskIndex(place))


@pytest.fixture(scope="module")
def address(searcher: Searcher) -> Iterator[str]:
    with serving(searcher, name="helpdesk") as found:
        yield found


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as opened:
        yield opened


@pytest.fixture
def open_page(chromium: Any, address: str) -> Iterator[Callable[..., Any]]:
    """A page that is ready; whatever it asks of others, or complains of, fails the test."""
    contexts, strange = [], []

    def opened(place: str = "/", *, at: str = address, width: int = 1280, **more: Any) -> Any:
        context = chromium.new_context(viewport={"width": width, "height": 844}, **more)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda one: None if one.url.startswith(at) else strange.append(one.url))
        page.on("console", lambda one: strange.append(one.text) if _complains(one) else None)
        page.on("pageerror", lambda one: strange.append(str(one)))
        page.goto(at + place)
        page.wait_for_selector("body.ready")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert strange == []


def _complains(message: Any) -> bool:
    """What the console says, but for answers that refuse: those are shown on the page."""
    return message.type in ("error", "warning") and "status of 422" not in message.text


def ids(page: Any, side: str) -> list[str]:
    return page.locator(f".{side} .hits > .hit > .facts .id").all_inner_texts()


def ask(page: Any, question: str) -> None:
    page.locator("#query").click()
    page.keyboard.type(question)
    page.locator("#go").click()
    settled(page)


def add_condition(page: Any, field: str, op: str, value: str) -> None:
    page.locator("#field").select_option(field)
    page.locator("#op").select_option(op)
    page.locator("#value").fill(value)
    page.locator("#add").click()


def settled(page: Any) -> None:
    """The page is set up, and what was asked for is there."""
    page.wait_for_selector("body.ready:not(.busy)")


def test_both_rankings_stand_beside_each_other_with_their_bias(
    open_page: Callable[..., Any], searcher: Searcher
) -> None:
    page = open_page()
    assert "helpdesk" in page.title()
    assert page.locator("#size").inner_text().startswith(f"{len(searcher.index):,} passages")  # type: ignore[arg-type]
    ask(page, "de-river de-bread")
    page.locator("#lang").select_option("de")
    settled(page)
    assert "as given" in page.locator("#told").inner_text()
    sides = {}
    for side, mode in (("raw", "any"), ("fair", "fair")):
        wanted = searcher.search("de-river de-bread", SearchSettings(mode=mode), lang="de")
        assert ids(page, side) == [hit.id for hit in wanted.hits]
        drawn = page.locator(f".{side} .column .figure").all_inner_texts()
        codes = page.locator(f".{side} .column .code").all_inner_texts()
        shares = {code: int(number or 0) / 10 for code, number in zip(codes, drawn, strict=True)}
        assert {code: share for code, share in shares.items() if share} == pytest.approx(wanted.composition)
        sides[side] = page.locator(f".{side} .says").inner_text()
    assert sides["raw"].startswith("10 of the first 10 are in German")
    assert not sides["fair"].startswith("10 of")
    boxes = [page.locator(f".{side}").bounding_box() for side in ("raw", "fair")]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    assert abs(boxes[0]["y"] - boxes[1]["y"]) < 1
    marks = page.evaluate("[...document.querySelectorAll('.raw .mark')].map(one => one.style.insetBlockEnd)")
    assert len(marks) == 4


def test_translations_are_folded_in_the_order_of_the_chosen_languages(
    open_page: Callable[..., Any], searcher: Searcher
) -> None:
    page = open_page()
    ask(page, "de-river de-bread")
    page.get_by_label("Translations folded").click()
    page.locator("#more").click()
    for name in ("French", "English"):
        page.locator("#langs button", has_text=name).click()
        settled(page)
    asked = SearchSettings(mode="fold", languages="fr, en;q=0.999")
    told = page.locator("#lang").input_value()
    wanted = searcher.search("de-river de-bread", asked, lang=told)
    assert ids(page, "fair") == [hit.id for hit in wanted.hits]
    first = next(place for place, hit in enumerate(wanted.hits) if hit.also)
    folded = page.locator(".fair .hits > .hit").nth(first)
    assert not folded.locator(".also").is_visible()
    folded.locator("summary").click()
    assert folded.locator(".also .text").all_inner_texts() == [hit.text for hit in wanted.hits[first].also]
    assert set(page.locator(".raw .hit > .head .tag").all_inner_texts()) <= {"French", "English"}
    assert page.locator("#count").inner_text() == "2"


def test_filters_are_added_and_taken_away(open_page: Callable[..., Any]) -> None:
    page = open_page()
    ask(page, "en-river")
    page.locator("#more").click()
    add_condition(page, "number", "<", "5")
    settled(page)
    for side in ("raw", "fair"):
        assert all(int(one.split("-")[0]) < 5 for one in ids(page, side))
    page.locator("#conditions .chip").click()
    assert page.locator("#conditions .chip").count() == 0
    add_condition(page, "number", "<", "many")
    page.wait_for_selector("#error:not([hidden])")
    assert "is no int" in page.locator("#error").inner_text()
    page.locator("#conditions .chip").click()
    add_condition(page, "id", "=", '"ar", "harm"')
    settled(page)
    assert sorted(ids(page, "fair")) == ["ar", "harm"]


def test_right_to_left_stands_right_and_text_stays_text(open_page: Callable[..., Any]) -> None:
    page = open_page()
    ask(page, "lighthouse")
    for text in (ARABIC, "<img src=x"):
        assert page.locator(".fair .text", has_text=text).count() == 1
    arabic = page.locator(".fair .text", has_text=ARABIC)
    seen = arabic.evaluate("one => [getComputedStyle(one).direction, one.lang]")
    assert seen == ["rtl", "ar"]
    beside = arabic.evaluate(BESIDE)
    assert beside[0] > 40
    assert abs(beside[1]) < 2
    assert page.locator("main img").count() == 0
    assert "harm" not in page.title()
    page.locator("#query").fill("نهر")
    assert page.locator("#query").evaluate("one => getComputedStyle(one).direction") == "rtl"


def test_keys_alone_are_enough(open_page: Callable[..., Any]) -> None:
    page = open_page()
    assert page.evaluate("document.activeElement.id") == "query"
    page.keyboard.type("de-river de-bread")
    page.keyboard.press("Enter")
    settled(page)
    here = "(() => { const one = document.activeElement; return one.closest('.ranking') ? "
    here += "[one.closest('.ranking').className.split(' ')[1], one.querySelector('.rank').textContent] : one.id; })()"
    page.keyboard.press("ArrowDown")
    assert page.evaluate(here) == ["fair", "1"]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(here) == ["raw", "2"]
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert page.evaluate(here) == "query"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Escape")
    assert page.evaluate(here) == "query"
    page.locator("#more").focus()
    page.keyboard.press("Enter")
    assert page.locator("#panel").is_visible()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "query"
    page.goto(page.url)  # the address brings the question back, and no server has seen it
    page.reload()
    settled(page)
    assert page.locator("#query").input_value() == "de-river de-bread"
    assert "?" not in page.url


def test_a_question_sent_before_the_page_is_set_up_is_asked(open_page: Callable[..., Any]) -> None:
    page, held = open_page(), []
    page.route("**/about", lambda route: held.append(route))
    page.reload()
    page.keyboard.type("de-river de-bread")
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.value === 'de-river de-bread'")
    assert page.locator("body.ready").count() == 0
    held[0].continue_()
    page.wait_for_selector("body.answered:not(.busy)")
    assert page.locator("#query").input_value() == "de-river de-bread"
    assert len(ids(page, "fair")) == 10


def test_the_link_to_the_results_leaves_the_answer_there(open_page: Callable[..., Any]) -> None:
    page = open_page()
    ask(page, "de-river de-bread")
    before = page.url, ids(page, "fair")
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "results"
    settled(page)
    assert (page.url, ids(page, "fair")) == before


def test_back_leads_through_the_questions_and_out(open_page: Callable[..., Any], address: str) -> None:
    page = open_page()
    page.goto(address + "/about")
    page.goto(address + "/#q=en-river%20stone")  # as another program writes a space
    settled(page)
    page.wait_for_selector("body.answered")
    page.locator("#query").fill("en-king")
    page.keyboard.press("Enter")
    page.wait_for_url("**/#q=en-king")
    settled(page)
    page.go_back()
    page.wait_for_function("document.querySelector('#query').value === 'en-river stone'")
    settled(page)
    page.go_back()
    assert page.url == address + "/about"
    page.go_forward()
    settled(page)
    page.go_forward()
    page.wait_for_function("document.querySelector('#query').value === 'en-king'")


def test_a_service_of_narrow_limits_has_a_page(open_page: Callable[..., Any], searcher: Searcher) -> None:
    with serving(searcher, ServeSettings(rate=2, most_hits=5)) as narrow:
        page = open_page(at=narrow)
        ask(page, "de-river de-bread")
        assert page.locator("#error").is_hidden()
        assert [len(ids(page, side)) for side in ("raw", "fair")] == [5, 5]
        assert page.locator("#further").is_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_in_light_and_dark(open_page: Callable[..., Any], scheme: str) -> None:
    page = open_page(width=390, color_scheme=scheme, has_touch=True, is_mobile=True)
    page.locator("#query").tap()
    page.keyboard.type("de-river de-bread")
    page.locator("#go").tap()
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    lists = [page.locator(f".{side} .hits") for side in ("raw", "fair")]
    assert [one.is_visible() for one in lists] == [False, True]
    assert all(page.locator(f".{side} .chart").is_visible() for side in ("raw", "fair"))
    page.locator(".tabs button").first.tap()
    assert [one.is_visible() for one in lists] == [True, False]
    page.locator("#more").tap()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    style = page.evaluate(
        "(() => { const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]; })()"
    )
    ink, paper = (sum(int(part) for part in one[4:-1].split(",")) / 765 for one in style)
    assert (paper > ink) == (scheme == "light")
    assert abs(paper - ink) > 0.7
