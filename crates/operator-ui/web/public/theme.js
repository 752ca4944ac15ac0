// Before the first paint, so that a dark screen never flashes white. A file of its own: the content policy allows no
// inline script.
(function () {
  var wish = "system";
  try {
    wish = JSON.parse(localStorage.getItem("guichet.settings") || "{}").theme || "system";
  } catch {
    // Storage may be closed to us; then the system decides.
  }
  var dark = wish === "dark" || (wish === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
