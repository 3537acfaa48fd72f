// Elements, words and numbers. Text enters the page here alone, and as text.

const LONGEST = 110;

/**
 * An element. `on…` are listeners; everything else is an attribute, and left out where it is null or false.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string | null)} children
 * @returns {any}
 */
function h(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value != null && value !== false) made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** @param {string} id @returns {any} */
const at = (id) => document.getElementById(id);

/** A long text without its middle. @param {string} text */
function cut(text, most = LONGEST) {
  if (text.length <= most) return text;
  const tail = Math.floor(most * 0.6);
  return `${text.slice(0, most - tail - 1)}…${text.slice(-tail)}`;
}

/** A name from the zip: short, set apart from the words around it, whole in its tooltip. @param {string} text */
function named(text, most = LONGEST) {
  return h("bdi", { dir: "ltr", class: "name", title: text.length > most ? text : null }, cut(text, most));
}

/** Text in which backticks mean code. @param {string} text @returns {(Node | string)[]} */
function prose(text) {
  const parts = text.split(/(``.+?``|`[^`]+`)/);
  return parts.map((part, number) => (number % 2 ? h("code", {}, part.replace(/^`+|`+$/g, "")) : part));
}

/** `168.5 MB`: decimal units, as AWS's console shows them. @param {number} size */
function bytes(size) {
  /** @type {[string, number][]} */
  const units = [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]];
  const found = units.find(([, factor]) => Math.abs(size) >= factor);
  if (!found) return `${size} bytes`;
  return `${exact(size / found[1], 1)} ${found[0]}`;
}

/** `168,534,092`. @param {number} number */
function exact(number, digits = 0) {
  return number.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** `1 file`, `2,300 files`. @param {number} number @param {string} noun */
const counted = (number, noun) => `${exact(number)} ${noun}${number === 1 ? "" : "s"}`;

/** `12.3 ms`. @param {number} us */
const milliseconds = (us) => `${exact(us / 1000, 1)} ms`;

/** `12%`; what is little is not nothing. @param {number} part @param {number} whole */
function share(part, whole) {
  const percent = whole > 0 ? (100 * part) / whole : 0;
  return percent > 0 && percent < 0.1 ? "<0.1%" : `${exact(percent, percent < 10 ? 1 : 0)}%`;
}

/** What the button below a list says that does not show all it could; on paper it says what is missing. @param {number} all @param {number} shown */
const allOf = (all, shown) => `The first ${exact(shown)} of ${exact(all)}: show all`;

/**
 * A table; long ones show their first rows, and the others when asked for them.
 * @param {string} caption
 * @param {string[]} headers  A `#` before a header means that its column holds numbers.
 * @param {(string | Node)[][]} rows
 */
function table(caption, headers, rows, most = 50) {
  const body = h("tbody");
  const numbers = headers.map((header) => header.startsWith("#"));
  /** @param {(string | Node)[]} row */
  const line = (row) => h("tr", {}, ...row.map((cell, number) => cellOf(cell, number, numbers[number])));
  body.append(...rows.slice(0, most).map(line));
  const heads = headers.map((header, number) =>
    h("th", { scope: "col", class: numbers[number] && "number" }, header.replace(/^#/, "")),
  );
  const made = h("table", {}, h("caption", { class: "unseen" }, caption), h("thead", {}, h("tr", {}, ...heads)), body);
  const frame = h("div", { class: "frame", tabindex: "0", role: "group", "aria-label": caption }, made);
  if (rows.length <= most) return frame;
  const more = h("button", { type: "button", class: "quiet" }, allOf(rows.length, most));
  more.addEventListener("click", () => (body.append(...rows.slice(most).map(line)), more.remove()));
  return h("div", {}, frame, more);
}

/** @param {string | Node} cell @param {number} column @param {boolean} isNumber */
function cellOf(cell, column, isNumber) {
  return column ? h("td", { class: isNumber && "number" }, cell) : h("th", { scope: "row" }, cell);
}

/** A list that is made when it is opened. @param {string} title @param {() => Node} content */
function folded(title, content) {
  const made = h("details", {}, h("summary", {}, title));
  made.addEventListener("toggle", () => made.append(content()), { once: true });
  return made;
}

/** @param {string[]} paths */
const paths = (paths) => h("ul", { class: "paths", tabindex: "0", "aria-label": "Files" }, ...paths.map((path) => h("li", {}, named(path))));
