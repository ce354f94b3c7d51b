// Sorting, CSV and SVG for whoever reads the page on a screen. Without it nothing is missing but these.
"use strict";
(() => {
  const make = (tag, name, text, label) => {
    const made = document.createElement(tag);
    made.className = name;
    made.textContent = text;
    if (label) made.setAttribute("aria-label", label);
    return made;
  };
  const words = (node) => {
    const copy = node.cloneNode(true);
    copy.querySelectorAll("button, .mark, .interval, .seeds, .anchor, .meaning").forEach((one) => one.remove());
    return copy.textContent.replace(/\s+/g, " ").trim();
  };
  const button = (name, text, label, act) => {
    const made = make("button", name, text, label);
    made.type = "button";
    made.addEventListener("click", act);
    return made;
  };
  const save = (name, type, text) => {
    const link = document.createElement("a");
    link.download = name;
    link.href = URL.createObjectURL(new Blob([text], {type}));
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  const nameOf = (node, ...titles) => {
    const section = node.closest("section"), text = titles.map(words).join(" ").toLowerCase();
    const parts = [section ? section.id : "table", ...text.match(/[\p{L}\p{N}@+]+/gu) || []];
    return parts.slice(0, 8).join("-").slice(0, 60);
  };

  // Sorting: by the figure of a cell, else by its text; empty cells last; the third press is the order of the page.
  const value = (cell) => {
    if (!cell || cell.classList.contains("none")) return null;
    if (cell.dataset.v !== undefined) return Number(cell.dataset.v);
    const text = words(cell), figure = Number(text.replace(/[,%\s]/g, ""));
    return text === "" || Number.isNaN(figure) ? text.toLowerCase() : figure;
  };
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
  const sort = (table, heads, place) => {
    const body = table.tBodies[0], head = heads[place], hint = head.querySelector("[data-first]");
    const figures = table.order.some((row) => typeof value(row.cells[place]) === "number");
    const usual = figures ? "descending" : "ascending", first = hint ? hint.dataset.first : usual;
    const other = first === "ascending" ? "descending" : "ascending";
    const now = head.getAttribute("aria-sort"), next = {[first]: other, [other]: ""}[now] ?? first;
    heads.forEach((one) => one.removeAttribute("aria-sort"));
    const rows = [...table.order];
    if (next) {
      head.setAttribute("aria-sort", next);
      const sign = next === "ascending" ? 1 : -1;
      rows.sort((a, b) => {
        const [left, right] = [value(a.cells[place]), value(b.cells[place])];
        if (left === null || right === null) return (left === null) - (right === null);
        return sign * compare(left, right);
      });
    }
    table.classList.toggle("sorted", Boolean(next));
    body.append(...rows);
  };

  // CSV: figures in full precision where the page has them, intervals in columns of their own.
  const safe = (text) => (/^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text);
  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);
  const csv = (table) => {
    const heads = [...table.tHead.rows[0].cells], rows = table.order || [...table.tBodies].flatMap((one) => [...one.rows]);
    const wide = heads.map((_, place) => rows.some((row) => row.cells[place] && row.cells[place].dataset.low !== undefined));
    const line = (cells) => cells.map((text) => quoted(safe(text))).join(",");
    const top = heads.flatMap((one, place) => {
      const title = words(one);
      return wide[place] ? [title, `${title}, low`, `${title}, high`] : [title];
    });
    const lines = rows.map((row) => line(heads.flatMap((_, place) => {
      const cell = row.cells[place], data = cell ? cell.dataset : {};
      const text = !cell || cell.classList.contains("none") ? "" : data.v ?? words(cell);
      return wide[place] ? [text, data.low ?? "", data.high ?? ""] : [text];
    })));
    return [line(top), ...lines, ""].join("\n");
  };

  // SVG: a file of its own has no page that gives it colours and a size.
  const svg = (drawn) => {
    const copy = drawn.cloneNode(true), [, , width, height] = drawn.getAttribute("viewBox").split(" ");
    copy.setAttribute("width", width);
    copy.setAttribute("height", height);
    const style = document.createElementNS("http://www.w3.org/2000/svg", "style");
    style.textContent = {{ alone|tojson }};
    copy.prepend(style);
    return new XMLSerializer().serializeToString(copy);
  };

  document.querySelectorAll("main table").forEach((table) => {
    const heads = table.tHead ? [...table.tHead.rows[0].cells] : [], title = table.caption;
    if (title) {
      const bold = title.querySelector("b"), titles = bold && heads.length > 1 ? [bold, heads[1]] : [title];
      const act = () => save(`${nameOf(table, ...titles)}.csv`, "text/csv;charset=utf-8", csv(table));
      (title.firstElementChild || title).append("\u00a0", button("tool", "CSV", `Download as CSV: ${words(title)}`, act));
    }
    if (!table.classList.contains("book") || table.tBodies.length !== 1 || table.tBodies[0].rows.length < 2) return;
    table.order = [...table.tBodies[0].rows];
    heads.forEach((head, place) => {
      const label = `Sort by ${words(head) || "name"}`;
      head.append(button("sort", "", label, () => sort(table, heads, place)));
    });
  });
  document.querySelectorAll("main figure").forEach((figure) => {
    const drawn = figure.querySelector("svg"), title = figure.querySelector("figcaption");
    if (!drawn || !title) return;
    const act = () => save(`${nameOf(figure, title)}.svg`, "image/svg+xml", svg(drawn));
    title.append("\u00a0", button("tool", "SVG", `Download as SVG: ${words(title)}`, act));
  });

  // What scrolls sideways can be reached by the keyboard.
  const reach = () => document.querySelectorAll(".scroll").forEach((box) => {
    if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  });
  addEventListener("resize", reach);
  document.addEventListener("toggle", reach, true);
  reach();
  // A link into something folded opens it.
  const open = () => {
    const aim = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let box = aim && aim.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
  };
  addEventListener("hashchange", open);
  open();
})();
