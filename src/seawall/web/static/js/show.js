// How values and times are shown. Keeps every "12 s ago" counting by the server's clock.

import { choice, onChoice } from "./choices.js";

const navigation = performance.getEntriesByType("navigation")[0];
let skewMs =
  Number(document.body.dataset.nowMs) - (performance.timeOrigin + (navigation?.responseStart ?? 0));

/** The server's time now, in milliseconds. */
export function serverNow() {
  return Date.now() + skewMs;
}

export function setServerNow(atMs) {
  skewMs = atMs - Date.now();
}

// Values

export function isTemperature(metric) {
  return metric.toLowerCase().startsWith("temp");
}

export function inUnit(celsius) {
  return choice("unit") === "F" ? celsius * 1.8 + 32 : celsius;
}

export function unitOf(metric) {
  if (isTemperature(metric)) return choice("unit") === "F" ? "°F" : "°C";
  const name = metric.toLowerCase();
  if (name.startsWith("hum") || name.startsWith("rh")) return "%";
  if (name.startsWith("pressure")) return "hPa";
  if (name.startsWith("volt") || name.startsWith("battery_v")) return "V";
  return "";
}

export function numberText(metric, value) {
  if (isTemperature(metric)) return inUnit(value).toFixed(1).replace("-", "−");
  return String(Number(value.toPrecision(4))).replace("-", "−");
}

export function valueText(metric, value) {
  const unit = unitOf(metric);
  return unit ? `${numberText(metric, value)} ${unit}` : numberText(metric, value);
}

/** An element that shows a value, and shows it anew when the unit changes. */
export function valueElement(metric, value) {
  const element = document.createElement("span");
  element.className = "value";
  element.dataset.metric = metric;
  element.dataset.value = String(value);
  fillValue(element);
  return element;
}

function fillValue(element) {
  const metric = element.dataset.metric;
  const unit = unitOf(metric);
  const parts = [numberText(metric, Number(element.dataset.value))];
  if (unit) {
    const small = document.createElement("span");
    small.className = "unit";
    small.textContent = ` ${unit}`;
    parts.push(small);
  }
  element.replaceChildren(...parts);
}

// The server writes Celsius; take its elements over.
for (const element of document.querySelectorAll("[data-celsius]")) {
  element.dataset.metric = "temp";
  element.dataset.value = element.dataset.celsius;
}

function fillValues() {
  for (const element of document.querySelectorAll(".value[data-metric]")) fillValue(element);
}

// Times

const two = (number) => String(number).padStart(2, "0");

/** A date as the person wants it: local or UTC. */
export function fields(atMs) {
  const at = new Date(atMs);
  return choice("times") === "utc"
    ? [at.getUTCFullYear(), at.getUTCMonth() + 1, at.getUTCDate(), at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()]
    : [at.getFullYear(), at.getMonth() + 1, at.getDate(), at.getHours(), at.getMinutes(), at.getSeconds()];
}

export function dayText(atMs) {
  const [year, month, day] = fields(atMs);
  return `${year}-${two(month)}-${two(day)}`;
}

export function clockText(atMs) {
  const [, , , hour, minute, second] = fields(atMs);
  return `${two(hour)}:${two(minute)}:${two(second)}`;
}

export function momentText(atMs) {
  const day = dayText(atMs);
  const suffix = choice("times") === "utc" ? " UTC" : "";
  if (day === dayText(serverNow())) return clockText(atMs) + suffix;
  return `${day} ${clockText(atMs)}${suffix}`;
}

export function agoText(atMs) {
  const seconds = Math.floor((serverNow() - atMs) / 1000);
  if (seconds < 1) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} days ago`;
}

export function laterText(delayMs) {
  if (delayMs < 50) return "at once";
  if (delayMs < 60_000) return `${(delayMs / 1000).toFixed(1)} s later`;
  const minutes = Math.floor(delayMs / 60_000);
  return minutes < 120 ? `${minutes} min later` : `${Math.floor(minutes / 60)} h later`;
}

export function countText(count) {
  return String(count).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

export function setAgo(element, atMs) {
  element.dataset.ago = String(atMs);
  element.dateTime = new Date(atMs).toISOString();
  element.title = momentText(atMs);
  setText(element, agoText(atMs));
}

export function momentElement(atMs) {
  const element = document.createElement("time");
  element.dateTime = new Date(atMs).toISOString();
  element.dataset.moment = String(atMs);
  element.textContent = momentText(atMs);
  return element;
}

/** Writes only what changed: screen readers and the layout engine are grateful. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function fillMoments() {
  for (const element of document.querySelectorAll("[data-moment]")) {
    setText(element, momentText(Number(element.dataset.moment)));
  }
  for (const element of document.querySelectorAll("[data-ago]")) {
    if (element.dataset.ago) element.title = momentText(Number(element.dataset.ago));
  }
}

function fillAgo() {
  for (const element of document.querySelectorAll("[data-ago]")) {
    if (element.dataset.ago) setText(element, agoText(Number(element.dataset.ago)));
  }
}

onChoice((name) => {
  if (name === "unit") fillValues();
  if (name === "times") fillMoments();
});
fillValues();
fillMoments();
fillAgo();
setInterval(() => {
  if (!document.hidden) fillAgo();
}, 1000);
document.addEventListener("visibilitychange", fillAgo);

// The menu closes when a person turns to something else.
const menu = document.querySelector("details.menu");
if (menu) {
  document.addEventListener("click", (event) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && menu.open) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
}
