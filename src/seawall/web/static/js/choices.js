// What a person chose: unit, times, appearance. Remembered in this browser, alike in all its tabs.

const VALUES = { unit: ["C", "F"], times: ["local", "utc"], look: ["system", "light", "dark"] };
const chosen = {};
const listeners = new Set();

function read(name) {
  let value = null;
  try {
    value = localStorage.getItem(`seawall-${name}`);
  } catch {
    // Storage may be forbidden.
  }
  return VALUES[name].includes(value) ? value : VALUES[name][0];
}

function apply(name) {
  if (name === "look") {
    if (chosen.look === "system") delete document.documentElement.dataset.look;
    else document.documentElement.dataset.look = chosen.look;
  }
  for (const button of document.querySelectorAll(`[data-choice="${name}"] button`)) {
    button.setAttribute("aria-pressed", String(button.value === chosen[name]));
  }
  for (const listener of listeners) listener(name, chosen[name]);
}

export function choice(name) {
  return chosen[name];
}

/** Calls `listener(name, value)` at each change. */
export function onChoice(listener) {
  listeners.add(listener);
}

function choose(name, value) {
  chosen[name] = value;
  try {
    localStorage.setItem(`seawall-${name}`, value);
  } catch {
    // Then it holds until the page is left.
  }
  apply(name);
}

for (const name of Object.keys(VALUES)) {
  chosen[name] = read(name);
  apply(name);
}
for (const group of document.querySelectorAll("[data-choice]")) {
  group.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) choose(group.dataset.choice, button.value);
  });
}
addEventListener("storage", (event) => {
  const name = event.key?.replace("seawall-", "");
  if (name in VALUES) {
    chosen[name] = read(name);
    apply(name);
  }
});
const system = matchMedia("(prefers-color-scheme: dark)");
system.addEventListener("change", () => apply("look"));
