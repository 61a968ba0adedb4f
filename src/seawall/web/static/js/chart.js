// The chart of one series: mean as a line, lowest and highest as a band, gaps as gaps.

import uPlot from "../vendor/uPlot.esm.js";
import { choice } from "./choices.js";
import { clockText, dayText, inUnit, isTemperature, unitOf, valueText } from "./show.js";

const AXIS_FONT = '12px -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", Arial, sans-serif';

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function faint(hex, alpha) {
  return hex + Math.round(alpha * 255).toString(16).padStart(2, "0");
}

/** Columns for the chart, with a hole where nothing came for longer than `gapMs`. */
export function withGaps(history, gapMs, convert) {
  const x = [];
  const mean = [];
  const low = [];
  const high = [];
  const count = history.t.length;
  for (let place = 0; place < count; place += 1) {
    const at = history.t[place];
    if (place > 0 && at - history.t[place - 1] > gapMs) {
      x.push((history.t[place - 1] + 1) / 1000);
      mean.push(null);
      low.push(null);
      high.push(null);
    }
    x.push(at / 1000);
    mean.push(convert(history.mean[place]));
    low.push(convert(history.min[place]));
    high.push(convert(history.max[place]));
  }
  return [x, mean, low, high];
}

export class Chart {
  /**
   * @param {HTMLElement} holder
   * @param {function(number, number)} onZoom called with the dragged range, milliseconds
   * @param {function()} onLeave called when the person leaves the zoom
   */
  constructor(holder, onZoom, onLeave) {
    this.holder = holder;
    this.onZoom = onZoom;
    this.onLeave = onLeave;
    this.history = null;
    this.plot = null;
    this.tip = document.createElement("div");
    this.tip.className = "tip";
    this.tip.hidden = true;
    new ResizeObserver(() => this.resize()).observe(holder);
  }

  /** Shows a history as the API gives it. */
  show(history) {
    const isNew =
      !this.history ||
      this.history.metric !== history.metric ||
      this.history.bucket_ms > 0 !== history.bucket_ms > 0;
    this.history = history;
    if (isNew || !this.plot) this.rebuild();
    else this.redraw();
  }

  /** Adds a reading at the end. */
  append(atMs, value) {
    const { t, count, min, mean, max } = this.history;
    t.push(atMs);
    count.push(1);
    for (const column of new Set([min, mean, max])) column.push(value);
  }

  /** Shows the range that is set in the history. */
  redraw() {
    this.plot.setData(this.data(), false);
    this.plot.setScale("x", this.range());
  }

  range() {
    return { min: this.history.since_ms / 1000, max: this.history.until_ms / 1000 };
  }

  data() {
    const { interval_ms: intervalMs, bucket_ms: bucketMs, metric } = this.history;
    const gapMs = Math.max(3 * intervalMs, 2.5 * bucketMs, 5000);
    const convert = metric && isTemperature(metric) ? inUnit : (value) => value;
    return withGaps(this.history, gapMs, convert);
  }

  resize() {
    if (this.plot) this.plot.setSize(this.size());
  }

  size() {
    return { width: this.holder.clientWidth - 12, height: this.holder.clientHeight };
  }

  /** Makes the plot anew: after a change of unit, time zone, colours or metric. */
  rebuild() {
    if (!this.history) return;
    this.plot?.destroy();
    this.plot = new uPlot(this.options(), this.data(), this.holder);
    this.plot.setScale("x", this.range());
    this.plot.over.append(this.tip);
    this.plot.over.addEventListener("dblclick", this.onLeave);
    this.tip.hidden = true;
  }

  options() {
    const accent = colour("--accent");
    const isBand = this.history.bucket_ms > 0;
    const edge = { stroke: isBand ? faint(accent, 0.25) : "transparent", width: isBand ? 1 : 0, points: { show: false } };
    return {
      ...this.size(),
      ms: 1e-3,
      tzDate: (seconds) => (choice("times") === "utc" ? uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC") : new Date(seconds * 1000)),
      legend: { show: false },
      cursor: {
        drag: { x: true, y: false, setScale: false, dist: 6 },
        points: { size: 8, width: 2, fill: colour("--surface"), stroke: accent },
        y: false,
        bind: { dblclick: () => null },
      },
      scales: { x: { time: true, auto: false, range: (_plot, min, max) => [min, max] }, y: { range: (_plot, min, max) => this.yRange(min, max) } },
      series: [
        {},
        { stroke: accent, width: 2, spanGaps: false, points: { size: 5, fill: accent } },
        { ...edge },
        { ...edge },
      ],
      bands: [{ series: [3, 2], fill: faint(accent, 0.16) }],
      axes: [this.axis({ space: 84, values: undefined }), this.axis({ size: 58, values: (_plot, ticks) => this.yLabels(ticks) })],
      hooks: {
        setSelect: [(plot) => this.selected(plot)],
        setCursor: [(plot) => this.pointed(plot)],
      },
    };
  }

  axis(own) {
    const line = colour("--line");
    const options = { stroke: colour("--quiet"), font: AXIS_FONT, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1, size: 4 }, ...own };
    if (options.values === undefined) {
      delete options.values;
      options.grid = { show: false };
      options.values = TIME_LABELS;
    }
    return options;
  }

  yRange(min, max) {
    if (min === null || max === null) return [0, 1];
    const room = Math.max((max - min) * 0.12, 0.5);
    return [min - room, max + room];
  }

  yLabels(ticks) {
    const step = ticks.length > 1 ? Math.abs(ticks[1] - ticks[0]) : 1;
    const digits = Math.max(0, Math.min(6, Math.ceil(-Math.log10(step) - 1e-9)));
    const unit = this.history.metric ? unitOf(this.history.metric) : "";
    const sign = unit.startsWith("°") ? "°" : unit && ` ${unit}`;
    return ticks.map((tick) => tick.toFixed(digits).replace("-", "−") + sign);
  }

  selected(plot) {
    const { left, width } = plot.select;
    if (width < 6) return;
    const since = plot.posToVal(left, "x") * 1000;
    const until = plot.posToVal(left + width, "x") * 1000;
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.onZoom(Math.round(since), Math.round(until));
  }

  pointed(plot) {
    const { idx, left } = plot.cursor;
    const mean = idx === null || idx === undefined ? null : plot.data[1][idx];
    this.tip.hidden = mean === null || left < 0;
    if (this.tip.hidden) return;
    const atMs = Math.round(plot.data[0][idx] * 1000);
    const place = this.history.t.indexOf(atMs);
    if (place < 0) return;
    const { metric, count, min, max, mean: means } = this.history;
    const lines = [`${dayText(atMs)} ${clockText(atMs)}`];
    if (count[place] > 1) lines.push(`${valueText(metric, min[place])} to ${valueText(metric, max[place])}, ${count[place]} readings`);
    const value = document.createElement("strong");
    value.textContent = valueText(metric, means[place]);
    this.tip.replaceChildren(value, ...lines.map((line) => {
      const element = document.createElement("span");
      element.textContent = line;
      return element;
    }));
    const x = plot.valToPos(plot.data[0][idx], "x");
    const y = plot.valToPos(mean, "y");
    const isRight = x > plot.over.clientWidth / 2;
    this.tip.style.left = isRight ? "auto" : `${x + 14}px`;
    this.tip.style.right = isRight ? `${plot.over.clientWidth - x + 14}px` : "auto";
    this.tip.style.top = `${Math.max(0, Math.min(y - 24, plot.over.clientHeight - 64))}px`;
  }
}

// uPlot's own way of labels: 24 hours, ISO dates, the larger unit where it changes.
const DAY = "\n{YYYY}-{MM}-{DD}";
const TIME_LABELS = [
  [3600 * 24 * 365, "{YYYY}", null, null, null, null, null, null, 1],
  [3600 * 24 * 28, "{YYYY}-{MM}", null, null, null, null, null, null, 1],
  [3600 * 24, "{MM}-{DD}", "\n{YYYY}", null, null, null, null, null, 1],
  [3600, "{HH}:{mm}", DAY, null, DAY, null, null, null, 1],
  [60, "{HH}:{mm}", DAY, null, DAY, null, null, null, 1],
  [1, "{HH}:{mm}:{ss}", DAY, null, DAY, null, null, null, 1],
  [0.001, "{HH}:{mm}:{ss}.{fff}", DAY, null, DAY, null, null, null, 1],
];
