// The state of a device, by the same rule as the server's (fleet.py), as time passes.

import { serverNow } from "./show.js";

const words = JSON.parse(document.getElementById("state-words").textContent);
const LASTING = new Set(["disabled", "revoked"]);

/**
 * @param {{state: string, online: boolean|null, since_ms: number, heard_ms: number, interval_ms: number}} device
 *   with `online` null until its presence is known
 */
export function stateOf(device) {
  if (LASTING.has(device.state)) return device.state;
  if (device.online === false) return "offline";
  const heardMs = Math.max(device.heard_ms, device.online ? device.since_ms : 0);
  if (!heardMs) return device.state;
  const isLate = serverNow() - heardMs > Math.max(3 * device.interval_ms, 15_000);
  if (device.online) return isLate ? "silent" : "online";
  return isLate ? "offline" : "online";
}

/** What the server wrote into an element's data attributes. */
export function readState(data) {
  const state = data.state;
  return {
    state,
    online: state === "online" || state === "silent" ? true : state === "offline" ? false : null,
    since_ms: state === "online" ? Number(data.since) : 0,
    heard_ms: Number(data.heard),
    interval_ms: Number(data.interval),
  };
}

export function showState(mark, state) {
  if (mark.dataset.state === state) return;
  mark.dataset.state = state;
  mark.querySelector("use").setAttribute("href", `#state-${state}`);
  const word = mark.querySelector(".state-word");
  [word.textContent, word.title] = words[state];
}
