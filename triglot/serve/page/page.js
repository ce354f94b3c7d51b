// The search page: asks this service twice, as the model ranks and fair, and shows both beside each other.
import { bars, base, columnsOf, hits, nameOf, node, sentence } from "./draw.js";

const FIRST = 10; // hits at first, and those whose languages are drawn
const RAW = "any";
const $ = (id) => document.getElementById(id);
const state = { about: null, mode: "fair", chosen: [], filters: [], k: FIRST, asked: null, answers: null };

async function get(path, body, signal) {
  const options = body ? { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body), signal } : { signal };
  const answer = await fetch(path, options);
  const told = await answer.json().catch(() => null);
  if (!answer.ok) throw new Error(told?.error?.message ?? `the service answered ${answer.status}`);
  return told;
}

// --- what is asked

const ordered = () => state.chosen.map((code, place) => (place ? `${code};q=${(1 - place / 1000).toFixed(3)}` : code)).join(", ");

function bodies(question) {
  const shared = { query: question, k: state.k, lang: $("lang").value, hybrid: $("hybrid").checked };
  const only = state.chosen.length ? [`lang=${state.chosen.join(",")}`] : [];
  return [
    { ...shared, mode: RAW, filters: [...state.filters, ...only] },
    { ...shared, mode: state.mode, filters: state.filters, languages: ordered() },
  ];
}

function remember(past) {
  const place = new URLSearchParams();
  if ($("query").value) place.set("q", $("query").value);
  if ($("lang").value) place.set("lang", $("lang").value);
  if (state.mode !== "fair") place.set("mode", state.mode);
  if (state.chosen.length) place.set("in", state.chosen.join(","));
  state.filters.forEach((filter) => place.append("filter", filter));
  if ($("hybrid").checked) place.set("words", "1");
  const hash = `#${place}`; // behind the hash, so that no server and no log sees the question in an address
  if (hash === location.hash) return;
  if (past) history.replaceState(null, "", hash); // another entry would be a place that Back never leaves
  else history.pushState(null, "", hash);
}

function recall() {
  const place = new URLSearchParams(location.hash.slice(1));
  const known = Object.keys(state.about.languages);
  $("query").value = place.get("q") ?? "";
  $("lang").value = known.includes(place.get("lang")) ? place.get("lang") : "";
  const modes = state.about.modes.map((mode) => mode.name);
  state.mode = modes.includes(place.get("mode")) && place.get("mode") !== RAW ? place.get("mode") : "fair";
  state.chosen = (place.get("in") ?? "").split(",").filter((code) => known.includes(code));
  state.filters = place.getAll("filter");
  $("hybrid").checked = place.get("words") === "1" && state.about.words;
  drawChoices();
}

// --- search

// `past`: the question stands in the address already, and is no new entry of the history.
async function search({ keep = false, past = false } = {}) {
  const question = $("query").value.trim();
  state.asked?.abort();
  if (!question) return showEmpty(past);
  if (!keep) state.k = Math.min(FIRST, state.about.limits.most_hits);
  remember(past);
  state.asked = new AbortController();
  const { signal } = state.asked;
  document.body.classList.add("busy");
  $("error").hidden = true;
  try {
    state.answers = await Promise.all(bodies(question).map((body) => get("search", body, signal)));
    show(...state.answers);
  } catch (error) {
    if (signal.aborted) return;
    showError(error.message);
  }
  document.body.classList.remove("busy");
}

function showEmpty(past) {
  state.answers = null;
  $("pair").hidden = true;
  $("empty").hidden = false;
  $("told").textContent = "";
  $("error").hidden = true;
  document.body.classList.remove("busy", "answered");
  if (location.hash && !past) history.pushState(null, "", location.pathname + location.search);
}

function showError(message) {
  $("error").textContent = message;
  $("error").hidden = false;
  $("pair").hidden = true;
  $("empty").hidden = true;
  $("told").textContent = "";
}

// The pool of the chosen languages: what answers could have been in.
function poolOf(answer) {
  const codes = Object.keys(answer.pool).filter((code) => !state.chosen.length || state.chosen.some((one) => code === one || code.startsWith(`${one}-`)));
  const total = codes.reduce((sum, code) => sum + answer.pool[code], 0) || 1;
  return Object.fromEntries(codes.map((code) => [code, answer.pool[code] / total]));
}

function sharesOf(answer) {
  const first = answer.hits.slice(0, FIRST);
  const shares = {};
  for (const hit of first) shares[hit.lang] = (shares[hit.lang] ?? 0) + 1 / first.length;
  return { count: first.length, shares };
}

function show(raw, fair) {
  $("empty").hidden = true;
  $("pair").hidden = false;
  document.body.classList.add("answered");
  const title = modeOf(state.mode).title;
  $("title-fair").textContent = title;
  document.querySelector('.tabs [data-side="fair"]').textContent = title;
  const before = new Set(raw.hits.slice(0, FIRST).flatMap((hit) => [hit.id, ...hit.also.map((other) => other.id)]));
  const drawn = [raw, fair].map((answer) => {
    const { count, shares } = sharesOf(answer);
    return { count, columns: columnsOf(poolOf(answer), shares, answer.lang) };
  });
  const top = Math.max(0.3, ...drawn.flatMap(({ columns }) => columns.flatMap((one) => [one.share, one.pool])));
  [["raw", raw], ["fair", fair]].forEach(([side, answer], place) => {
    const { count, columns } = drawn[place];
    const section = document.querySelector(`.ranking.${side}`);
    section.querySelector(".says").textContent = sentence(columns, count, answer.lang);
    section.querySelector(".bars").replaceChildren(bars(columns, top, count));
    list(side).replaceChildren(...hits(answer.hits, answer.lang, side === "fair" ? before : null));
  });
  const how = fair.detected ? "told by its text" : "as given";
  const notes = [...new Set([...raw.notes, ...fair.notes])];
  $("told").replaceChildren(
    node("span", { text: fair.lang ? `Question in ${nameOf(fair.lang)}, ${how}` : "The language of the question is not known" }),
    node("span", { text: `${Math.max(1, Math.round(1000 * (raw.seconds + fair.seconds)))} ms` }),
    ...notes.map((note) => node("span", { class: "note", text: note })),
  );
  $("further").hidden = state.k >= state.about.limits.most_hits || Math.max(raw.hits.length, fair.hits.length) < state.k;
}

// --- choices

const modeOf = (name) => state.about.modes.find((mode) => mode.name === name) ?? { name, title: name };

function drawChoices() {
  for (const button of document.querySelectorAll("#langs button")) {
    const place = state.chosen.indexOf(button.value);
    button.setAttribute("aria-pressed", String(place >= 0));
    button.querySelector("b").textContent = place >= 0 ? place + 1 : "";
  }
  for (const input of document.querySelectorAll("#modes input")) input.checked = input.value === state.mode;
  $("conditions").replaceChildren(
    ...state.filters.map((filter) =>
      node("button", { type: "button", class: "chip", "aria-label": `Remove ${filter}`, onclick: () => change(() => (state.filters = state.filters.filter((one) => one !== filter))) }, node("span", { text: filter, dir: "auto" }), node("b", { text: "×" })),
    ),
  );
  const active = state.chosen.length + state.filters.length + Number($("hybrid").checked);
  $("count").textContent = active;
  $("count").hidden = !active;
  $("langs-told").textContent = state.chosen.length ? state.chosen.map(nameOf).join(", then ") : "every language; choose some, in your order";
}

function change(how) {
  how();
  drawChoices();
  if ($("query").value.trim()) search();
}

function setUp(about) {
  const codes = Object.keys(about.languages).filter(Boolean);
  const total = about.passages.toLocaleString("en");
  document.title = `${about.name} · Triglot`;
  $("name").textContent = about.name;
  $("size").textContent = `${total} passages · ${codes.length} ${codes.length === 1 ? "language" : "languages"}`;
  $("version").textContent = `Triglot ${about.version}`;
  $("query").maxLength = about.limits.longest;
  const byName = [...codes].sort((a, b) => nameOf(a).localeCompare(nameOf(b)));
  $("lang").append(...byName.map((code) => node("option", { value: code, text: nameOf(code) })));
  $("modes").append(
    ...about.modes.filter((mode) => mode.name !== RAW).map((mode) => node("label", { title: mode.help }, node("input", { type: "radio", name: "mode", value: mode.name, onchange: () => change(() => (state.mode = mode.name)) }), node("span", { text: mode.title }))),
  );
  document.querySelector("#langs .chips").append(
    ...byName.map((code) => node("button", { type: "button", class: "chip", value: code, "aria-pressed": "false", title: `${about.languages[code].toLocaleString("en")} passages`, onclick: () => change(() => (state.chosen = state.chosen.includes(code) ? state.chosen.filter((one) => one !== code) : [...state.chosen, code])) }, node("span", { text: nameOf(code) }), node("b"))),
  );
  $("field").append(...[...Object.keys(about.fields), "group", "id"].map((name) => node("option", { value: name, text: name })));
  $("words").hidden = !about.words;
  const taken = about.debiased ? `the language is taken out of its vectors by ${about.debiased}` : "no language is taken out of its vectors, so fair means calibrated scores alone";
  $("about").textContent = `${total} passages, searched with ${about.model}; ${taken}. A question in any language finds passages in all of them: on the left as the model ranks them, on the right without a preference for a language.`;
  const shares = Object.fromEntries(Object.entries(about.languages).map(([code, count]) => [code, count / about.passages]));
  if (about.passages) $("pool").replaceChildren(bars(columnsOf({}, shares, ""), Math.max(...Object.values(shares)), 0));
}

// --- hands

const list = (side) => document.querySelector(`.ranking.${side} .hits`);
const shownSide = () => (getComputedStyle(document.querySelector(".tabs")).display === "none" ? "fair" : $("pair").dataset.shown);

function turn(side) {
  $("pair").dataset.shown = side;
  for (const button of document.querySelectorAll(".tabs button")) button.setAttribute("aria-pressed", String(button.dataset.side === side));
}

function unfold(hit) {
  const details = hit.querySelector("details");
  if (details) details.open = !details.open;
  else hit.querySelector(".unfold")?.click();
}

function step(event) {
  const here = document.activeElement;
  const hit = here?.classList.contains("hit") ? here : null;
  const go = (target) => {
    if (!target) return;
    event.preventDefault();
    target.focus();
    target.scrollIntoView({ block: "nearest" });
  };
  if (here === $("query")) return event.key === "ArrowDown" && state.answers && go(list(shownSide()).firstElementChild);
  if (!hit) return undefined;
  if (event.key === "ArrowDown") return go(hit.nextElementSibling);
  if (event.key === "ArrowUp") return go(hit.previousElementSibling ?? $("query"));
  if (event.key === "Enter") return unfold(hit);
  if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return undefined;
  const side = event.key === "ArrowLeft" ? "raw" : "fair";
  const place = [...hit.parentElement.children].indexOf(hit);
  turn(side);
  const there = list(side).children;
  return go(there[Math.min(place, there.length - 1)]);
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement?.tagName ?? "");
  if (event.key === "/" && !typing) {
    event.preventDefault();
    $("query").select();
  } else if (event.key === "Escape" && document.activeElement !== $("query")) $("query").focus();
  else step(event);
}

function addCondition() {
  const value = $("value").value.trim();
  if (!value) return $("value").focus();
  const filter = `${$("field").value}${$("op").value}${value}`;
  $("value").value = "";
  return change(() => (state.filters = [...state.filters.filter((one) => one !== filter), filter]));
}

async function start() {
  let early = false; // a question sent before the page knows its service is asked as soon as it does
  $("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    if (state.about) search();
    else early = true;
  });
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault(); // behind the # of the address stands the question
    $("results").focus();
  });
  try {
    state.about = await get("about");
  } catch (error) {
    return showError(`The service does not answer: ${error.message}`);
  }
  setUp(state.about);
  const typed = $("query").value;
  recall();
  if (typed) $("query").value = typed;
  $("lang").addEventListener("change", () => change(() => {}));
  $("hybrid").addEventListener("change", () => change(() => {}));
  $("add").addEventListener("click", addCondition);
  $("value").addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    addCondition();
  });
  $("more").addEventListener("click", () => {
    $("panel").hidden = !$("panel").hidden;
    $("more").setAttribute("aria-expanded", String(!$("panel").hidden));
  });
  $("further").addEventListener("click", () => {
    state.k = Math.min(state.k + FIRST, state.about.limits.most_hits);
    search({ keep: true });
  });
  for (const button of document.querySelectorAll(".tabs button")) button.addEventListener("click", () => turn(button.dataset.side));
  document.addEventListener("keydown", keys);
  addEventListener("popstate", () => {
    recall();
    search({ past: true });
  });
  document.body.classList.add("ready");
  if (early || (!typed && $("query").value)) search({ past: !early });
  return undefined;
}

start();
