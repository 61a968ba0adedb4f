// The small picture in a row: the line of the values, and below it a beat for each slot heard from.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 152;
const LINE_TOP = 3;
const LINE_HEIGHT = 20;
const BASE = 36;

function make(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/** Takes a reading into the data of a pulse; tells whether it fits. */
export function addToPulse(pulse, tsMs, value) {
  const slots = pulse.counts.length;
  while (tsMs >= pulse.until_ms && tsMs < pulse.until_ms + slots * pulse.slot_ms) advance(pulse);
  const slot = slots - 1 - Math.floor((pulse.until_ms - 1 - tsMs) / pulse.slot_ms);
  if (slot < 0 || slot >= slots) return false;
  const count = pulse.counts[slot];
  pulse.means[slot] = ((pulse.means[slot] ?? 0) * count + value) / (count + 1);
  pulse.counts[slot] = count + 1;
  return true;
}

function advance(pulse) {
  pulse.until_ms += pulse.slot_ms;
  pulse.counts.shift();
  pulse.counts.push(0);
  pulse.means.shift();
  pulse.means.push(null);
}

/** Lets time pass: slots without a reading come in from the right. */
export function letPass(pulse, nowMs) {
  const behind = Math.floor((nowMs - pulse.until_ms) / pulse.slot_ms) + 1;
  if (behind > pulse.counts.length) {
    pulse.counts.fill(0);
    pulse.means.fill(null);
    pulse.until_ms += behind * pulse.slot_ms;
    return;
  }
  for (let step = 0; step < behind; step += 1) advance(pulse);
}

function linePath(means, step) {
  const known = means.filter((mean) => mean !== null);
  const low = Math.min(...known);
  const high = Math.max(...known);
  const span = Math.max(high - low, 0.5); // half a degree of noise is no mountain
  const middle = (low + high) / 2;
  let path = "";
  let isDown = false;
  let last = null;
  means.forEach((mean, slot) => {
    if (mean === null) {
      isDown = false;
      return;
    }
    const x = (slot + 0.5) * step;
    const y = LINE_TOP + LINE_HEIGHT * (0.5 - (mean - middle) / span);
    path += `${isDown ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
    isDown = true;
    last = [x, y];
  });
  return [path, last];
}

export function drawPulse(holder, pulse) {
  const slots = pulse.counts.length;
  const step = WIDTH / slots;
  const heard = pulse.counts.filter((count) => count > 0).length;
  const picture = make("svg", {
    viewBox: `0 0 ${WIDTH} ${BASE}`,
    preserveAspectRatio: "none",
    role: "img",
    "aria-label": `Heard from in ${heard} of the last ${slots} spans of ${pulse.slot_ms / 1000} s`,
  });
  let beats = "";
  let misses = "";
  pulse.counts.forEach((count, slot) => {
    const x = (slot * step + step * 0.15).toFixed(1);
    const width = (step * 0.7).toFixed(1);
    if (count) beats += `M${x} ${BASE - 6}h${width}v6h-${width}z`;
    else misses += `M${x} ${BASE - 1.5}h${width}v1.500h-${width}z`;
  });
  picture.append(make("path", { class: "beat", d: beats }), make("path", { class: "miss", d: misses }));
  if (heard) {
    const [path, last] = linePath(pulse.means, step);
    picture.append(make("path", { class: "line", d: path }));
    picture.append(make("ellipse", { class: "dot", cx: last[0].toFixed(1), cy: last[1].toFixed(1), rx: 2.2, ry: 2.2 }));
  }
  holder.replaceChildren(picture);
}
