// Puts the page together.

/** Headers, directory and end of the zip. */
const STRUCTURE = "archive structure";

/** @type {Page} */
const page = JSON.parse(at("data").textContent);

/** By its name in the form, the groups that a file stands in. @type {Record<string, (file: FileRow) => string[]>} */
const GROUPINGS = {
  package: (file) => [packageName(file)],
  folder: () => [],
  kind: (file) => [page.kinds[file[3]], packageName(file)],
};

/** @param {FileRow} file */
const packageName = (file) => page.packages[file[4]].name || "(no package)";

/** @param {string} name */
const chosen = (name) => /** @type {any} */ (document.forms.namedItem("view"))?.elements[name].value;

/** @param {Area} one @param {number} measure */
const wholeOf = (one, measure) => lineage(one)[0].sizes[measure];

/** @param {Area} one */
const areaLines = (one) => [
  `${bytes(one.sizes[UNZIPPED])} unzipped, ${bytes(one.sizes[ZIPPED])} zipped`,
  one.file ? `${page.kinds[one.file[3]]}, ${packageName(one.file)}` : counted(one.count, "file"),
];

/** @param {Area} one @returns {[string, string][]} */
function fileFacts(one) {
  if (!one.file) return [["what", one.name], ...sizeFacts(one)];
  const [path, , , kind, , more] = one.file;
  return [
    ["file", path],
    ["package", packageName(one.file)],
    ["kind", page.kinds[kind]],
    ...sizeFacts(one),
    ...moreFacts(more ?? {}),
  ];
}

/** @param {Area} one @returns {[string, string][]} */
const sizeFacts = (one) => [["unzipped", `${exact(one.sizes[UNZIPPED])} bytes`], ["zipped", `${exact(one.sizes[ZIPPED])} bytes`]];

/** @param {More} more @returns {[string, string][]} */
function moreFacts({ link, elf, trouble, pyc }) {
  /** @type {[string, string | undefined][]} */
  const facts = [
    ["links to", link],
    ["machine", elf && `${elf.machine}, ${elf.bits} bits`],
    ["versions needed", elf && (Object.values(elf.symbols).join(", ") || "none")],
    ["libraries needed", elf && (elf.needed.join(", ") || "none")],
    ["searched in", elf?.runpath.join(", ") || undefined],
    ["stripped", elf && (elf.stripped ? "yes" : "no")],
    ["bytecode", pyc],
    ["trouble", trouble],
  ];
  return /** @type {[string, string][]} */ (facts.filter(([, text]) => text));
}

const map = explorer(at("map"), {
  chart: (place, onPick) => treemap(place, onPick, areaLines),
  label: "Bytes of the layer",
  headers: ["name", "bytes", "share", "files"],
  cells: (one, measure) => [exact(one.sizes[measure]), share(one.sizes[measure], wholeOf(one, measure)), exact(one.count)],
  told: bytes,
  details: fileFacts,
});

/** Draws what the form asks for. */
function showMap() {
  const measure = chosen("bytes") === "zipped" ? ZIPPED : UNZIPPED;
  const wanted = chosen("search").trim().toLowerCase();
  const files = wanted ? page.files.filter((file) => file[0].toLowerCase().includes(wanted)) : page.files;
  const structure = { name: STRUCTURE, size: wanted || measure === UNZIPPED ? 0 : page.overhead_bytes, tone: page.kinds.length };
  const root = fileTree(wanted ? `“${wanted}”` : page.name, files, GROUPINGS[chosen("by")], structure);
  map.show(root, measure, wanted ? leaves(root) : undefined);
  at("shown").textContent = `${counted(files.length, "file")}, ${exact(root.sizes[measure])} bytes ${chosen("bytes")}`;
}

/** A file's name that leads to the file, where the layer has it. @param {string} path */
function shown(path) {
  if (!page.files.some((file) => file[0] === path)) return named(path);
  return h("button", { type: "button", class: "link", onclick: () => lead(path) }, named(path));
}

/** @param {string} path */
function lead(path) {
  const search = /** @type {any} */ (document.forms.namedItem("view")).elements.search;
  search.value = path;
  showMap();
  at("map-part").scrollIntoView();
  search.focus();
}

/** The colours and what they stand for. */
function showLegend() {
  /** @param {string} name @param {number} tone */
  const item = (name, tone) => h("li", {}, h("span", { class: `swatch tone${tone}`, "aria-hidden": "true" }), name);
  at("legend").append(...[...page.kinds, STRUCTURE].map(item), h("li", {}, "a folder that is not opened has the colour of what it holds most of"));
}

/** Runs something once no call has come for a while. @param {() => void} run @param {number} wait */
function calmly(run, wait) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(run, wait);
  };
}

function start() {
  const form = /** @type {HTMLFormElement} */ (document.forms.namedItem("view"));
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const input of form.querySelectorAll("input")) {
    if (input.type === "search") input.addEventListener("input", calmly(showMap, 150));
    else input.addEventListener("change", showMap);
  }
  showHead(page);
  showLegend();
  showAdvice(page);
  showChanges(page, shown);
  showFindings(page, shown);
  showPackages(page);
  showLedger(page);
  showNative(page, shown);
  showSbom(page, shown);
  document.documentElement.classList.add("ready");
  showMap();
  showColdStart(page);
  addEventListener("beforeprint", () => document.querySelectorAll(".rule > details").forEach((one) => one.setAttribute("open", "")));
  for (const item of document.querySelectorAll("nav.toc li")) {
    if (!at(item.querySelector("a")?.hash.slice(1) ?? "")) item.remove();
  }
}

start();
