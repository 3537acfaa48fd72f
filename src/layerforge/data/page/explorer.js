// A tree to walk through, by mouse or keyboard: a chart and, beside it, a list of what is in the area zoomed to.

const MOST_ROWS = 150;

/**
 * @param {HTMLElement} place
 * @param {ExplorerOptions} options
 * @returns {Explorer}
 */
function explorer(place, options) {
  const state = { root: area("", null), here: area("", null), measure: 0, flat: /** @type {Area[] | null} */ (null) };
  const crumbs = h("ol", { class: "crumbs" });
  const canvas = h("div", { class: "chart", role: "img", "aria-label": options.label });
  const body = h("tbody");
  const more = h("button", { type: "button", class: "quiet", hidden: true });
  const facts = h("dl", { class: "facts" });
  const status = h("p", { class: "unseen", role: "status" });
  const heads = options.headers.map((header, number) => h("th", { scope: "col", class: number && "number" }, header));
  const caption = h("caption", { class: "unseen" }, `${options.label}: what is in the area zoomed to`);
  const list = h("table", { class: "areas" }, caption, h("thead", {}, h("tr", {}, ...heads)), body);
  const hint = h("p", { class: "hint" }, "↑ ↓ move · Enter or → zooms in · Backspace or ← zooms out");
  const side = h("div", { class: "side" }, h("div", { class: "frame rows" }, list), more, hint, facts);
  place.append(
    h("nav", { "aria-label": `${options.label}: zoomed to` }, crumbs),
    h("div", { class: "split" }, canvas, side),
    status,
  );
  const chart = options.chart(canvas, pick);

  /** A click in the chart goes one step towards what was clicked. @param {Area} clicked */
  function pick(clicked) {
    const next = towards(state.here, clicked);
    if (next.children.length) zoom(next);
    else if (next !== state.here) select(next);
  }

  /** @param {Area} next @param {boolean} [withFocus] Whether the keyboard stands in the list, and has to be taken along. */
  function zoom(next, withFocus = false) {
    const from = state.here;
    state.here = next;
    state.flat = null;
    chart.show(next, state.measure);
    render();
    facts.replaceChildren();
    say(`Zoomed to ${describe(next)}`);
    if (withFocus) focusOn(towards(next, from) === next ? null : towards(next, from));
  }

  /** @param {Area} chosen */
  function select(chosen) {
    if (chosen.parent && state.here !== chosen.parent && !state.flat) zoom(chosen.parent);
    chart.mark(chosen);
    const rows = options.details(chosen).map(([term, text]) => h("div", {}, h("dt", {}, term), h("dd", {}, named(text))));
    facts.replaceChildren(...rows);
    say(`Selected ${describe(chosen)}`);
  }

  /** @param {Area} one */
  function describe(one) {
    const size = one.sizes[state.measure];
    const inside = one.children.length ? `, ${counted(one.children.length, "item")}` : "";
    return `${cut(one.name)}, ${options.told(size, state.measure)}, ${share(size, state.root.sizes[state.measure])} of all${inside}`;
  }

  /** @param {string} text */
  const say = (text) => (status.textContent = text);

  function render() {
    const rows = state.flat ?? largest(state.here, state.measure);
    crumbs.replaceChildren(...lineage(state.here).map(crumb));
    body.replaceChildren(...rows.slice(0, MOST_ROWS).map(row));
    more.hidden = rows.length <= MOST_ROWS;
    more.textContent = allOf(rows.length, MOST_ROWS);
    more.onclick = () => (body.append(...rows.slice(MOST_ROWS).map(row)), (more.hidden = true));
  }

  /** @param {Area} one */
  function crumb(one) {
    const here = one === state.here;
    const button = h("button", { type: "button", "aria-current": here && "true", onclick: () => zoom(one) }, named(one.name, 60));
    return h("li", {}, button);
  }

  /** @param {Area} one */
  function row(one) {
    const opens = one.children.length > 0;
    const title = state.flat && one.file ? one.file[0] : one.name;
    const button = h(
      "button",
      {
        type: "button",
        "data-area": one.id,
        class: opens ? "opens" : null,
        onclick: (/** @type {MouseEvent} */ event) => (opens ? zoom(one, event.detail === 0) : select(one)),
        onfocus: () => chart.mark(one),
        onmouseenter: () => chart.mark(one),
      },
      named(title),
      opens ? h("span", { class: "unseen" }, ", zoom in") : null,
    );
    const bar = h("span", { class: `bar tone${toneOf(one, state.measure)}`, "aria-hidden": "true" });
    bar.style.width = share(one.sizes[state.measure], state.here.sizes[state.measure]).replace("<", "");
    const cells = options.cells(one, state.measure).map((cell) => h("td", { class: "number" }, cell));
    return h("tr", {}, h("th", { scope: "row" }, button, bar), ...cells);
  }

  /** @param {Area | null} one */
  function focusOn(one) {
    const wanted = one && body.querySelector(`[data-area="${one.id}"]`);
    (wanted ?? body.querySelector("button"))?.focus();
  }

  /** @param {KeyboardEvent} event */
  function onKey(event) {
    const buttons = [...body.querySelectorAll("button")];
    const now = buttons.indexOf(/** @type {any} */ (document.activeElement));
    const up = () => state.here.parent && zoom(state.here.parent, true);
    /** @type {Record<string, () => unknown>} */
    const keys = {
      ArrowDown: () => buttons[Math.min(now + 1, buttons.length - 1)]?.focus(),
      ArrowUp: () => buttons[Math.max(now - 1, 0)]?.focus(),
      Home: () => buttons[0]?.focus(),
      End: () => buttons.at(-1)?.focus(),
      ArrowRight: () => buttons[now]?.matches(".opens") && buttons[now].click(),
      ArrowLeft: up,
      Backspace: up,
    };
    if (now < 0 || !keys[event.key] || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    keys[event.key]();
  }

  body.addEventListener("keydown", onKey);
  return {
    show(root, measure, flat) {
      Object.assign(state, { root, here: root, measure, flat: flat ? flat.sort((a, b) => b.sizes[measure] - a.sizes[measure]) : null });
      chart.show(root, measure);
      facts.replaceChildren();
      render();
    },
    select,
  };
}
