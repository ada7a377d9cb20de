/** Lists what the bundle's index says; no model is fetched for that. */
const status = document.querySelector("#status");
const table = document.querySelector("table");
const kilobytes = (bytes) => `${Math.round(bytes / 1000).toLocaleString("en")} kB`;

try {
  const { models } = await import(new URL("../../dist/cdn/loader.js", import.meta.url).href);
  for (const { name, format, policy, bytes, wireBytes } of Object.values(models)) {
    const row = table.tBodies[0].insertRow();
    const head = row.appendChild(document.createElement("th"));
    head.scope = "row";
    head.textContent = name;
    for (const text of [format, policy, kilobytes(bytes), kilobytes(wireBytes)]) row.insertCell().textContent = text;
  }
  status.hidden = true;
  table.hidden = false;
} catch (error) {
  status.textContent = `There is no bundle yet: run make build, then reload this page. (${error.message})`;
}
