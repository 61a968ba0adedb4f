// The fleet page: rows that live, search, keys, and what was refused.

import { follow, getJson } from "./live.js";
import { addToPulse, drawPulse, letPass } from "./pulse.js";
import { catchUp, showRefusal } from "./refusals.js";
import { countText, serverNow, setAgo, setText, valueElement } from "./show.js";
import { readState, showState, stateOf } from "./state.js";

const ALARM_MS = 600_000;
const RANKS = { offline: 1, silent: 2, waiting: 3, online: 4, disabled: 5, revoked: 6 };
const table = document.getElementById("devices");
const body = table.tBodies[0];
const search = document.getElementById("search");
const summary = document.getElementById("summary");
const badge = document.getElementById("badge-template");
const rows = new Map();

for (const row of body.rows) {
  const data = row.dataset;
  rows.set(data.device, {
    row,
    id: data.device,
    metric: data.metric,
    refusals: Number(data.refusals),
    refusedMs: Number(data.refusedAt),
    pulse: null,
    isDirty: false,
    isVisible: false,
    text: row.cells[0].textContent.toLowerCase(),
    ...readState(data),
  });
}

const slot = (device, name) => device.row.querySelector(`[data-slot="${name}"]`);

function showSeen(device) {
  const cell = slot(device, "seen");
  let time = cell.querySelector("time");
  if (!time) {
    time = document.createElement("time");
    cell.querySelector(".quiet")?.replaceWith(time);
  }
  setAgo(time, device.heard_ms);
}

function showRefusals(device) {
  const cell = slot(device, "refused");
  let mark = cell.querySelector(".badge");
  if (!mark) {
    mark = badge.content.cloneNode(true).firstElementChild;
    mark.querySelector("[data-slot]").removeAttribute("data-slot");
    cell.replaceChildren(mark);
  }
  setText(mark.querySelector("span"), countText(device.refusals));
}

function showValue(device, metrics) {
  if (!(device.metric in metrics)) return;
  const cell = slot(device, "value");
  const old = cell.querySelector(".value");
  const value = metrics[device.metric];
  if (old && Number(old.dataset.value) === value) return;
  cell.replaceChildren(valueElement(device.metric, value));
  cell.classList.remove("is-fresh");
  void cell.offsetWidth;
  cell.classList.add("is-fresh");
}

function primaryOf(metrics) {
  const names = Object.keys(metrics).sort();
  return (
    names.find((name) => name === "temp") ??
    names.find((name) => name.toLowerCase().startsWith("temp")) ??
    names.find((name) => !name.startsWith("raw")) ??
    names[0] ??
    ""
  );
}

// What comes in

function onReading(reading) {
  const device = rows.get(reading.device_id);
  if (!device) return askForReload();
  device.heard_ms = Math.max(device.heard_ms, reading.received_ms);
  device.metric ||= primaryOf(reading.metrics);
  showValue(device, reading.metrics);
  showSeen(device);
  update(device);
  const value = reading.metrics[device.metric];
  if (device.pulse && value !== undefined && addToPulse(device.pulse, reading.ts_ms, value)) {
    device.isDirty = true;
  }
}

function onPresence(presence) {
  const device = rows.get(presence.device_id);
  if (!device) return;
  device.online = presence.online;
  device.since_ms = presence.since_ms;
  update(device);
}

function onRefusal(refusal) {
  if (showRefusal(refusal)) noteRefusal(refusal);
}

function noteRefusal(refusal) {
  strike(summary.querySelector(".strip-refused"), 900);
  const device = rows.get(refusal.device_id);
  if (!device) return;
  device.refusals += 1;
  device.refusedMs = refusal.at_ms;
  showRefusals(device);
  strike(device.row, 2500);
}

function strike(element, ms) {
  element.classList.add("is-struck");
  clearTimeout(element.calmTimer);
  element.calmTimer = setTimeout(() => element.classList.remove("is-struck"), ms);
}

function onSummary(figures) {
  for (const element of summary.querySelectorAll("[data-figure]")) {
    const value = figures[element.dataset.figure];
    if (value === null || value === undefined) continue;
    const isRate = element.dataset.figure === "readings_per_s";
    setText(element, isRate && value < 100 ? value.toFixed(1) : countText(Math.round(value)));
  }
  summary.querySelector(".strip-refused").classList.toggle("has-some", figures.refused > 0);
  const active = [...rows.values()].filter((device) => RANKS[device.state] < 5).length;
  if (figures.devices > active) askForReload();
}

function update(device) {
  device.state = stateOf(device);
  showState(device.row.querySelector(".state"), device.state);
}

async function resync() {
  const answer = await getJson("/api/v1/devices");
  for (const view of answer.devices) {
    const device = rows.get(view.device_id);
    if (!device) return askForReload();
    device.state = view.state;
    device.online = view.state === "online" || view.state === "silent" ? true : view.state === "offline" ? false : null;
    device.since_ms = view.state === "online" ? (view.state_since_ms ?? 0) : 0;
    device.interval_ms = view.interval_ms;
    device.refusals = view.refusals;
    device.refusedMs = view.last_refusal_ms ?? 0;
    if (view.newest) {
      device.heard_ms = view.newest.received_ms;
      device.metric ||= view.primary_metric ?? "";
      showValue(device, view.newest.metrics);
      showSeen(device);
    }
    if (device.refusals) showRefusals(device);
    showState(device.row.querySelector(".state"), device.state);
  }
  await catchUp(() => strike(summary.querySelector(".strip-refused"), 900));
  for (const device of rows.values()) if (device.isVisible) wanted.add(device);
  fetchPulses();
}

// A device that was not there when the page was made: made anew, but not under a person's hands.
let reloadAsked = false;
function askForReload() {
  reloadAsked = true;
}

function isBusy() {
  return search.value !== "" || body.matches(":hover") || body.contains(document.activeElement);
}

// Pictures of rows that are in view

const wanted = new Set();
let fetching = 0;

function fetchPulses() {
  clearTimeout(fetching);
  // Without an answer the next resync asks again.
  fetching = setTimeout(() => fetchSomePulses().catch(() => {}), 60);
}

async function fetchSomePulses() {
  const devices = [...wanted].slice(0, 50);
  if (!devices.length) return;
  for (const device of devices) wanted.delete(device);
  const query = devices.map((device) => `device=${encodeURIComponent(device.id)}`).join("&");
  for (const pulse of await getJson(`/api/v1/sparklines?${query}`)) {
    const device = rows.get(pulse.device_id);
    device.pulse = pulse;
    drawPulse(slot(device, "pulse"), pulse);
  }
  if (wanted.size) fetchPulses();
}

const observer = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const device = rows.get(entry.target.dataset.device);
    device.isVisible = entry.isIntersecting;
    if (device.isVisible && !device.pulse) wanted.add(device);
  }
  fetchPulses();
}, { rootMargin: "600px" });
for (const device of rows.values()) observer.observe(device.row);

// Every second: states age, pulses move on, worst come first

function rankOf(device, nowMs) {
  return device.refusedMs && nowMs - device.refusedMs < ALARM_MS ? 0 : RANKS[device.state];
}

function sortRows() {
  if (isBusy()) return;
  const nowMs = serverNow();
  const sorted = [...rows.values()].sort(
    (left, right) => rankOf(left, nowMs) - rankOf(right, nowMs) || (left.id < right.id ? -1 : 1),
  );
  if (sorted.every((device, place) => body.rows[place] === device.row)) return;
  body.append(...sorted.map((device) => device.row));
}

let beats = 0;
setInterval(() => {
  if (document.hidden) return;
  beats += 1;
  const nowMs = serverNow();
  for (const device of rows.values()) {
    update(device);
    if (!device.pulse || !device.isVisible) continue;
    if (nowMs >= device.pulse.until_ms) {
      letPass(device.pulse, nowMs);
      device.isDirty = true;
    }
    if (device.isDirty) drawPulse(slot(device, "pulse"), device.pulse);
    device.isDirty = false;
  }
  if (beats % 2 === 0) sortRows();
  if (reloadAsked && beats > 3 && !isBusy()) location.reload();
}, 1000);

// Search and keys

function matchRows() {
  const text = search.value.trim().toLowerCase();
  let shown = 0;
  for (const device of rows.values()) {
    const state = device.row.querySelector(".state-word").textContent.toLowerCase();
    device.row.hidden = !(device.text.includes(text) || state.includes(text));
    if (!device.row.hidden) shown += 1;
  }
  document.getElementById("no-match").hidden = shown > 0 || rows.size === 0;
}

search.addEventListener("input", matchRows);
search.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    search.value = "";
    matchRows();
    search.blur();
  }
  if (event.key === "Enter" || event.key === "ArrowDown") {
    event.preventDefault();
    move(1);
  }
});

function move(step) {
  const links = [...body.rows].filter((row) => !row.hidden).map((row) => row.querySelector("a"));
  if (!links.length) return;
  const place = links.indexOf(document.activeElement);
  const next = place < 0 ? (step > 0 ? 0 : links.length - 1) : place + step;
  links[Math.max(0, Math.min(links.length - 1, next))].focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea")) return;
  if (event.key === "/") {
    event.preventDefault();
    search.focus();
    search.select();
  }
  if (event.key === "j") move(1);
  if (event.key === "k") move(-1);
  if (event.key === "Escape" && body.contains(document.activeElement)) document.activeElement.blur();
});

matchRows();
summary.querySelector(".strip-refused").classList.toggle(
  "has-some",
  summary.querySelector('[data-figure="refused"]').textContent !== "0",
);
follow(
  "/api/v1/live",
  { reading: onReading, presence: onPresence, refusal: onRefusal, summary: onSummary },
  () => resync().catch(() => {}),
);
