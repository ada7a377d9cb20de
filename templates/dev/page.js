// Development only: brings the client into a page. A classic script, since import maps must come before any module; its
// address is taken from the page's, since a <base> that follows moves all others.
import(`${location.origin}/.shardpress/client.js`).catch((error) => {
  console.warn("Shardpress: this page does not keep itself up to date; a Content-Security-Policy may forbid it.", error);
});
