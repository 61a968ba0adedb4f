// The page of one device: its newest value, its chart, its newest readings, what was refused.

import { Chart } from "./chart.js";
import { onChoice } from "./choices.js";
import { follow, getJson } from "./live.js";
import { catchUp, showRefusal } from "./refusals.js";
import {
  clockText,
  countText,
  dayText,
  laterText,
  momentElement,
  serverNow,
  setAgo,
  setText,
  valueElement,
  valueText,
} from "./show.js";
import { readState, showState, stateOf } from "./state.js";

const DEFAULT_RANGE = "15m";
const POINTS = 800;
const SHOWN_READINGS = 12;
const MIN_SPAN_MS = 60_000;
const page = document.getElementById("device");
const id = page.dataset.device;
const device = readState(page.dataset);
const metricChoice = document.getElementById("metric");
const rangeLinks = [...document.querySelectorAll("[data-range]")];
const zoomOut = document.getElementById("zoom-out");
const holder = document.getElementById("chart");
const chart = new Chart(holder, zoomTo, leaveZoom);
let metric = page.dataset.metric;
let view = readView();
let request = null;
let refetchTimer = 0;
let newestMs = 0;

// Range and metric, in the address

function readView() {
  const query = new URLSearchParams(location.search);
  const since = Number(query.get("since"));
  const until = Number(query.get("until"));
  const range = query.get("range");
  const link = rangeLinks.find((candidate) => candidate.dataset.range === range);
  const named = (link ?? rangeLinks.find((candidate) => candidate.dataset.range === DEFAULT_RANGE)).dataset;
  const isZoomed = Number.isSafeInteger(since) && Number.isSafeInteger(until) && since > 0 && until > since;
  return { range: named.range, span: Number(named.span), zoom: isZoomed ? { since, until } : null };
}

function writeView() {
  const query = new URLSearchParams();
  query.set("range", view.range);
  if (metricChoice && metric !== page.dataset.metric) query.set("metric", metric);
  if (view.zoom) {
    query.set("since", String(view.zoom.since));
    query.set("until", String(view.zoom.until));
  }
  history.pushState(null, "", `?${query}`);
}

function showView() {
  for (const link of rangeLinks) {
    if (!view.zoom && link.dataset.range === view.range) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  zoomOut.hidden = !view.zoom;
}

function zoomTo(since, until) {
  if (until - since < 1000) return;
  view = { ...view, zoom: { since, until } };
  writeView();
  load();
}

function leaveZoom() {
  if (!view.zoom) return;
  view = { ...view, zoom: null };
  writeView();
  load();
}

for (const link of rangeLinks) {
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    view = { range: link.dataset.range, span: Number(link.dataset.span), zoom: null };
    writeView();
    load();
  });
}
zoomOut.addEventListener("click", leaveZoom);
metricChoice?.addEventListener("change", () => {
  metric = metricChoice.value;
  writeView();
  load();
});
addEventListener("popstate", () => {
  view = readView();
  load();
});

// The chart

function bounds() {
  if (view.zoom) return [view.zoom.since, view.zoom.until];
  const now = Math.round(serverNow());
  return [now - view.span, now + 1];
}

async function load() {
  showView();
  clearTimeout(refetchTimer);
  request?.abort();
  request = new AbortController();
  const [since, until] = bounds();
  const query = new URLSearchParams({ since: String(since), until: String(until), points: String(POINTS) });
  if (metric) query.set("metric", metric);
  try {
    const answer = await getJson(`/api/v1/devices/${encodeURIComponent(id)}/readings?${query}`, request.signal);
    metric ||= answer.metric ?? "";
    fit(answer);
    chart.show(answer);
    tellAboutChart();
    if (!view.zoom && answer.bucket_ms) refetch(Math.max(10_000, answer.bucket_ms));
  } catch (error) {
    if (error.name !== "AbortError") refetch(5000);
  }
}

// A device whose whole life is in view gets a chart of that life, not an empty one with a stub.
function fit(history) {
  if (view.zoom || history.bucket_ms || !history.t.length) return;
  const stored = Number(document.querySelector('[data-slot="stored"]').textContent.replace(/\D/g, ""));
  if (history.t.length < stored) return;
  const first = Math.min(history.t[0] - 2000, serverNow() - MIN_SPAN_MS);
  history.since_ms = Math.max(history.since_ms, Math.round(first));
}

function moveOn() {
  [chart.history.since_ms, chart.history.until_ms] = bounds();
  fit(chart.history);
  chart.redraw();
  tellAboutChart();
}

function refetch(afterMs) {
  clearTimeout(refetchTimer);
  refetchTimer = setTimeout(load, afterMs);
}

function durationText(ms) {
  if (ms < 120_000) return `${Number((ms / 1000).toPrecision(2))} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  return `${Number((ms / 3_600_000).toPrecision(2))} h`;
}

function tellAboutChart() {
  const { t, count, min, mean, max, bucket_ms: bucketMs } = chart.history;
  const isEmpty = t.length === 0;
  document.getElementById("chart-empty").hidden = !isEmpty;
  holder.hidden = isEmpty;
  if (!isEmpty) chart.resize();
  const total = count.reduce((sum, one) => sum + one, 0);
  const note = bucketMs
    ? `${countText(total)} readings; line: mean of ${durationText(bucketMs)}, band: lowest to highest.`
    : `${countText(total)} ${total === 1 ? "reading" : "readings"}, each one shown.`;
  setText(document.getElementById("chart-note"), isEmpty ? "" : note);
  const low = Math.min(...min);
  const high = Math.max(...max);
  const sum = mean.reduce((all, one, place) => all + one * count[place], 0);
  const extremes = { min: low, mean: sum / total, max: high };
  for (const [name, value] of Object.entries(extremes)) {
    const place = document.querySelector(`[data-extreme="${name}"]`);
    if (isEmpty) place.textContent = "–";
    else place.replaceChildren(valueElement(metric, value));
  }
  holder.setAttribute("aria-label", isEmpty ? "Chart without readings" : describe(low, high));
}

function describe(low, high) {
  const [since, until] = bounds();
  return (
    `Chart of ${metric} from ${dayText(since)} ${clockText(since)} to ${dayText(until)} ${clockText(until)}: ` +
    `lowest ${valueText(metric, low)}, highest ${valueText(metric, high)}`
  );
}

// Once a second at most, and not for less than a pixel: the window moves on.
let movedMs = 0;
setInterval(() => {
  const state = stateOf(device);
  device.state = state;
  showState(document.querySelector(".now .state"), state);
  if (document.hidden || view.zoom || !chart.plot || holder.hidden) return;
  const nowMs = serverNow();
  if (nowMs - movedMs < Math.min(30_000, view.span / 1000)) return;
  movedMs = nowMs;
  moveOn();
}, 1000);

onChoice((name) => {
  chart.rebuild();
  if (chart.history && name !== "look") tellAboutChart();
});

// What comes in

function onReading(reading) {
  device.heard_ms = Math.max(device.heard_ms, reading.received_ms);
  metric ||= Object.keys(reading.metrics)[0] ?? "";
  showSeen();
  const stored = document.querySelector('[data-slot="stored"]');
  setText(stored, countText(Number(stored.textContent.replace(/\D/g, "")) + 1));
  const value = reading.metrics[metric];
  if (value === undefined) return;
  addRow(reading, value);
  if (reading.ts_ms < newestMs) {
    refetch(2000); // a late one: its place is in the middle
    return;
  }
  newestMs = reading.ts_ms;
  document.getElementById("newest").replaceChildren(valueElement(metric, value));
  extend(reading.ts_ms, value);
}

function extend(atMs, value) {
  const shown = chart.history;
  if (!shown || view.zoom || shown.bucket_ms) return;
  if (shown.t.length && atMs <= shown.t[shown.t.length - 1]) return;
  if (!shown.t.length || shown.t.length > 2 * POINTS) {
    refetch(300);
    return;
  }
  chart.append(atMs, value);
  while (shown.t[0] < serverNow() - view.span) {
    for (const column of new Set([shown.t, shown.count, shown.min, shown.mean, shown.max])) column.shift();
  }
  moveOn();
}

function addRow(reading, value) {
  const rows = document.getElementById("readings");
  document.getElementById("readings-empty").hidden = true;
  const row = document.createElement("tr");
  const cells = ["", "number", "number quiet"].map((name) => {
    const cell = document.createElement("td");
    cell.className = name;
    row.append(cell);
    return cell;
  });
  cells[0].append(momentElement(reading.ts_ms));
  cells[1].append(valueElement(metric, value));
  cells[2].textContent = laterText(reading.received_ms - reading.ts_ms);
  rows.prepend(row);
  while (rows.rows.length > SHOWN_READINGS) rows.lastElementChild.remove();
}

function showSeen() {
  const place = document.querySelector('.now [data-slot="seen"]');
  let time = place.querySelector("time");
  if (!time) {
    time = document.createElement("time");
    place.replaceChildren(time);
  }
  setAgo(time, device.heard_ms);
}

async function resync() {
  const now = await getJson(`/api/v1/devices/${encodeURIComponent(id)}`);
  device.state = now.state;
  device.online = now.state === "online" || now.state === "silent" ? true : now.state === "offline" ? false : null;
  device.since_ms = now.state === "online" ? (now.state_since_ms ?? 0) : 0;
  setText(document.querySelector('[data-slot="stored"]'), countText(now.readings));
  if (now.newest) {
    device.heard_ms = now.newest.received_ms;
    newestMs = now.newest.ts_ms;
    metric ||= now.primary_metric ?? "";
    if (metric in now.newest.metrics) {
      document.getElementById("newest").replaceChildren(valueElement(metric, now.newest.metrics[metric]));
    }
    showSeen();
  }
  await Promise.all([load(), catchUp()]);
}

if (metricChoice) {
  const asked = new URLSearchParams(location.search).get("metric");
  if ([...metricChoice.options].some((option) => option.value === asked)) {
    metric = asked;
    metricChoice.value = asked;
  } else {
    metricChoice.value = metric;
  }
}
showView();
follow(
  `/api/v1/live?device=${encodeURIComponent(id)}`,
  {
    reading: onReading,
    refusal: showRefusal,
    presence: (presence) => {
      device.online = presence.online;
      device.since_ms = presence.since_ms;
    },
  },
  () => resync().catch(() => {}),
);
