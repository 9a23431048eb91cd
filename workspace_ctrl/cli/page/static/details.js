// The object that is looked at: its chain, the way out, commands and history.

import { chain } from "./chain.js";
import { WORDS, age, command, element, hashOf, icon, stateOf } from "./elements.js";
import { SignInError, fetched } from "./requests.js";

const DELAY = 200;
const AGAIN = 10_000;

/** The right side of the page. */
export class Details {
  constructor(rows, back) {
    this.rows = rows;
    this.id = "";
    this.shown = new Map();
    this.node = document.getElementById("details");
    this.hint = document.getElementById("hint");
    this.timer = 0;
    this.request = null;
    this.isOutdated = false;
    this.links = [];
    this.parts = {};
    this.back = back;
    new ResizeObserver(() => this.drawChain()).observe(this.node);
    setInterval(() => !document.hidden && this.id && this.later(0), AGAIN);
  }

  /** Show an object, or none if `id` is empty. */
  show(id) {
    this.request?.abort();
    this.request = null;
    clearTimeout(this.timer);
    this.timer = 0;
    this.isOutdated = false;
    this.id = id;
    this.shown.clear();
    this.links = [];
    this.width = 0;
    this.node.hidden = !id;
    this.hint.hidden = Boolean(id);
    document.body.classList.toggle("with-details", Boolean(id));
    if (!id) return;
    this.build();
    this.changed();
  }

  /** The object has changed: what its line says is shown at once, all else is read again. */
  changed() {
    if (!this.id) return;
    this.head(this.rows.get(this.id));
    this.later(DELAY);
  }

  build() {
    const names = ["head", "notes", "picture", "cause", "links", "facts", "group", "served", "commands", "history"];
    this.parts = Object.fromEntries(names.map((name) => [name, element(name === "head" ? "header" : "section", { class: name })]));
    const back = element("button", { type: "button", class: "back" }, "← Back to the list");
    back.addEventListener("click", () => this.back());
    this.title = element("h2", { tabindex: "-1" });
    this.summary = element("p", { class: "summary" });
    this.parts.head.append(this.title, this.summary);
    this.node.replaceChildren(back, ...Object.values(this.parts));
    this.node.setAttribute("aria-busy", "true");
  }

  head(row) {
    const [kind, namespace, name] = this.id.split("/");
    const state = row ? row.state : "unknown";
    this.update("head", [row?.state, row?.reason, row?.message], () => {
      this.title.replaceChildren(icon(state, 26), ` ${name} `, element("span", { class: "quiet" }, `${kind} in ${namespace}`));
      const words = row ? [state === "ready" ? "" : row.reason, row.message].filter(Boolean).join(": ") : "this object does not exist, or not any more";
      this.summary.replaceChildren(element("strong", { class: `word is-${state}` }, row ? WORDS[state] : "Not found"), words && ` ${words}`);
    });
  }

  /** Read the object again after a moment; what changes until then, or while it is read, is read together. */
  later(delay) {
    if (this.timer) return;
    this.timer = setTimeout(() => {
      this.timer = 0;
      this.read();
    }, delay);
  }

  async read() {
    if (!this.id || !this.rows.has(this.id)) {
      this.node.setAttribute("aria-busy", "false");
      return;
    }
    if (this.request) {
      this.isOutdated = true;
      return;
    }
    const request = this.request = new AbortController();
    await Promise.all([
      this.ask("details", request, (found) => this.fill(found)),
      this.ask("history", request, (found) => this.history(found)),
    ]);
    if (request !== this.request) return;
    this.request = null;
    this.node.setAttribute("aria-busy", "false");
    if (this.isOutdated) this.later(DELAY);
    this.isOutdated = false;
  }

  async ask(path, request, show) {
    let found;
    try {
      found = await fetched(path, { id: this.id }, request.signal);
    } catch (error) {
      found = { error: error instanceof SignInError ? error.message : "the page's server does not answer" };
    }
    if (request !== this.request || request.signal.aborted) return;
    if (found.error) this.notes([found.error]);
    else show(found);
  }

  fill(found) {
    this.notes(found.notes);
    this.links = found.links;
    this.update("picture", found.links.map((link) => [link.title, link.status, link.isFirstBroken]), () => { this.width = 0; this.drawChain(); });
    const known = this.rows.get(this.id)?.message;
    this.update("cause", [found.cause, known], (part) => part.replaceChildren(...cause(found.cause, known)));
    this.update("links", found.links, (part) => part.replaceChildren(heading("Links of the chain"), linkList(found.links)));
    this.update("facts", found.facts, (part) => part.replaceChildren(...(found.facts.length ? [heading("What it is"), facts(found.facts)] : [])));
    this.update("group", found.group, (part) => part.replaceChildren(...(found.group ? group(found.group) : [])));
    this.update("served", found.served, (part) => part.replaceChildren(...(found.served.length ? [heading("Served through it"), servedList(found.served)] : [])));
    this.update("commands", found.commands, (part) => part.replaceChildren(heading("Commands"), commandList(found.commands)));
  }

  notes(notes) {
    this.update("notes", notes, (part) => part.replaceChildren(...notes.map((note) => element("p", { class: "note" }, note))));
  }

  history(found) {
    this.update("history", found, (part) => part.replaceChildren(
      heading("History"),
      ...(found.note ? [element("p", { class: "note" }, found.note)] : []),
      found.entries.length ? historyTable(found.entries) : element("p", { class: "quiet" }, "Nothing yet."),
    ));
  }

  /** Draw a part again if it says something else, so that focus and selection stay where they can. */
  update(name, content, draw) {
    const text = JSON.stringify(content);
    if (this.shown.get(name) === text) return;
    this.shown.set(name, text);
    draw(this.parts[name]);
  }

  drawChain() {
    const part = this.parts.picture;
    const width = part?.clientWidth ?? 0;
    if (!this.links.length || !width || width === this.width) return;
    this.width = width;
    part.replaceChildren(chain(this.links, width));
  }
}

function heading(text) {
  return element("h3", {}, text);
}

/** Return the first link that does not hold, with the way out; its message only if it is not `known` from the line of the object. */
function cause(found, known) {
  if (!found) return [element("p", { class: "whole" }, icon("ready"), " The chain is whole: every link holds.")];
  const line = (name, text) => (text ? [element("dt", {}, name), element("dd", {}, text)] : []);
  return [
    heading(`First link that does not hold: ${found.title}`),
    element("dl", {},
      ...line("Reason", found.reason),
      ...line("Message", found.message === known ? "" : found.message),
      ...line("Meaning", found.meaning),
      ...line("Way out", found.wayOut),
      ...line("Next", found.command && command(found.command))),
  ];
}

function linkList(links) {
  return element("ol", {}, ...links.map((link) => {
    const state = stateOf(link.status);
    const words = link.status === "True" ? link.message || link.reason : [link.reason, link.message].filter(Boolean).join(": ");
    return element("li", { class: link.isFirstBroken ? "is-first" : null },
      icon(state, 18),
      element("strong", {}, link.title, element("span", { class: "hidden" }, { ready: " holds. ", failed: " is broken. " }[state] ?? " is in progress. ")),
      element("span", { class: "words" }, words),
      element("span", { class: "since" }, age(link.since, " ago")));
  }));
}

function facts(pairs) {
  return element("dl", {}, ...pairs.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
}

function servedList(served) {
  return element("ul", { role: "list" }, ...served.map(({ id, state }) => element("li", {}, reference(id, state, id.split("/")[1]))));
}

/** Return a link to another object, with something said of it. */
function reference(id, state, remark) {
  const [kind, , name] = id.split("/");
  return element("a", { href: hashOf(id) }, icon(state, 16), element("span", { class: "hidden" }, `${WORDS[state]}: `), name,
    element("span", { class: "quiet" }, [remark, kind === "Workspace" ? "" : kind].filter(Boolean).join(" · ")));
}

function group(found) {
  const members = found.members.map((member) => {
    const share = member.isFallback ? "fallback" : member.weight === null ? "canary" : `weight ${member.weight}`;
    const remark = `${share}, now ${member.current ?? 0}`;
    return element("li", {}, reference(member.id, member.isReady ? "ready" : "failed", remark));
  });
  return [heading(`Group ${found.name}`), found.url && element("p", {}, found.url), element("ul", { role: "list" }, ...members)].filter(Boolean);
}

function commandList(commands) {
  return element("ul", { role: "list" }, ...commands.map((each) =>
    element("li", {}, element("span", { class: "purpose" }, each.purpose), command(each.command, each.purpose))));
}

function historyTable(entries) {
  const head = element("thead", {}, element("tr", {}, ...["When", "What", "Why"].map((text) => element("th", { scope: "col" }, text))));
  return element("table", {}, element("caption", { class: "hidden" }, "Transitions and Events, the newest first"), head,
    element("tbody", {}, ...entries.map(historyRow)));
}

function historyRow(entry) {
  const status = entry.isEvent ? { Warning: "failed" }[entry.status] : stateOf(entry.status);
  const what = entry.isEvent ? entry.subject : `${entry.subject}: ${entry.status}`;
  const times = entry.count > 1 ? ` (${entry.count} times)` : "";
  return element("tr", {},
    element("td", {}, age(entry.time, " ago")),
    element("td", {}, status ? icon(status, 14) : "", " ", what),
    element("td", {}, element("strong", {}, entry.reason), `${entry.message ? ` ${entry.message}` : ""}${times}`));
}
