// Development only: brings the client into a page. A classic script, since import maps must come before any module.
(() => {
  const { src } = /** @type {HTMLScriptElement} */ (document.currentScript);
  import(new URL("client.js", src).href).catch((error) => {
    console.warn("Shardpress: this page does not keep itself up to date; a Content-Security-Policy may forbid it.", error);
  });
})();
