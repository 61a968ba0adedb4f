// The stream of server-sent events, and the sign in the bar that says whether it stands.

import { setServerNow } from "./show.js";

const SILENCE_MS = 40_000; // the server writes at least every 15 s
const HIDDEN_MS = 60_000; // browsers allow few connections: a tab that nobody sees gives its own back
const WORDS = { connecting: "Connecting", live: "Live", reconnecting: "Reconnecting" };

const sign = document.getElementById("live");

function say(state) {
  if (!sign || sign.dataset.live === state) return;
  sign.dataset.live = state;
  sign.querySelector(".live-word").textContent = WORDS[state];
}

export function goToSignIn() {
  location.assign(`/signin?next=${encodeURIComponent(location.pathname + location.search)}`);
}

/** Gets JSON from the API. By a timer, so it does not keep an idle session alive. */
export async function getJson(path, signal) {
  const response = await fetch(path, { headers: { "X-Seawall-Background": "1" }, signal });
  if (response.status === 401) {
    goToSignIn();
    throw new Error("signed out");
  }
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

/**
 * Follows what happens.
 * @param {string} path of the stream
 * @param {Object<string, function(object)>} handlers by name of event
 * @param {function()} resync called when the stream stands (again): events may have been missed
 */
export function follow(path, handlers, resync) {
  let source = null;
  let heardMs = 0;
  let delayMs = 1000;
  let retryTimer = 0;
  let hiddenTimer = 0;

  function heard() {
    heardMs = Date.now();
  }

  function open() {
    clearTimeout(retryTimer);
    source?.close();
    source = new EventSource(path);
    heard();
    source.addEventListener("hello", (event) => {
      heard();
      delayMs = 1000;
      setServerNow(JSON.parse(event.data).at_ms);
      say("live");
      resync();
    });
    source.addEventListener("beat", heard);
    source.addEventListener("resync", resync);
    source.addEventListener("signed-out", goToSignIn);
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => {
        heard();
        handle(JSON.parse(event.data));
      });
    }
    source.onerror = failed;
  }

  function failed() {
    say("reconnecting");
    if (source?.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
    close();
    retryTimer = setTimeout(async () => {
      try {
        await getJson("/api/v1/session"); // leads to the sign-in page if that is the reason
      } catch {
        // The server is away; the next try tells.
      }
      open();
    }, delayMs);
    delayMs = Math.min(delayMs * 2, 15_000);
  }

  function close() {
    source?.close();
    source = null;
  }

  setInterval(() => {
    if (source && Date.now() - heardMs > SILENCE_MS) {
      say("reconnecting");
      open();
    }
  }, 5000);
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hiddenTimer);
    if (document.hidden) hiddenTimer = setTimeout(close, HIDDEN_MS);
    else if (!source) open();
  });
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => {
    if (event.persisted) open();
  });
  open();
}
