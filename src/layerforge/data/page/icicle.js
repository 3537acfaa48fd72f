// Areas as bars that hang below the area around them, by ECharts' custom series.

const ROW = 22;
const MOST_LEVELS = 40;

/**
 * @param {HTMLElement} place
 * @param {(area: Area) => void} onPick
 * @param {(area: Area) => string[]} lines  What a tooltip says of an area, below its name.
 * @param {(size: number, measure: number) => string} told
 * @returns {Chart}
 */
function icicle(place, onPick, lines, told) {
  const chart = echarts.init(place, null, { renderer: "canvas" });
  const state = { here: area("", null), measure: 0 };
  /** Those that are drawn. @type {Bar[]} */
  let bars = [];

  /** The areas around `here` as bars of full width, and those in it below. What is too narrow to be seen is left out. */
  function layOut() {
    const whole = state.here.sizes[state.measure];
    const smallest = whole / Math.max(1, place.clientWidth);
    const line = lineage(state.here);
    /** @type {Bar[]} */
    const found = line.slice(0, -1).map((one, level) => ({ area: one, level, from: 0, to: whole }));
    /** @param {Area} one @param {number} level @param {number} from */
    const hang = (one, level, from) => {
      const to = from + one.sizes[state.measure];
      found.push({ area: one, level, from, to });
      let next = from;
      for (const child of level < MOST_LEVELS ? largest(one, state.measure) : []) {
        if (child.sizes[state.measure] < smallest) break;
        hang(child, level + 1, next);
        next += child.sizes[state.measure];
      }
    };
    hang(state.here, line.length - 1, 0);
    return found;
  }

  function draw() {
    const whole = state.here.sizes[state.measure];
    const theme = colours();
    bars = layOut();
    const levels = bars.reduce((most, bar) => Math.max(most, 1 + bar.level), 0);
    place.style.height = `${levels * ROW + 30}px`;
    chart.resize();
    chart.setOption(
      {
        animation: false,
        tooltip: tooltip(theme, bars),
        grid: { left: 1, right: 1, top: 0, bottom: 30 },
        xAxis: { min: 0, max: whole || 1, axisLabel: axisLabel(theme), splitLine: { lineStyle: { color: theme.line } } },
        yAxis: { min: 0, max: levels, inverse: true, show: false },
        series: [series(theme, bars)],
      },
      true,
    );
  }

  /** @param {any} theme */
  const axisLabel = (theme) => ({ color: theme.ink, hideOverlap: true, formatter: (/** @type {number} */ size) => told(size, state.measure) });

  // What draws is bound to the bars that it was made for: a chart that is resized draws those again.
  /** @param {any} theme @param {Bar[]} bars */
  const tooltip = (theme, bars) => ({
    confine: true,
    transitionDuration: 0,
    backgroundColor: theme.ground,
    borderColor: theme.line,
    textStyle: { color: theme.ink },
    formatter: (/** @type {any} */ params) => tip(bars[params.dataIndex].area, lines(bars[params.dataIndex].area)),
  });

  /** @param {any} theme @param {Bar[]} bars */
  const series = (theme, bars) => ({
    type: "custom",
    id: "bars",
    data: bars.map((bar) => [bar.level, bar.from, bar.to]),
    encode: { x: [1, 2], y: 0 },
    renderItem: (/** @type {any} */ params, /** @type {any} */ api) => rectangle(theme, bars[params.dataIndex], api),
  });

  /** @param {any} theme @param {Bar} bar @param {any} api */
  function rectangle(theme, bar, api) {
    const [x, y] = api.coord([bar.from, bar.level]);
    const [end] = api.coord([bar.to, bar.level]);
    const width = Math.max(1, end - x - 1);
    return {
      type: "rect",
      shape: { x, y, width, height: ROW - 1, r: 2 },
      style: { fill: theme.tone(bar.area.tone) },
      emphasis: { style: { stroke: theme.mark, lineWidth: 3 } },
      textConfig: { position: "insideLeft" },
      textContent: {
        style: {
          text: width > 30 ? label(bar.area.name) : "",
          fill: bar.area.tone < 0 ? theme.ink : "#fff",
          fontSize: 12,
          width: width - 8,
          overflow: "truncate",
        },
      },
    };
  }

  chart.on("click", (/** @type {any} */ params) => onPick(bars[params.dataIndex].area));
  follow(place, chart, draw);
  return {
    show(here, measure) {
      Object.assign(state, { here, measure });
      draw();
    },
    mark(one) {
      chart.dispatchAction({ type: "downplay", seriesId: "bars" });
      const index = bars.findIndex((bar) => bar.area === one);
      if (index >= 0) chart.dispatchAction({ type: "highlight", seriesId: "bars", dataIndex: index });
    },
  };
}
