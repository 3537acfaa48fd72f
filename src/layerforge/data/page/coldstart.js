// What was measured of cold starts: a plot and a table of the runs, and the tree of imports.

/** @type {[keyof Runs, string, (value: number) => string][]} */
const FIGURES = [
  ["init_ms", "init, ms", (value) => exact(value)],
  ["first_invoke_ms", "first invoke, ms", (value) => exact(value, value < 1 ? 3 : 1)],
  ["second_invoke_ms", "second invoke, ms", (value) => exact(value, value < 1 ? 3 : 1)],
  ["peak_memory", "peak memory, MB", (value) => exact(value / 1e6, 1)],
];

/** @param {Page} page */
function showColdStart(page) {
  const { imports, runs, start } = page.coldstart ?? { imports: [], runs: [], start: null };
  if (runs.length) showRuns(runs);
  else at("runs").remove();
  if (start) showStart(start);
  else at("start-part").remove();
  if (imports.length) showImports(imports);
  else at("imports-part").remove();
  if (!runs.length && !imports.length) at("coldstart-part").remove();
}

/** @param {Runs[]} runs */
function showRuns(runs) {
  const dollars = (/** @type {Runs} */ one) => (one.dollars_per_million === null ? "–" : exact(one.dollars_per_million, 2));
  const rows = runs.map((one) => [
    named(one.layer),
    `${exact(one.memory_mb)} MB`,
    exact(one.init_ms.length),
    ...FIGURES.map(([name, , told]) => spread(/** @type {number[]} */ (one[name]), told)),
    dollars(one),
  ]);
  const headers = ["layer", "#memory", "#runs", ...FIGURES.map(([, title]) => `#${title}`), "#dollars per million"];
  const place = h("div", { class: "chart small", role: "img", "aria-label": "Init phase by memory: the same numbers as in the table" });
  at("runs").append(place, table("Cold starts, median (least to most)", headers, rows));
  boxes(place, runs);
}

/** `812 (790 to 1,020)`. @param {number[]} values @param {(value: number) => string} told */
function spread(values, told) {
  if (!values.length) return "–";
  return `${told(quantile(values, 0.5))} (${told(quantile(values, 0))} to ${told(quantile(values, 1))})`;
}

/** @param {number[]} values @param {number} part */
function quantile(values, part) {
  const sorted = [...values].sort((one, other) => one - other);
  const at = (sorted.length - 1) * part;
  const low = Math.floor(at);
  return sorted[low] + (at - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
}

/** The init phase of each layer at each size: least, quarter, median, three quarters, most. @param {HTMLElement} place @param {Runs[]} runs */
function boxes(place, runs) {
  const chart = echarts.init(place, null, { renderer: "canvas" });
  const sizes = [...new Set(runs.map((one) => one.memory_mb))].sort((one, other) => one - other);
  const layers = [...new Set(runs.map((one) => one.layer))];
  /** @param {string} layer @param {number} size */
  const box = (layer, size) => {
    const found = runs.find((one) => one.layer === layer && one.memory_mb === size);
    return found ? [0, 0.25, 0.5, 0.75, 1].map((part) => quantile(found.init_ms, part)) : [];
  };
  const draw = () => {
    const theme = colours();
    const text = { color: theme.ink };
    const series = layers.map((layer, tone) => ({
      type: "boxplot",
      name: label(layer),
      data: sizes.map((size) => box(layer, size)),
      itemStyle: { color: theme.ground, borderColor: theme.tone(tone), borderWidth: 2 },
    }));
    chart.setOption({
      animation: false,
      legend: { textStyle: text, top: 0 },
      grid: { left: 70, right: 10, top: 40, bottom: 30 },
      xAxis: { type: "category", data: sizes.map((size) => `${exact(size)} MB`), axisLabel: text },
      yAxis: { type: "value", name: "init, ms", min: 0, nameTextStyle: text, axisLabel: text, splitLine: { lineStyle: { color: theme.line } } },
      series,
    });
  };
  follow(place, chart, draw);
  draw();
}

/** @param {Import[]} imports */
function showImports(imports) {
  const told = (/** @type {number} */ size, /** @type {number} */ measure) => (measure ? bytes(size) : milliseconds(size));
  /** @param {Area} one @returns {string[]} */
  const lines = (one) => [`${told(one.sizes[0], 0)}, ${told(one.sizes[1], 1)} with all that it imports`];
  const root = importTree(imports);
  const view = explorer(at("imports"), {
    chart: (place, onPick) => icicle(place, onPick, lines, told),
    label: "Import times",
    headers: ["module", "time with its imports", "alone", "bytes with its imports"],
    cells: (one) => [told(one.sizes[0], 0), told(one.module?.self_us ?? 0, 0), bytes(one.sizes[1])],
    told,
    details: (one) => [["module", one.name], ["alone", told(one.module?.self_us ?? 0, 0)], ["its own bytes", exact(one.module?.bytes ?? 0)]],
  });
  const form = /** @type {any} */ (document.forms.namedItem("cold"));
  const show = () => view.show(root, form.elements.width.value === "bytes" ? 1 : 0);
  form.addEventListener("change", show);
  at("coldstart-sum").textContent = `${counted(root.count, "module")} in ${milliseconds(root.sizes[0])}`;
  show();
}
