// The chain as a picture: a line of links, and where it is broken.

import { drawn, mark, stateOf } from "./elements.js";

const STEP = 12;

/** Return the chain of a line of the list: `letters` has one for each link. */
export function smallChain(letters) {
  const links = [...letters].filter((letter) => letter !== "-");
  if (!links.length) return drawn("svg", { class: "small", width: STEP, height: 16, "aria-hidden": "true" });
  const width = links.length * STEP;
  const first = firstBroken(links);
  const picture = drawn("svg", { class: "small", viewBox: `0 0 ${width} 16`, width, height: 16, "aria-hidden": "true" });
  picture.append(drawn("path", { class: "line", d: `M6 8H${width - 6}` }));
  links.forEach((letter, place) => {
    const x = 6 + place * STEP;
    if (letter === "F") picture.append(drawn("path", { class: `dot is-failed${place === first ? " is-first" : ""}`, d: `M${x} 3l5 5-5 5-5-5z` }));
    else picture.append(drawn("circle", { class: `dot is-${stateOf(letter)}`, cx: x, cy: 8, r: letter === "T" ? 3.5 : 3 }));
  });
  return picture;
}

function firstBroken(links) {
  const broken = links.indexOf("F");
  return broken >= 0 ? broken : links.indexOf("U");
}

const WIDTH = 88;
const HEIGHT = 94;
const TOP = 34;

/** Return the chain of an object, in as many rows as its width needs. */
export function chain(links, width) {
  const rows = Math.ceil(links.length / Math.max(Math.floor(width / WIDTH), 2));
  const inRow = Math.ceil(links.length / rows);
  const step = Math.min(width / inRow, 132);
  const place = (number) => ({ x: (number % inRow) * step + step / 2, y: Math.floor(number / inRow) * HEIGHT + TOP });
  const size = { width: Math.round(step * inRow), height: rows * HEIGHT };
  const picture = drawn("svg", { class: "chain", viewBox: `0 0 ${size.width} ${size.height}`, ...size, role: "img", "aria-label": inWords(links) });
  const first = links.findIndex((link) => link.isFirstBroken);
  const gap = (number) => ({ ...place(number), gap: number === first ? 22 : 16 });
  for (let number = 1; number < links.length; number += 1) {
    const reached = links[number - 1].status === "True" && (first < 0 || number <= first);
    picture.append(drawn("path", { class: reached ? "line" : "line is-behind", d: between(gap(number - 1), gap(number), step) }));
  }
  links.forEach((link, number) => picture.append(node(link, place(number))));
  return picture;
}

function between(from, to, step) {
  if (from.y === to.y) return `M${from.x + from.gap} ${from.y}H${to.x - to.gap}`;
  const middle = from.y + 59;
  const right = from.x + Math.min(step / 2 - 2, 46);
  const left = to.x - Math.min(step / 2 - 2, 46);
  return `M${from.x + from.gap} ${from.y}H${right - 6}q6 0 6 6V${middle - 6}q0 6 -6 6H${left + 6}q-6 0 -6 6V${to.y - 6}q0 6 6 6H${to.x - to.gap}`;
}

function node(link, { x, y }) {
  const group = drawn("g", { class: link.isFirstBroken ? "link is-first" : "link", transform: `translate(${x} ${y})` });
  if (link.isFirstBroken) {
    group.append(drawn("circle", { class: `ring is-${stateOf(link.status)}`, r: 19 }));
    group.append(drawn("path", { class: `pointer is-${stateOf(link.status)}`, d: "M-6 -31H6L0 -23z" }));
  }
  group.append(mark(stateOf(link.status), 13));
  const words = link.title.split(" ");
  const lines = words.length > 1 && link.title.length > 11 ? [words[0], words.slice(1).join(" ")] : [link.title];
  lines.forEach((line, number) => group.append(drawn("text", { y: 36 + number * 13, "text-anchor": "middle" }, line)));
  group.append(drawn("title", {}, `${link.title}: ${link.reason} ${link.message}`));
  return group;
}

function inWords(links) {
  const broken = links.find((link) => link.isFirstBroken);
  const holding = links.filter((link) => link.status === "True").length;
  const rest = broken ? `the first that does not is ${broken.title}: ${broken.reason}` : "the chain is whole";
  return `Chain of ${links.length} links, of which ${holding} hold; ${rest}`;
}
