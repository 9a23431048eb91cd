// Small parts of the page. Texts of the cluster are only ever text nodes: the page's policy forbids everything else.

const SVG = "http://www.w3.org/2000/svg";

function made(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

/** Return an HTML element with attributes and children, which are nodes or texts. */
export function element(tag, attributes = {}, ...children) {
  return made(document.createElement(tag), attributes, children);
}

/** Return an SVG element with attributes and children. */
export function drawn(tag, attributes = {}, ...children) {
  return made(document.createElementNS(SVG, tag), attributes, children);
}

export const WORDS = {
  ready: "Ready",
  progressing: "In progress",
  failed: "Not ready",
  unknown: "Unknown",
  deleting: "Being deleted",
};

const GLYPHS = {
  ready: "M-4 0.5 -1.2 3.5 4 -3",
  failed: "M-3.2 -3.2 3.2 3.2M3.2 -3.2 -3.2 3.2",
  progressing: "M-3.6 0h.1M0 0h.1M3.6 0h.1",
  unknown: "M-2.2 -1.6a2.2 2.2 0 1 1 3.2 2Q0 1.2 0 2M0 4.4v.1",
  deleting: "M-3.6 0h7.2",
};

/** Return the mark of a state as a group around (0, 0): a disc, whose sign does not depend on colours. */
export function mark(state, radius = 8) {
  return drawn(
    "g",
    { class: `mark is-${state}` },
    drawn("circle", { r: radius }),
    drawn("path", { d: GLYPHS[state], transform: `scale(${radius / 8})` }),
  );
}

/** Return the mark of a state as a picture of its own; what it says stands beside it as text. */
export function icon(state, size = 20) {
  return drawn("svg", { class: "icon", viewBox: "-10 -10 20 20", width: size, height: size, "aria-hidden": "true" }, mark(state));
}

/** Return the state that belongs to the status of a condition. */
export function stateOf(status) {
  return { True: "ready", False: "failed", T: "ready", F: "failed", "-": "unknown" }[status] ?? "progressing";
}

/** Return how long ago a timestamp of Kubernetes was, as kubectl prints it. */
export function ago(time, now = Date.now()) {
  const seconds = Math.max(Math.floor((now - Date.parse(time)) / 1000), 0);
  if (Number.isNaN(seconds)) return "";
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours}h` : `${Math.floor(hours / 24)}d`;
}

/** Return an age that keeps itself current: `refreshAges` updates all that are on the page. */
export function age(time, suffix = "") {
  const date = new Date(time);
  if (!time || Number.isNaN(date.getTime())) return element("span");
  return element("time", { datetime: time, title: date.toLocaleString(), "data-suffix": suffix }, `${ago(time)}${suffix}`);
}

export function refreshAges() {
  for (const node of document.querySelectorAll("time[datetime]")) {
    const text = `${ago(node.dateTime)}${node.dataset.suffix}`;
    if (node.textContent !== text) node.textContent = text;
  }
}

let announcing = 0;
const waiting = [];

/** Announce something to screen readers; announcements of one second are merged, and only counted if there are many. */
export function announce(text) {
  waiting.push(text);
  if (announcing) return;
  announcing = setTimeout(() => {
    announcing = 0;
    const told = waiting.splice(0);
    document.getElementById("news").textContent = told.length > 3 ? `${told.length} changes; ${told[0]}` : told.join("; ");
  }, 1000);
}

/** Return a command with a button that copies it. */
export function command(text, purpose = "") {
  const code = element("code", { tabindex: "0" }, text);
  const button = element("button", { type: "button", class: "copy", "aria-label": `Copy: ${purpose || text}` }, "Copy");
  button.addEventListener("click", () => copy(text, code, button));
  return element("div", { class: "command" }, code, button);
}

async function copy(text, code, button) {
  let said = "Copied";
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    getSelection().selectAllChildren(code); // not on a secure origin, or not allowed
    said = "Selected";
  }
  button.textContent = said;
  announce(said === "Copied" ? "copied" : "selected; copy it with the keyboard");
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

/** Return the fragment of an object in the page's address. */
export function hashOf(id) {
  return `#/${id.split("/").map(encodeURIComponent).join("/")}`;
}

/** Return the id of the object in the page's address; empty if it names none. */
export function idOf(hash) {
  const parts = hash.startsWith("#/") ? hash.slice(2).split("/") : [];
  try {
    return parts.length === 3 ? parts.map(decodeURIComponent).join("/") : "";
  } catch {
    return "";
  }
}
