/** Settles the language before anything is painted: `?lang=`, else the last choice, else the browser's. Not a module on purpose. */
(() => {
  let kept = null;
  try {
    kept = localStorage.getItem("shardpress-language");
  } catch {
    // Storage may be forbidden; then every page asks the browser.
  }
  const wanted = new URLSearchParams(location.search).get("lang") ?? kept ?? navigator.language;
  document.documentElement.lang = wanted.toLowerCase().startsWith("zh") ? "zh-Hans" : "en";
})();
