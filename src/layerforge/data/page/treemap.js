// Areas as rectangles in rectangles, by ECharts.

/** Areas that are drawn at once. More could not be told apart, and would make zooming slow. */
const MOST_DRAWN = 200;
/** Parts of the whole from which on an area is drawn, and a folder is opened. */
const SMALLEST = { drawn: 1 / 1500, opened: 1 / 250 };

const TONES = 6;
/** Pixels that a letter takes, and letters of a name that are enough to know it by. */
const LETTER = 7;
const ENOUGH = 5;

/** Colours of the theme that the page has right now. */
function colours() {
  const style = getComputedStyle(document.documentElement);
  /** @param {string} name */
  const value = (name) => style.getPropertyValue(name).trim();
  const tones = [...Array(TONES).keys()].map((tone) => value(`--tone${tone}`));
  const folder = value("--folder");
  return {
    tone: (/** @type {number} */ tone) => tones[tone] ?? folder,
    ink: value("--ink"),
    line: value("--line"),
    mark: value("--mark"),
    onMark: value("--on-mark"),
    ground: value("--ground"),
  };
}

/** Whether zooming may be animated. Paper shows what there is when it is printed. */
const moves = () => !matchMedia("print, (prefers-reduced-motion: reduce)").matches;

/** Redraws when the colours change, on paper too, and when the size of a place does. @param {HTMLElement} place @param {any} chart @param {() => void} redraw */
function follow(place, chart, redraw) {
  for (const media of ["(prefers-color-scheme: dark)", "print"]) matchMedia(media).addEventListener("change", redraw);
  new ResizeObserver(() => chart.resize()).observe(place);
}

/**
 * A short text for ECharts. It keeps the widths of texts in a plain object, where `__proto__` would be found in every
 * object of the page; nothing that begins with a space is.
 * @param {string} text
 */
const label = (text) => ` ${cut(text, 60)}`;

/** What a tooltip says. It is an element, so that no name is ever read as markup. @param {Area} one @param {string[]} lines */
function tip(one, lines) {
  const title = one.file ? one.file[0] : one.name;
  return h("div", { class: "tip" }, h("strong", {}, cut(title)), ...lines.map((line) => h("div", {}, line)));
}

/**
 * @param {HTMLElement} place
 * @param {(area: Area) => void} onPick
 * @param {(area: Area) => string[]} lines  What a tooltip says of an area, below its name.
 * @returns {Chart}
 */
function treemap(place, onPick, lines) {
  const chart = echarts.init(place, null, { renderer: "canvas" });
  const state = { here: area("", null), measure: 0 };
  /** In the order in which ECharts numbers them. @type {Area[]} */
  let drawn = [];

  /** @param {Area} one @param {Map<Area, Area[]>} open @param {any} theme @returns {object} */
  function item(one, open, theme) {
    drawn.push(one);
    const inside = open.get(one) ?? [];
    const children = inside.length ? [...inside, ...remainder(one, inside)] : [];
    return {
      id: one.id,
      name: label(one.name),
      value: one.sizes[state.measure],
      // What is not opened shows what it has most of.
      itemStyle: { color: theme.tone(children.length ? -1 : toneOf(one, state.measure)) },
      label: { show: readable(one) },
      children: children.map((child) => item(child, open, theme)),
    };
  }

  /** Whether an area has room for the beginning of its name, which a letter and an ellipsis are not. @param {Area} one */
  function readable(one) {
    const pixels = (place.clientWidth * place.clientHeight * one.sizes[state.measure]) / state.here.sizes[state.measure];
    return Math.sqrt(pixels) >= 12 + LETTER * Math.min(cut(one.name, 60).length, ENOUGH);
  }

  function draw() {
    drawn = [area("", null)]; // ECharts puts a root of its own around ours
    const theme = colours();
    const open = opened(state.here, state.measure, MOST_DRAWN, SMALLEST);
    chart.setOption({ tooltip: tooltip(theme), series: [series(theme, [item(state.here, open, theme)])] });
  }

  /** @param {any} theme */
  const tooltip = (theme) => ({
    confine: true,
    transitionDuration: 0,
    backgroundColor: theme.ground,
    borderColor: theme.line,
    textStyle: { color: theme.ink },
    formatter: (/** @type {any} */ params) => {
      const found = drawn[params.dataIndex];
      return found ? tip(found, lines(found)) : "";
    },
  });

  /** @param {any} theme @param {object[]} data */
  const series = (theme, data) => ({
    type: "treemap",
    id: "map",
    data,
    roam: false,
    nodeClick: false,
    breadcrumb: { show: false },
    left: 0,
    top: 0,
    right: 0,
    bottom: 0,
    squareRatio: 1,
    animation: moves(), // a duration of 0 would leave every area as small as it starts
    animationDurationUpdate: 350,
    label: { color: "#fff", fontSize: 12, overflow: "truncate", textShadowBlur: 2, textShadowColor: "#0008", padding: 3 },
    upperLabel: { show: true, height: 19, color: theme.ink, fontSize: 12, overflow: "truncate" },
    itemStyle: { color: theme.tone(-1), borderColor: theme.tone(-1), borderWidth: 1, gapWidth: 1 },
    levels: [{ upperLabel: { show: false }, itemStyle: { borderWidth: 0, gapWidth: 0 } }],
    emphasis: { itemStyle: { borderColor: theme.mark }, upperLabel: { color: theme.onMark } },
  });

  chart.on("click", (/** @type {any} */ params) => {
    const found = drawn[params.dataIndex];
    if (found) onPick(found);
  });
  follow(place, chart, draw);
  return {
    show(here, measure) {
      Object.assign(state, { here, measure });
      draw();
    },
    mark(one) {
      chart.dispatchAction({ type: "downplay", seriesId: "map" });
      const index = one ? drawn.indexOf(one) : -1;
      if (index > 0) chart.dispatchAction({ type: "highlight", seriesId: "map", dataIndex: index });
    },
  };
}
