// Follows the server's events, and keeps list, details and notices current.

import { Details } from "./details.js";
import { WORDS, announce, element, idOf, refreshAges } from "./elements.js";
import { List } from "./list.js";
import { AnswerError, SignInError, followed } from "./requests.js";
import { SignIn } from "./signin.js";

const SILENCE = 25_000;
const AGAIN = 2_000;
const LOST_LOCAL = "Not connected: is workspace-ctrl ui still running?";
const LOST_REMOTE = "Not connected; if that lasts, reload the page to sign in again";

const rows = new Map();
const list = new List(rows);
const details = new Details(rows, back);
const connection = document.getElementById("connection");
const signIn = new SignIn(restart);

let stream = null;
let heard = Date.now();
let fresh = new Set();
let isComplete = false;
let lost = LOST_LOCAL;

/** Follow the server's events; after a lost connection, again and again. */
async function connect() {
  stream?.abort();
  const mine = new AbortController();
  stream = mine;
  heard = Date.now();
  try {
    await followed("events", mine.signal, take);
    if (stream === mine) later(lost);
  } catch (error) {
    if (stream === mine) failed(error);
  }
}

function take(name, content) {
  heard = Date.now();
  if (name === "hello") hello(content);
  else if (name === "update") update(content);
  else if (name === "ended") {
    clear();
    throw new AnswerError(content.error); // the next request says whether a token is missing
  }
}

function failed(error) {
  if (error instanceof SignInError) {
    stream.abort();
    clear();
    say("waiting", "Not signed in");
    signIn.ask(capital(error.message));
  } else if (error instanceof AnswerError) {
    later(capital(error.message.trim()));
  } else {
    later(lost);
  }
}

function later(words) {
  say("lost", words);
  const before = stream;
  setTimeout(() => stream === before && connect(), AGAIN);
}

/** Forget all that is shown, for another user or namespace. */
function clear() {
  rows.clear();
  fresh = new Set();
  isComplete = false;
  list.isComplete = false;
  showNotices([]);
  document.getElementById("cluster").textContent = "";
  if (details.id) history.replaceState(null, "", location.pathname + location.search);
  details.show("");
  list.select("");
}

function restart() {
  clear();
  say("waiting", "Connecting");
  connect();
}

function hello({ title, hasToken }) {
  signIn.accepted(hasToken);
  lost = hasToken ? LOST_REMOTE : LOST_LOCAL;
  fresh = new Set();
  isComplete = false;
  document.getElementById("cluster").textContent = title;
}

function update(news) {
  for (const row of news.rows) {
    tell(rows.get(row.id), row);
    rows.set(row.id, row);
    fresh.add(row.id);
    if (row.id === details.id) details.changed();
  }
  for (const id of news.gone) remove(id);
  if (news.notices) showNotices(news.notices);
  if (news.isComplete && !isComplete) complete();
  list.later();
}

/** All objects were sent: what was known from before a lost connection, and was not among them, is gone. */
function complete() {
  isComplete = true;
  for (const id of [...rows.keys()]) {
    if (!fresh.has(id)) remove(id);
  }
  fresh = new Set();
  list.isComplete = true;
  list.list.setAttribute("aria-busy", "false");
  say("live", "Live");
}

function remove(id) {
  if (!rows.delete(id)) return;
  if (id === details.id) details.changed();
}

function tell(before, row) {
  if (!isComplete || (before?.state === row.state && before?.reason === row.reason)) return;
  announce(`${row.kind} ${row.name} in ${row.namespace}: ${WORDS[row.state]}${row.state === "ready" ? "" : `, ${row.reason}`}`);
}

function say(state, text) {
  if (connection.dataset.state === state && connection.textContent === text) return;
  if (state === "lost" && connection.dataset.state !== "lost") announce(text);
  connection.dataset.state = state;
  connection.textContent = text;
}

function showNotices(notices) {
  const section = document.getElementById("notices");
  section.hidden = !notices.length;
  section.replaceChildren(...notices.map((notice) => element("p", { class: notice.isError ? "notice is-error" : "notice" },
    element("strong", {}, `${capital(notice.message)}.`), notice.wayOut && ` ${capital(notice.wayOut)}`)));
  for (const notice of notices) announce(notice.message);
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function navigate(isFirst = false) {
  const id = idOf(location.hash);
  if (!id && location.hash && location.hash !== "#") return; // the link to the list
  list.select(id);
  details.show(id);
  if (isFirst) return;
  if (id) {
    window.scrollTo(0, 0);
    details.node.scrollTop = 0;
    details.title.focus({ preventScroll: true });
  }
}

function back() {
  history.pushState(null, "", location.pathname + location.search);
  const before = list.selected;
  navigate();
  list.selected = before;
  list.focusSelected();
  list.select("");
}

function onKey(event) {
  const isTyping = event.target.closest("input, select, textarea");
  if (event.key === "Escape" && details.id && !isTyping) back();
  if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  if (!document.getElementById("shortcut").checked) return;
  event.preventDefault();
  if (details.id && getComputedStyle(list.filter).visibility === "hidden") back();
  list.filter.focus();
}

function chooseTheme() {
  const theme = document.getElementById("theme");
  theme.value = remembered("theme");
  document.documentElement.dataset.theme = theme.value;
  theme.addEventListener("change", () => {
    remember("theme", theme.value);
    document.documentElement.dataset.theme = theme.value;
  });
}

function remembered(name) {
  try {
    return localStorage.getItem(name) ?? "";
  } catch {
    return ""; // where a browser keeps nothing
  }
}

function remember(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    announce("this browser does not keep the choice");
  }
}

chooseTheme();
window.addEventListener("hashchange", () => navigate());
document.addEventListener("keydown", onKey);
setInterval(refreshAges, 5_000);
setInterval(() => Date.now() - heard > SILENCE && connection.dataset.state === "live" && connect(), 5_000);
navigate(true);
connect();
