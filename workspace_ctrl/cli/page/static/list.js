// The list of all objects: those that are not ready come first.

import { smallChain } from "./chain.js";
import { WORDS, age, element, hashOf, icon } from "./elements.js";

const ORDER = ["failed", "unknown", "deleting", "progressing", "ready"];
const RANK = Object.fromEntries(ORDER.map((state, place) => [state, place]));
const PART = 200;

/** The lines of the list; `rows` has all objects by id, also those that are not shown. */
export class List {
  constructor(rows) {
    this.rows = rows;
    this.lines = new Map();
    this.most = PART;
    this.selected = "";
    this.state = "";
    this.list = document.getElementById("list");
    this.more = document.getElementById("more");
    this.filter = document.getElementById("filter");
    this.kind = document.getElementById("kind");
    this.states = document.getElementById("states");
    this.empty = document.getElementById("empty");
    this.isWaiting = false;
    this.isComplete = false;
    this.buttons = this.makeButtons();
    this.listen();
  }

  listen() {
    this.filter.addEventListener("input", () => this.restart());
    this.kind.addEventListener("change", () => this.restart());
    this.more.addEventListener("click", () => this.showMore());
    new IntersectionObserver((seen) => seen.some((entry) => entry.isIntersecting) && this.showMore(), { rootMargin: "600px" })
      .observe(this.more);
    this.list.addEventListener("keydown", (event) => this.move(event));
    this.filter.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown") this.focus(this.list.firstElementChild, event);
      else if (event.key === "Escape") { this.filter.value = ""; this.restart(); }
    });
  }

  makeButtons() {
    const made = new Map();
    for (const state of ["", ...ORDER]) {
      const count = element("span", { class: "count" });
      const button = element("button", { type: "button", "aria-pressed": state === "" ? "true" : "false" }, state && icon(state, 16), state ? WORDS[state] : "All", count);
      button.addEventListener("click", () => {
        this.state = state;
        for (const [other, { button: each }] of made) each.setAttribute("aria-pressed", String(other === state));
        this.restart();
      });
      made.set(state, { button, count });
      this.states.append(button);
    }
    return made;
  }

  restart() {
    this.most = PART;
    this.later();
  }

  showMore() {
    if (this.more.hidden) return;
    this.most += PART;
    this.later();
  }

  /** Draw the list before the next frame; a hidden page has none, so a moment later there. */
  later() {
    if (this.isWaiting) return;
    this.isWaiting = true;
    (document.hidden ? (draw) => setTimeout(draw, 100) : requestAnimationFrame)(() => {
      this.isWaiting = false;
      this.draw();
    });
  }

  draw() {
    const ofKind = this.matching();
    const counts = new Map();
    for (const row of ofKind) counts.set(row.state, (counts.get(row.state) ?? 0) + 1);
    for (const [state, { button, count }] of this.buttons) {
      const number = state ? counts.get(state) ?? 0 : ofKind.length;
      count.textContent = String(number);
      button.hidden = number === 0 && state !== "" && state !== this.state;
    }
    const chosen = this.state ? ofKind.filter((row) => row.state === this.state) : ofKind;
    chosen.sort(inOrder);
    this.place(chosen.slice(0, this.most));
    this.more.hidden = chosen.length <= this.most;
    this.more.textContent = `Show more (${chosen.length - this.most} left)`;
    this.tellEmpty(chosen.length);
    const failed = counts.get("failed") ?? 0;
    document.title = failed ? `(${failed} not ready) workspace-ctrl` : "workspace-ctrl";
  }

  matching() {
    const words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const kind = this.kind.value;
    return [...this.rows.values()].filter((row) => (!kind || row.kind === kind) && words.every((word) => searched(row).includes(word)));
  }

  /** Make the lines those of `rows`, reusing what is there; the focus stays on its line. */
  place(rows) {
    const focused = document.activeElement;
    const wanted = new Set(rows.map((row) => row.id));
    for (const [id, line] of this.lines) {
      if (!wanted.has(id)) { line.node.remove(); this.lines.delete(id); }
    }
    let next = this.list.firstElementChild;
    for (const row of rows) {
      const node = this.line(row);
      if (node === next) next = next.nextElementSibling;
      else this.list.insertBefore(node, next);
    }
    if (focused && focused !== document.activeElement && this.list.contains(focused)) focused.focus({ preventScroll: true });
  }

  line(row) {
    let line = this.lines.get(row.id);
    if (!line) {
      const link = element("a", { href: hashOf(row.id), "data-id": row.id });
      line = { node: element("li", {}, link), link, row: null };
      this.lines.set(row.id, line);
    }
    if (line.row !== row) {
      line.link.replaceChildren(...content(row));
      line.link.className = `row is-${row.state}`;
      line.row = row;
    }
    if (row.id === this.selected) line.link.setAttribute("aria-current", "true");
    else line.link.removeAttribute("aria-current");
    return line.node;
  }

  tellEmpty(shown) {
    this.empty.hidden = shown > 0 || !this.isComplete;
    this.empty.textContent = this.rows.size ? "Nothing matches the filter." : "There are no Workspaces, InferenceSets or Gateways yet.";
  }

  select(id) {
    this.selected = id;
    this.later();
  }

  move(event) {
    const line = event.target.closest("li");
    if (!line) return;
    const target = {
      ArrowDown: line.nextElementSibling,
      ArrowUp: line.previousElementSibling ?? this.filter,
      Home: this.list.firstElementChild,
      End: this.list.lastElementChild,
    }[event.key];
    if (target === this.filter) { event.preventDefault(); this.filter.focus(); } else this.focus(target, event);
  }

  focus(line, event) {
    if (!line) return;
    event?.preventDefault();
    line.firstElementChild.focus();
  }

  focusSelected() {
    const line = this.lines.get(this.selected);
    (line ? line.link : this.list).focus();
  }
}

function inOrder(one, other) {
  return RANK[one.state] - RANK[other.state] || compared(one.namespace, other.namespace) || compared(one.name, other.name) || compared(one.kind, other.kind);
}

function compared(one, other) {
  return one < other ? -1 : Number(one > other);
}

function searched(row) {
  row.searched ??= [row.kind, row.namespace, row.name, row.model, row.reason, row.group, ...row.gateways].join(" ").toLowerCase();
  return row.searched;
}

function content(row) {
  const isReady = row.state === "ready";
  const second = isReady ? row.url || row.gateways.join(", ") : [row.reason, row.message].filter(Boolean).join(": ");
  return [
    icon(row.state),
    element("span", { class: "title" },
      element("span", { class: "hidden" }, `${WORDS[row.state]}: `),
      element("strong", {}, row.name),
      " ",
      element("span", { class: "quiet" }, [row.namespace, row.kind === "Workspace" ? "" : row.kind, row.replicas, row.group && `group ${row.group}`].filter(Boolean).join(" · "))),
    smallChain(row.links),
    element("span", { class: "age" }, age(row.created)),
    element("span", { class: isReady ? "second quiet" : "second" }, second),
  ];
}
