// What the page draws: bars of languages against the pool, and hits. Text from passages is only ever set as text.

const names = typeof Intl.DisplayNames === "function" ? new Intl.DisplayNames(["en"], { type: "language" }) : null;
const MOST = 12; // bars side by side; the rest is one bar

export function nameOf(code) {
  if (!code) return "not known";
  try {
    return names?.of(code) ?? code;
  } catch {
    return code;
  }
}

export function node(kind, given = {}, ...inside) {
  const made = document.createElement(kind);
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "text") made.textContent = value;
    else if (name === "class") made.className = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...inside.filter((one) => one !== null && one !== undefined));
  return made;
}

export const base = (code) => code.split("-")[0];
const percent = (share) => `${(100 * share).toFixed(share > 0 && share < 0.095 ? 1 : 0).replace(/\.0$/, "")} %`;

// Shares of the first hits by language, and of the pool, as columns: those of the question's language in its own ink.
export function columnsOf(pool, shares, own) {
  const codes = [...new Set([...Object.keys(pool), ...Object.keys(shares)])];
  const order = codes.sort((a, b) => (base(b) === base(own)) - (base(a) === base(own)) || (pool[b] ?? 0) - (pool[a] ?? 0) || (a < b ? -1 : 1));
  const column = (code) => ({ code, name: nameOf(code), share: shares[code] ?? 0, pool: pool[code] ?? 0, own: own !== "" && base(code) === base(own) });
  if (order.length <= MOST) return order.map(column);
  const sum = (table) => order.slice(MOST - 1).reduce((total, code) => total + (table[code] ?? 0), 0);
  const rest = { code: `+${order.length - MOST + 1}`, name: "other languages", share: sum(shares), pool: sum(pool), own: false };
  return [...order.slice(0, MOST - 1).map(column), rest];
}

export function bars(columns, top, count) {
  const told = columns.filter((one) => one.share > 0).map((one) => `${one.name} ${percent(one.share)} of the answers, ${percent(one.pool)} of the passages`);
  const chart = node("div", { class: "chart", role: "img", "aria-label": told.join("; ") || "no answers" });
  for (const one of columns) {
    const number = count ? Math.round(one.share * count) : 0;
    const shown = count ? String(number || "") : percent(one.share);
    const bar = node("span", { class: "bar" });
    const plot = node("span", { class: "plot" }, bar);
    bar.style.blockSize = `${(100 * one.share) / top}%`;
    if (count) {
      const line = node("span", { class: "mark" });
      line.style.insetBlockEnd = `${(100 * one.pool) / top}%`;
      plot.append(line);
    }
    const figure = node("span", { class: "figure", text: shown });
    figure.style.insetBlockEnd = `${(100 * Math.max(one.share, 0)) / top}%`;
    plot.append(figure);
    const label = node("span", { class: "code", text: one.code || "?" });
    chart.append(node("span", { class: `column${one.own ? " own" : ""}`, title: `${one.name}: ${percent(one.share)}; ${percent(one.pool)} of the passages` }, plot, label));
  }
  return chart;
}

export function sentence(columns, count, own) {
  if (!count) return "No passage was found.";
  const mine = columns.filter((one) => one.own);
  if (!mine.length) return own ? `No passage is in ${nameOf(own)}, the language of the question.` : "The language of the question is not known.";
  const share = mine.reduce((total, one) => total + one.share, 0);
  const pool = mine.reduce((total, one) => total + one.pool, 0);
  const number = Math.round(share * count);
  return `${number} of the first ${count} ${number === 1 ? "is" : "are"} in ${nameOf(own)}; ${percent(pool)} of the passages are.`;
}

const figure = (value, digits) => value.toFixed(digits).replace("-", "−");

function facts(hit) {
  const line = node("p", { class: "facts" });
  const put = (text, title) => line.append(node("span", { text, title }));
  put(`score ${figure(hit.score, 3)}`, "the dot product, in the vectors that were searched");
  if (Number.isFinite(hit.calibrated)) put(`${hit.calibrated < 0 ? "" : "+"}${figure(hit.calibrated, 2)} sd`, "standard deviations above what the question scores with passages of this language");
  if (hit.rank_in_language) put(`no. ${hit.rank_in_language} in ${nameOf(hit.lang)}`, "rank among the passages of its language");
  for (const [name, value] of Object.entries(hit.fields)) put(`${name} ${value}`, "metadata");
  line.append(node("span", { class: "id", text: hit.id, dir: "auto", title: "id of the passage" }));
  return line;
}

const tag = (code, own) => node("span", { class: `tag${own && base(code) === base(own) ? " own" : ""}`, text: nameOf(code), title: code });
const LONG = 480;

function passage(hit) {
  const text = node("p", { class: "text", text: hit.text, dir: "auto", lang: hit.lang || false });
  if (hit.text.length <= LONG) return [text];
  text.classList.add("cut");
  const whole = node("button", { type: "button", class: "unfold", text: "whole passage", "aria-expanded": "false" });
  whole.addEventListener("click", () => {
    const open = !text.classList.toggle("cut");
    whole.textContent = open ? "less" : "whole passage";
    whole.setAttribute("aria-expanded", String(open));
  });
  return [text, whole];
}

function translations(hit, own) {
  const list = node("ul", { class: "also" }, ...hit.also.map((other) => node("li", {}, tag(other.lang, own), ...passage(other))));
  const languages = [...new Set(hit.also.map((other) => nameOf(other.lang)))].join(", ");
  const summary = node("summary", {}, node("span", { text: `${hit.also.length} ${hit.also.length === 1 ? "translation" : "translations"}` }), node("span", { class: "aside", text: languages }));
  return node("details", {}, summary, list);
}

export function hits(list, own, before) {
  return list.map((hit) => {
    const fresh = before && !before.has(hit.id);
    const head = node("p", { class: "head" }, node("span", { class: "rank", text: hit.rank }), tag(hit.lang, own), fresh ? node("span", { class: "fresh", title: "not in the first ten as the model ranks", role: "img", "aria-label": "new" }) : null);
    return node("li", { class: "hit", tabindex: "-1" }, head, ...passage(hit), facts(hit), hit.also.length ? translations(hit, own) : null);
  });
}
