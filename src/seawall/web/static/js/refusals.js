// The panel of refused messages: new ones come in on top, the same again and again is one card.

import { getJson } from "./live.js";
import { countText, setAgo } from "./show.js";

const MAX_CARDS = 30;
const panel = document.querySelector(".refusals");
const list = panel.querySelector("[data-list]");
const empty = panel.querySelector("[data-empty]");
const assurance = panel.querySelector("[data-assurance]");
const template = document.getElementById("refusal-template");
const words = JSON.parse(document.getElementById("reason-words").textContent);
const announcer = document.getElementById("announcer");
let newest = Number(panel.dataset.newest);
let announcedMs = 0;
// Live events carry no number: what came both live and by asking is known by what it is.
const shownLive = new Map();
const shownAsked = new Map();

const markOf = (refusal) => `${refusal.at_ms} ${keyOf(refusal)} ${refusal.topic} ${refusal.peer}`;

function note(marks, mark) {
  marks.set(mark, (marks.get(mark) ?? 0) + 1);
  if (marks.size > 500) marks.delete(marks.keys().next().value);
}

function take(marks, mark) {
  const count = marks.get(mark);
  if (!count) return false;
  if (count > 1) marks.set(mark, count - 1);
  else marks.delete(mark);
  return true;
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

/** Shows a refused message that came live; returns false if it is on the page already. */
export function showRefusal(refusal) {
  const mark = markOf(refusal);
  if (take(shownAsked, mark)) return false;
  note(shownLive, mark);
  show(refusal);
  return true;
}

function showAsked(refusal) {
  if (refusal.id <= newest) return false;
  newest = refusal.id;
  const mark = markOf(refusal);
  if (take(shownLive, mark)) return false;
  note(shownAsked, mark);
  show(refusal);
  return true;
}

function show(refusal) {
  empty.hidden = true;
  assurance.hidden = false;
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
}

/** Asks for what came while the stream was down. */
export async function catchUp(onRefusal) {
  const device = panel.dataset.device;
  const own = device ? `&device=${encodeURIComponent(device)}` : "";
  const answer = await getJson(`/api/v1/refusals?last=${MAX_CARDS}&after=${newest}${own}`);
  for (const refusal of answer.refusals.reverse()) {
    if (showAsked(refusal)) onRefusal?.(refusal);
  }
}
