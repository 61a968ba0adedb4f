// Runs before the first paint, so that nobody who chose dark sees a white flash.
"use strict";
try {
  const look = localStorage.getItem("seawall-look");
  if (look === "light" || look === "dark") document.documentElement.dataset.look = look;
} catch {
  // Storage may be forbidden; then the system's appearance it is.
}
