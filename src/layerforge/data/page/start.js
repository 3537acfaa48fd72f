// Where the time of a start goes: a bar a layer, cut by package, and rows that hold one layer's figures against another's.

/** Packages that have a colour of their own; what is left shares the last one. */
const START_TONES = 5;

/** @param {Start} start */
function showStart(start) {
  const sums = start.layers.map((_, layer) => start.by_package.reduce((sum, row) => sum + figure(row, layer), 0));
  const last = sums.length - 1;
  const told = last ? `${milliseconds(sums[0])} of imports → ${milliseconds(sums[last])}, ${exact(sums[last] / sums[0], 2)} ×; ` : `${milliseconds(sums[0])} of imports; `;
  const who = last ? [" One run of each. Before: ", named(start.layers[0]), "; after: ", named(start.layers[1]), "."] : [];
  at("start-sum").append(`${told}${start.modules.map((count) => exact(count)).join(" → ")} modules.`, ...who);
  const most = Math.max(...sums);
  at("start-bars").append(
    ...sums.map((sum, layer) => stack(start, last ? ["before", "after"][layer] : "imports", layer, sum, most)),
    h("ul", { class: "legend", "aria-label": "Colours of packages" }, ...coloured(start).map(([name, tone]) => legendItem(name, tone))),
  );
  const form = /** @type {any} */ (document.forms.namedItem("start"));
  const show = () => at("start-rows").replaceChildren(startTable(start, form.elements.by.value));
  form.addEventListener("change", show);
  show();
}

/** Microseconds of a row in a layer. @param {StartRow} row @param {number} layer */
const figure = (row, layer) => /** @type {number} */ (row[layer + 1]);

/** The packages that have a colour, and the rest. @param {Start} start @returns {[string, number][]} */
function coloured(start) {
  const names = start.by_package.map(([name]) => name);
  /** @type {[string, number][]} */
  const found = names.slice(0, START_TONES).map((name, tone) => [name, tone]);
  return names.length > START_TONES ? [...found, ["all else", START_TONES]] : found;
}

/** @param {string} name @param {number} tone */
const legendItem = (name, tone) => h("li", {}, h("span", { class: `swatch tone${tone}`, "aria-hidden": "true" }), name);

/** A layer's bar. @param {Start} start @param {string} title @param {number} layer @param {number} sum @param {number} most */
function stack(start, title, layer, sum, most) {
  const parts = coloured(start).map(([name, tone]) => {
    const rows = tone < START_TONES ? [start.by_package[tone]] : start.by_package.slice(START_TONES);
    return { name, tone, us: rows.reduce((all, row) => all + figure(row, layer), 0) };
  });
  const bar = h("div", { class: "stack", "aria-hidden": "true" }, ...parts.filter((part) => part.us > 0).map((part) => piece(part, most)));
  bar.style.width = `${most > 0 ? (100 * sum) / most : 0}%`;
  return h("div", { class: "start" }, h("span", {}, title), h("div", { class: "room" }, bar), h("span", { class: "sum" }, milliseconds(sum)));
}

/** A package's share of a bar; what is too narrow for words has them in its tooltip. @param {{name: string, tone: number, us: number}} part @param {number} most */
function piece({ name, tone, us }, most) {
  const wide = us / most > 0.1;
  const made = h("span", { class: `tone${tone}${wide ? "" : " narrow"}`, title: `${name}: ${milliseconds(us)}` }, wide ? `${name} ${milliseconds(us)}` : "");
  made.style.flex = `${us} 0 0`;
  return made;
}

/** @param {Start} start @param {"by_package" | "by_module"} by */
function startTable(start, by) {
  const rows = start[by];
  const most = rows.reduce((all, row) => Math.max(all, ...row.slice(1).map(Number)), 0);
  const pairs = start.layers.length > 1;
  const cells = rows.map((row) => [
    named(row[0]),
    pair(row, most),
    ...start.layers.map((_, layer) => (figure(row, layer) ? milliseconds(figure(row, layer)) : "–")),
    ...(pairs ? [milliseconds(figure(row, 1) - figure(row, 0))] : []),
  ]);
  const figures = pairs ? ["#before", "#after", "#change"] : ["#alone"];
  return table(pairs ? "Import time before and after" : "Import time", [by === "by_package" ? "package" : "module", pairs ? "compared" : "share", ...figures], cells, 20);
}

/** The figures of a row as bars, one below the other. @param {StartRow} row @param {number} most */
function pair(row, most) {
  const bars = row.slice(1).map((us, layer) => {
    if (!us) return h("span", { class: "bar none" });
    const made = h("span", { class: `bar ${row.length > 2 && layer === 0 ? "was" : "tone0"}` });
    made.style.width = `${most > 0 ? (100 * Number(us)) / most : 0}%`;
    return made;
  });
  return h("div", { class: "pair", "aria-hidden": "true" }, ...bars);
}
