// The panel of refused messages: new ones come in on top, the same again and again is one card.

import { getJson } from "./live.js";
import { countText, setAgo } from "./show.js";

const MAX_CARDS = 30;
const panel = document.querySelector(".refusals");
const list = panel.querySelector("[data-list]");
const empty = panel.querySelector("[data-empty]");
const template = document.getElementById("refusal-template");
const words = JSON.parse(document.getElementById("reason-words").textContent);
const announcer = document.getElementById("announcer");
let newest = Number(panel.dataset.newest);
let announcedMs = 0;
const seen = new Set(); // live events carry no number

function isSeen(refusal) {
  const mark = `${refusal.at_ms} ${keyOf(refusal)} ${refusal.topic} ${refusal.peer}`;
  if (seen.has(mark)) return true;
  seen.add(mark);
  if (seen.size > 500) seen.delete(seen.values().next().value);
  return false;
}

function wordsOf(reason) {
  return words[reason] ?? [reason, ""];
}

const keyOf = (refusal) => `${refusal.device_id ?? ""} ${refusal.reason}`;

function makeCard(refusal) {
  const card = template.content.cloneNode(true).firstElementChild;
  const [title, sentence] = wordsOf(refusal.reason);
  card.dataset.key = keyOf(refusal);
  card.querySelector('[data-slot="title"]').textContent = title;
  card.querySelector('[data-slot="sentence"]').textContent = sentence;
  const device = card.querySelector('[data-slot="device"]');
  if (refusal.device_id) {
    const link = document.createElement("a");
    link.href = `/devices/${encodeURIComponent(refusal.device_id)}`;
    link.textContent = refusal.device_id;
    device.append(link);
  } else {
    device.textContent = "unknown sender";
  }
  return card;
}

function strike(card) {
  card.classList.remove("is-new");
  void card.offsetWidth; // starts the animation anew
  card.classList.add("is-new");
}

function fill(card, refusal) {
  setAgo(card.querySelector("time"), refusal.at_ms);
  const detail = card.querySelector('[data-slot="detail"]');
  detail.textContent = refusal.detail ?? "";
  detail.hidden = !refusal.detail;
}

function announce(refusal) {
  if (!announcer || Date.now() - announcedMs < 3000) return;
  announcedMs = Date.now();
  const [title, sentence] = wordsOf(refusal.reason);
  announcer.textContent = `Message refused from ${refusal.device_id ?? "an unknown sender"}: ${title}. ${sentence}`;
}

/** Shows a refused message; returns false if it is on the page already. */
export function showRefusal(refusal) {
  const isKnown = isSeen(refusal) || (refusal.id && refusal.id <= newest);
  if (refusal.id > newest) newest = refusal.id;
  if (isKnown) return false;
  empty.hidden = true;
  const top = list.firstElementChild;
  if (top?.dataset.key === keyOf(refusal)) {
    const count = Number(top.dataset.count ?? 1) + 1;
    top.dataset.count = String(count);
    const times = top.querySelector('[data-slot="times"]');
    times.textContent = `${countText(count)} times`;
    times.hidden = false;
    fill(top, refusal);
    strike(top);
  } else {
    const card = makeCard(refusal);
    fill(card, refusal);
    list.prepend(card);
    while (list.children.length > MAX_CARDS) list.lastElementChild.remove();
  }
  announce(refusal);
  return true;
}

/** Asks for what came while the stream was down. */
export async function catchUp(onRefusal) {
  const device = panel.dataset.device;
  const own = device ? `&device=${encodeURIComponent(device)}` : "";
  const answer = await getJson(`/api/v1/refusals?last=${MAX_CARDS}&after=${newest}${own}`);
  for (const refusal of answer.refusals.reverse()) {
    if (showRefusal(refusal)) onRefusal?.(refusal);
  }
}
