"use strict";
// Searches the album that lies in this page: prepared queries and what each found. No model, no network, no storage.
// Whatever comes from a file's name or a query goes into the page as text, never as markup.

const PAGE = 60;       // tiles drawn at once
const SUGGESTED = 12;  // chips shown at once
const PASSES = 85;     // strengths run from 0 to 255; a third of that is the cutoff, see display/scale.py
const GOOD = 128;
const WORDS = [[191, "strong"], [GOOD, "good"], [PASSES, "fair"], [0, "weak"]];
const NO_WORD = new Set("a an the some of in on at with and or to by for from my is are".split(" "));

const $ = id => document.getElementById(id);
const data = JSON.parse($("data").textContent);

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// what was prepared: of each query, and of each picture, a list of [picture, strength], the best first

function unpack({counts, items, strengths}) {
  const bytes = text => Uint8Array.from(atob(text), sign => sign.charCodeAt(0));
  const which = new Uint16Array(bytes(items).buffer), strong = bytes(strengths);
  let from = 0;
  return counts.map(count => {
    const list = Array.from({length: count}, (_, i) => [which[from + i], strong[from + i]]);
    from += count;
    return list;
  });
}

const found = unpack(data.found), alike = unpack(data.alike);
const passing = found.map(list => list.filter(([, strength]) => strength >= PASSES).length);
const wordsOf = data.queries.map(stems);
const shows = data.ratios.map(() => []); // of each picture the queries that it is a good match of
found.forEach((list, query) => list.forEach(([item, strength]) => {
  if (strength >= GOOD) shows[item].push([query, strength]);
}));
for (const list of shows) list.sort((a, b) => b[1] - a[1]);

// words

function stems(text) {
  const plain = text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  const words = plain.match(/[\p{L}\p{N}]+/gu) ?? [];
  const kept = words.filter(word => !NO_WORD.has(word));
  return (kept.length ? kept : words).map(word => word.length > 3 ? word.replace(/(?<=[^s])s$/, "") : word);
}

/** The prepared queries that hold every word typed, the last one perhaps in part: the shortest first, then those that find most. */
function holding(typed) {
  if (!typed.length) return [];
  const last = typed.length - 1;
  const fits = words => typed.every((word, i) => words.some(one => one === word || (i === last && one.startsWith(word))));
  return [...wordsOf.keys()].filter(query => fits(wordsOf[query])).sort((a, b) => rank(a, typed) - rank(b, typed));
}

function rank(query, typed) {
  const extra = wordsOf[query].length - typed.length, whole = typed.every(word => wordsOf[query].includes(word));
  return (whole ? 0 : 1000) + 10 * extra - Math.min(9, passing[query] / 10);
}

/** The prepared queries that share a word with what was typed, or the beginning of one. */
function nearest(typed) {
  const near = (a, b) => a === b ? 3 : a.length > 3 && b.length > 3 && a.slice(0, 4) === b.slice(0, 4) ? 2 : 0;
  const scored = wordsOf.map((words, query) => [query, typed.reduce((sum, one) => sum + Math.max(0, ...words.map(word => near(one, word))), 0)]);
  return scored.filter(([, score]) => score).sort((a, b) => b[1] - a[1] || passing[b[0]] - passing[a[0]]).map(([query]) => query);
}

/** Where each word typed is a prepared query of its own: what all of these find. */
function together(typed) {
  const parts = typed.map(word => wordsOf.findIndex(words => words.length === 1 && words[0] === word));
  if (typed.length < 2 || parts.includes(-1)) return null;
  const strengths = parts.map(query => new Map(found[query]));
  const list = found[parts[0]].map(([item]) => [item, Math.min(...strengths.map(of => of.get(item) ?? 0))]);
  return {parts, list: list.filter(([, strength]) => strength >= PASSES).sort((a, b) => b[1] - a[1])};
}

// answers: what a question shows. `list` has [picture, strength]; a strength of null is no search

function everything() {
  const list = data.covers.map(item => [item, null]);
  return {heading: "Everything", said: data.summary, list, near: []};
}

function ofQuery(query) {
  const list = found[query], count = passing[query];
  if (count) return {heading: data.queries[query], said: `${count < data.most ? "" : "The best: "}${things(list)}`, list: list.slice(0, count), near: [], query};
  return {heading: data.queries[query], said: "Nothing here fits well enough. These come nearest:", list, near: [], query, below: true};
}

/** What is like a picture, in words, and the list. */
function likenesses(item) {
  const list = alike[item].filter(([, strength]) => strength >= PASSES);
  if (list.length) return {said: `${things(list)} like it`, list};
  return {said: "Nothing here is much like it. These come nearest:", list: alike[item]};
}

function ofWords(text) {
  const typed = stems(text), same = words => words.length === typed.length && typed.every(word => words.includes(word));
  const asked = data.queries.indexOf(text), query = asked >= 0 ? asked : wordsOf.findIndex(same);
  if (query >= 0) return ofQuery(query);
  const named = data.names ? data.covers.filter(item => data.names[item].toLowerCase().includes(text.toLowerCase())) : [];
  if (named.length) return {heading: `Named “${text}”`, said: `${named.length} by file name`, list: named.map(item => [item, null]), near: []};
  const both = together(typed);
  const near = [...new Set([...holding(typed), ...nearest(typed)])].slice(0, SUGGESTED), offered = near.length ? near : data.start;
  if (both?.list.length) {
    const parts = both.parts.map(query => `“${data.queries[query]}”`).join(" and ");
    return {heading: text, said: `Not prepared as a whole; ${things(both.list)} found for ${parts}, each by itself.`, list: both.list, near};
  }
  const offer = near.length ? "Prepared and near to it:" : "Prepared are, among others:";
  const said = `This page has no model inside and answers what was prepared for it. “${text}” was not. ${offer}`;
  return {heading: text, said, list: [], near: offered};
}

function things(list) {
  const videos = list.filter(([item]) => data.times[item] !== null).length, photos = list.length - videos;
  const some = (number, what) => number ? `${number} ${what}${number > 1 ? "s" : ""}` : "";
  return [some(photos, "photo"), some(videos, "video moment")].filter(Boolean).join(" and ") || "0 pictures";
}

// one picture

function clock(seconds) {
  const whole = Math.floor(seconds), two = number => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

const source = item => data.pictures[item] ? `data:image/jpeg;base64,${data.pictures[item]}` : "";
const label = item => data.names ? data.names[item] : `${data.times[item] === null ? "photo" : "video"} ${item + 1}`;
const strengthWord = strength => WORDS.find(([least]) => strength >= least)[1];

/** A description for those who cannot see the picture: what it may show, its name, its time. */
function described(item) {
  const may = shows[item].slice(0, 2).map(([query]) => data.queries[query]);
  const time = data.times[item] === null ? "" : `, at ${clock(data.times[item])}`;
  return `${label(item)}${time}${may.length ? `: perhaps ${may.join(", ")}` : ""}`;
}

function shot(item, list) {
  const button = make("button", {className: "shot", type: "button"});
  button.setAttribute("aria-label", described(item));
  if (source(item)) button.append(make("img", {src: source(item), alt: ""}));
  else button.append("no preview");
  if (data.times[item] !== null) button.append(make("span", {className: "time", textContent: `▶ ${clock(data.times[item])}`}));
  button.onclick = () => open(item, list);
  return button;
}

function tile([item, strength], list, below) {
  const cap = make("div", {className: "cap"}, make("span", {textContent: data.names ? data.names[item] : data.dates?.[item] ?? ""}));
  if (strength !== null) {
    const bar = make("i");
    bar.style.width = `${strength / 2.55}%`;
    cap.append(make("span", {className: "meter"}, bar), make("span", {className: "dim", textContent: strengthWord(strength)}));
  } else if (data.names && data.dates) cap.append(make("span", {className: "dim", textContent: data.dates[item]}));
  const element = make("li", {className: below ? "below" : ""}, shot(item, list), cap);
  element.style.setProperty("--r", data.ratios[item]);
  return element;
}

// the page

let answer, drawn = 0;

function draw() {
  const items = answer.list.map(([item]) => item), first = drawn;
  const some = answer.list.slice(drawn, drawn + PAGE).map(entry => tile(entry, items, answer.below));
  $("tiles").append(...some);
  drawn += some.length;
  $("more").hidden = drawn >= answer.list.length;
  if (first) some[0]?.querySelector("button").focus();
}

const counted = query => passing[query] < data.most ? passing[query] : `${data.most}+`;

function chip(query) {
  const button = make("button", {className: "chip", type: "button"}, `${data.queries[query]} `, make("small", {textContent: counted(query)}));
  button.setAttribute("aria-pressed", String(answer?.query === query));
  button.onclick = () => ask(data.queries[query]);
  return button;
}

function offer(queries) {
  $("chips").replaceChildren(...queries.slice(0, SUGGESTED).map(chip));
}

function show(next) {
  answer = next;
  drawn = 0;
  $("heading").textContent = next.heading;
  $("said").textContent = next.said;
  $("near").replaceChildren(...next.near.map(chip));
  $("tiles").replaceChildren();
  draw();
  offer(next.near.length ? [] : data.start);
}

/** Ask in the address, so that Back goes back; the same question again is asked again. */
function ask(words) {
  const hash = words ? `#${new URLSearchParams({q: words})}` : "#";
  if (location.hash === hash || (!words && !location.hash)) answerAddress();
  else location.hash = hash;
}

function answerAddress() {
  const words = new URLSearchParams(location.hash.slice(1)).get("q") ?? "";
  if ($("box").open) $("box").close();
  $("line").value = words;
  $("back").hidden = !words;
  show(words ? ofWords(words) : everything());
  const {top} = $("heading").getBoundingClientRect();
  if (words && (top < 0 || top > innerHeight / 2)) $("ask").scrollIntoView();
}

// one picture, large

let opened, around;

function open(item, list) {
  [opened, around] = [item, list];
  $("large").src = source(item);
  $("large").alt = described(item);
  $("name").textContent = label(item);
  const time = data.times[item] === null ? "" : `best moment at ${clock(data.times[item])} of the video`;
  $("facts").replaceChildren([data.dates?.[item], data.folders?.[item], time].filter(Boolean).join(" · "));
  const link = data.links?.[item];
  if (link) $("facts").append(" ", make("a", {href: link, target: "_blank", rel: "noopener", textContent: "Open in Drive"}));
  $("words").replaceChildren(...shows[item].slice(0, 6).map(([query]) => chip(query)));
  $("shows").hidden = !shows[item].length;
  const {list: similar, said} = likenesses(item), items = similar.map(([one]) => one);
  $("alike").textContent = said;
  $("like").replaceChildren(...similar.map(([one]) => make("li", {}, shot(one, items))));
  for (const [id, step] of [["previous", -1], ["next", 1]]) $(id).disabled = neighbour(step) === undefined;
  if (!$("box").open) $("box").showModal();
  document.querySelector(".side").scrollTop = 0;
  $("name").focus();
}

const neighbour = step => around[around.indexOf(opened) + step];

function turn(step) {
  if (neighbour(step) !== undefined) open(neighbour(step), around);
}

$("ask").onsubmit = event => {
  event.preventDefault();
  ask($("line").value.trim());
  $("line").blur(); // a phone's keyboard would lie over the answer
};
$("line").oninput = () => {
  if ($("line").value) offer(holding(stems($("line").value)));
  else ask("");
};
$("back").onclick = () => {
  ask("");
  $("line").focus();
};
$("more").onclick = draw;
$("close").onclick = () => $("box").close();
$("previous").onclick = () => turn(-1);
$("next").onclick = () => turn(1);
$("box").onkeydown = event => {
  if (event.key === "ArrowLeft") turn(-1);
  if (event.key === "ArrowRight") turn(1);
};
$("box").onclick = event => {
  if (event.target === $("box")) $("box").close();
};
addEventListener("hashchange", answerAddress);
if (!matchMedia("(prefers-reduced-motion: reduce)").matches)
  for (const video of document.querySelectorAll("video[data-plays]")) video.play().catch(() => {});
if (data.ratios.length) {
  $("album").hidden = false;
  $("hint").textContent = data.hint;
  answerAddress();
}
