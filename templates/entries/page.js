import { form } from "../loader/form.js";

export * from "../loader/index.js";

form.base = () => new URL(".", import.meta.url);
