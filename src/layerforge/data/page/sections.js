// The parts of the page that are text and tables.

/** Characters of a line of a message. */
const LONGEST_LINE = 500;

/** What is to be known first: whether it fits, what is wrong, and, with the advice below, what helps. @param {Page} page */
function showHead(page) {
  at("name").append(named(page.name));
  at("verdict").append(
    h("p", {}, `Python ${page.python} on ${page.arch}, ${counted(page.files.length, "file")}, ${bytes(page.zip_bytes)} zipped, ${bytes(page.unzipped_bytes)} unzipped`),
    h("p", {}, ...upload(page)),
    h("p", {}, ...wrong(page)),
  );
  at("room").append(
    h("div", { id: "bar", class: "room", role: "meter", "aria-valuemin": 0, "aria-labelledby": "left" }, h("div")),
    h("p", { id: "left" }),
  );
  showRoom(page, 0);
  const facts = {
    "for": `Python ${page.python} on ${page.arch} (${page.os})`,
    "unzipped": `${exact(page.unzipped_bytes)} bytes`,
    "zip": `${exact(page.zip_bytes)} bytes`,
    "sha256": page.sha256,
    "content_sha256": page.content_sha256,
    ...madeFacts(page),
    ...ranFacts(page.ran),
  };
  at("facts").append(...terms(facts));
}

/** @param {Page} page */
function upload(page) {
  const over = page.zip_bytes - page.upload_limit;
  if (page.unzipped_bytes > page.unzipped_limit) return ["Lambda refuses it as it is, by whichever way it comes."];
  if (over <= 0) return ["It can be published without a bucket."];
  return [`The zip is ${bytes(over)} above what a direct upload takes (${bytes(page.upload_limit)}), so publishing takes a bucket.`];
}

/** @param {Page} page */
function wrong(page) {
  if (!page.findings.length) return ["Nothing is wrong with it, as far as the rules can tell."];
  const worst = page.findings.find((one) => one.severity === "error") ?? page.findings[0];
  const link = h("a", { href: "#findings-part", class: worst.severity }, summary(page.findings));
  return [link, `: ${worst.rule} `, ...(worst.path ? [named(worst.path), ": "] : []), cut(worst.message[0] ?? "", 240)];
}

/** Shows how much of Lambda's limit is taken once some bytes are saved. @param {Page} page @param {Bytes} saved */
function showRoom(page, saved) {
  const size = page.unzipped_bytes - saved;
  const left = page.unzipped_limit - size;
  const bar = at("bar");
  bar.setAttribute("aria-valuemax", Math.max(page.unzipped_limit, size));
  bar.setAttribute("aria-valuenow", size);
  bar.firstChild.className = left < 0 ? "over" : left < page.unzipped_limit / 10 ? "near" : "";
  bar.firstChild.style.width = `${Math.min(100, (100 * size) / page.unzipped_limit)}%`;
  at("left").replaceChildren(...room(page, left, saved));
}

/** @param {Page} page @param {number} left @param {Bytes} saved */
function room(page, left, saved) {
  const verdict = left < 0 ? `It ${saved ? "would still" : "does"} not fit Lambda: ` : saved ? "It would fit Lambda: " : "It fits Lambda: ";
  const words = left < 0 ? "are too many" : "are left for the function and its other layers";
  const limit = `Lambda allows ${exact(page.unzipped_limit)} (${mebibytes(page.unzipped_limit)}) for a function and all its layers.`;
  const ticked = saved ? ` That is with the ${bytes(saved)} that are ticked below.` : "";
  return [
    h("strong", { class: left < 0 ? "error" : null }, verdict),
    h("strong", { id: "left-bytes" }, exact(Math.abs(left))),
    ` byte${Math.abs(left) === 1 ? "" : "s"} (${mebibytes(Math.abs(left))}) ${Math.abs(left) === 1 ? words.replace("are", "is") : words}. ${limit}${ticked}`,
  ];
}

/** Lambda's 250 MB are these. @param {Bytes} size */
const mebibytes = (size) => `${exact(size / 2 ** 20, size % 2 ** 20 ? 1 : 0)} MiB`;

/** @param {Record<string, string>} facts */
const terms = (facts) => Object.entries(facts).map(([term, text]) => h("div", {}, h("dt", {}, term), h("dd", {}, named(text))));

/** @param {Page} page @returns {Record<string, string>} */
function madeFacts(page) {
  const made = page.made;
  if (!made) return { "made by": "unknown: no manifest of these bytes lies beside the zip" };
  const variables = Object.entries(made.env).map(([name, value]) => `${name}=${value}`);
  const out = made.left_out.map((one) => `${one.version ? `${one.name} ${one.version}` : one.name} (${one.why})`);
  const code = made.interpreter ? `, compiled by ${made.interpreter}` : "";
  return {
    "made by": `layerforge ${made.by}, engine ${made.engine}, compression ${made.compression}`,
    "bytecode": `${made.bytecode}, docstrings ${made.docstrings}, columns ${made.columns}${code}`,
    "requires": made.requires.join(", "),
    ...(out.length ? { "left out": out.join(", ") } : {}),
    ...(variables.length ? { "function's variables": variables.join(", ") } : {}),
  };
}

/** @param {Ran | null} ran @returns {Record<string, string>} */
function ranFacts(ran) {
  if (!ran) return {};
  const { init_ms: init, peak_memory: peak, import_seconds: clock, import_cpu_seconds: cpu } = ran.figures;
  const parts = [
    init === null ? "" : `init ${exact(init)} ms`,
    clock === null ? "" : `import ${exact(clock * 1000)} ms`,
    cpu === null ? "" : `${exact(cpu * 1000)} ms CPU`,
    peak === null ? "" : `peak ${bytes(peak)}`,
  ];
  return { "check": [ran.skipped ? `not run: ${ran.skipped}` : `run on ${ran.engine}`, ...parts.filter(Boolean)].join(", ") };
}

/** @param {Page} page @param {(path: string) => Node} shown  A file's name that leads to the file. */
function showFindings(page, shown) {
  const rules = [...new Set(page.findings.map((one) => one.rule))];
  const place = at("findings");
  place.append(h("p", {}, rules.length ? summary(page.findings) : "Nothing is wrong with this layer, as far as the rules can tell."));
  for (const rule of rules) place.append(ruleBlock(page, rule, shown));
  if (page.notes.length) {
    place.append(h("h3", {}, "Worth knowing"), h("ul", {}, ...page.notes.map((note) => h("li", {}, ...prose(note)))));
  }
}

/** @param {Finding[]} findings */
function summary(findings) {
  const errors = findings.filter((one) => one.severity === "error").length;
  return `${counted(errors, "error")}, ${counted(findings.length - errors, "warning")}`;
}

/** @param {Page} page @param {string} id @param {(path: string) => Node} shown */
function ruleBlock(page, id, shown) {
  const found = page.findings.filter((one) => one.rule === id);
  const rule = page.rules[id];
  const hints = [...new Set(found.map((one) => one.hint))];
  const title = h("h3", {}, h("span", { class: found[0].severity }, `${id} ${found[0].severity}`), ` ${rule.title}`);
  return h("article", { class: "rule", id },
    title,
    found.length > 20 ? folded(counted(found.length, "finding"), () => each(found, shown)) : each(found, shown),
    ...hints.map((hint) => h("p", { class: "mend" }, "→ ", ...prose(hint))),
    meaning(rule).length ? h("details", {}, h("summary", {}, `What ${id} means`), ...meaning(rule)) : null,
  );
}

/** @param {Finding[]} found @param {(path: string) => Node} shown */
function each(found, shown) {
  return h("ul", {}, ...found.map((one) => h("li", {}, ...(one.path ? [shown(one.path), ": "] : []), ...message(one))));
}

/** @param {Finding} one @returns {Node[]} */
function message(one) {
  const lines = one.message.flatMap((line, number) => [...(number ? [h("br")] : []), named(line, LONGEST_LINE)]);
  return one.ran ? [...lines, h("small", {}, " (found when the layer was built)")] : lines;
}

/** @param {Rule} rule */
const meaning = (rule) =>
  [["What", rule.what], ["Why", rule.why], ["Mend", rule.mend]]
    .filter(([, text]) => text)
    .map(([term, text]) => h("p", {}, h("strong", {}, `${term}. `), ...prose(text)));

/** Options of `layerforge build` by the kind of advice that they follow; of the others a build follows most by itself. */
const OPTIONS = new Map([["bytecode-only", "--bytecode only"]]);

/** What would help most, as measured of these very files. What is ticked counts in the bar and in the command. @param {Page} page */
function showAdvice(page) {
  if (!page.advice.length) return at("advice-part").remove();
  const command = h("code", { id: "command" });
  /** @type {Set<Advice>} */
  const ticked = new Set();
  const redraw = () => {
    showRoom(page, [...ticked].reduce((sum, one) => sum + one.bytes, 0));
    command.textContent = buildCommand(page, [...ticked]);
    command.parentElement.hidden = !command.textContent;
  };
  const most = matchMedia("(max-width: 30rem)").matches ? MOST_ADVICE.narrow : MOST_ADVICE.wide;
  const item = (/** @type {Advice} */ one) => {
    const box = h("input", { type: "checkbox", onchange: () => (box.checked ? ticked.add(one) : ticked.delete(one), redraw()) });
    const text = h("span", {}, ...prose(one.message));
    return h("li", {}, one.bytes > 0 ? h("label", {}, box, text) : text, h("p", { class: "mend" }, "→ ", ...prose(one.how)));
  };
  at("advice").append(h("ol", {}, ...page.advice.slice(0, most).map(item)), ...more(page.advice.slice(most).map(item), most), h("p", { class: "command" }, command));
  redraw();
}

/** Pieces of advice that stand in the first screen. */
const MOST_ADVICE = { narrow: 2, wide: 4 };

/** @param {Node[]} items @param {number} before */
const more = (items, before) =>
  items.length ? [h("details", {}, h("summary", {}, `${items.length} more`), h("ol", { start: before + 1 }, ...items))] : [];

/** The command that builds the layer anew with what is ticked. @param {Page} page @param {Advice[]} ticked */
function buildCommand(page, ticked) {
  const released = page.packages.filter((one) => one.name && one.version).map((one) => `${one.name}==${one.version}`);
  const before = (page.made?.left_out ?? []).filter((one) => one.why !== "only needed by it").map((one) => `--leave-out ${one.name}`);
  const leaving = ticked.filter((one) => LEAVING.has(one.kind)).flatMap((one) => one.how.match(/--leave-out [a-z0-9][\w.-]*/g) ?? []);
  const asked = page.made?.requires.length ? page.made.requires : released;
  // A name from a zip may be anybody's: one that begins otherwise could be read as an option or a path.
  const words = asked.filter((word) => /^[a-z0-9]/i.test(word));
  if (!words.length) return "";
  const options = ticked.map((one) => OPTIONS.get(one.kind)).filter(Boolean);
  const target = [`--python ${page.python}`, `--arch ${page.arch}`];
  return ["layerforge build", ...words.map(quoted), ...target, ...new Set([...before, ...leaving]), ...options].join(" ");
}

/** Kinds of advice that are followed by leaving packages out. */
const LEAVING = new Set(["no-graphics", "runtime-has-it", "unused-package"]);

/** A word as a shell takes it whole. @param {string} word */
const quoted = (word) => (/^[\w.,=@:/+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** What differs from an older layer. @param {Page} page @param {(path: string) => Node} shown */
function showChanges(page, shown) {
  const changes = page.changes;
  if (!changes) return at("changes-part").remove();
  const sums = [["unzipped", changes.unzipped_bytes], ["zip", changes.zip_bytes], ["files", changes.files]];
  if (changes.init_ms) sums.push([`init phase at ${exact(changes.init_memory_mb ?? 0)} MB, ms`, changes.init_ms]);
  const packages = changes.packages.map((one) => [
    named(one.name || "(no package)"),
    named(one.before || "–"),
    named(one.after || "–"),
    ...[one.unzipped, one.zipped, one.files].map(grown),
  ]);
  const files = changes.changed_files.map((one) => [
    one.status === "removed" ? named(one.path) : shown(one.path),
    one.status === "changed" && one.was !== one.path ? h("span", {}, "was ", named(one.was)) : one.status,
    ...[one.unzipped, one.zipped].map(grown),
  ]);
  const rows = sums.map(([name, delta]) => [name, ...deltaCells(/** @type {Delta} */ (delta))]);
  const kinds = changes.kinds.map((one) => [one.name, ...[one.unzipped, one.zipped, one.files].map(grown)]);
  const made = changes.made.map((one) => [one.name, named(one.before || "–"), named(one.after || "–")]);
  const chance = changes.init_overlap ? "The init times of the two overlap: their difference may be chance." : null;
  const apart = changes.init_in_turns === false ? "The init times come from two measurements, between which the machine may differ." : null;
  const same = changes.same_bytes ? "The same bytes." : changes.same_content ? "The same files, zipped in another way." : null;
  at("changes").append(
    ...[same, chance, apart].filter(Boolean).map((text) => h("p", {}, text)),
    table("What changed in all", ["what", "#before", "#after", "#change"], /** @type {any} */ (rows)),
    ...part("Packages", "Packages that changed", ["package", "before", "after", "#unzipped", "#zipped", "#files"], packages),
    ...part("Kinds", "Kinds of files that changed", ["kind", "#unzipped", "#zipped", "#files"], kinds),
    ...part("Files", "Files that changed", ["file", "how", "#unzipped", "#zipped"], files),
    ...part("How it was made", "Settings that changed", ["setting", "before", "after"], made),
    ...findingChanges("New findings", changes.findings.new),
    ...findingChanges("Findings that are gone", changes.findings.gone),
  );
}

/** A table below a heading; nothing where it would be empty. @param {string} title @param {string} caption @param {string[]} headers @param {(string | Node)[][]} rows */
const part = (title, caption, headers, rows) => (rows.length ? [h("h3", {}, title), table(caption, headers, rows)] : []);

/** @param {Delta} delta */
const deltaCells = (delta) => [exact(delta.before), exact(delta.after), grown(delta)];

/** `+1,234`. @param {Delta} delta */
const grown = (delta) => (delta.change > 0 ? "+" : "") + exact(delta.change);

/** @param {string} title @param {Finding[]} findings */
function findingChanges(title, findings) {
  if (!findings.length) return [];
  const item = (/** @type {Finding} */ one) => h("li", {}, named([one.rule, one.path, one.message].filter(Boolean).join(" "), LONGEST_LINE));
  return [h("h3", {}, title), h("ul", {}, ...findings.map(item))];
}

/** @param {Page} page */
function showPackages(page) {
  const known = new Map((page.sbom?.components ?? []).map((one, number) => [one.ref, number]));
  /** @param {Package} one  Files of no package stand in the SBOM one by one. */
  const sbomLink = (one) => {
    if (known.has(one.ref)) return h("a", { href: `#component-${known.get(one.ref)}` }, named(one.ref));
    return page.sbom && !one.name ? h("a", { href: "#sbom-part" }, "by file") : "–";
  };
  const rows = page.packages.map((one) => [
    named(one.name || "(no package)"),
    named(one.version),
    one.origin || (one.name ? "unknown" : "–"),
    named(one.licence || (one.name ? "not stated" : "–")),
    sbomLink(one),
    exact(one.files),
    exact(one.unzipped),
    exact(one.zipped),
  ]);
  const headers = ["package", "version", "origin", "licence", "in the SBOM", "#files", "#unzipped", "#zipped"];
  at("packages").append(table("Packages", headers, rows, 500));
  const kinds = page.kind_sums.map((one) => [one.name, exact(one.files), exact(one.unzipped), exact(one.zipped)]);
  kinds.push(["archive structure", "–", "0", exact(page.overhead_bytes)]);
  kinds.push(["in all", exact(page.files.length), exact(page.unzipped_bytes), exact(page.zip_bytes)]);
  at("packages").append(h("h3", {}, "By kind"), table("Kinds of files", ["kind", "#files", "#unzipped", "#zipped"], kinds));
}

/** @param {Page} page @param {(path: string) => Node} shown */
function showSbom(page, shown) {
  const sbom = page.sbom;
  if (!sbom) return at("sbom-part").remove();
  const rows = sbom.components.map((one, number) => [
    h("span", { id: `component-${number}`, class: `depth${Math.min(one.depth, 3)}` }, named(one.name)),
    named(one.version),
    h("span", {}, named(one.ref), ...(one.purl && one.purl !== one.ref ? [h("br"), named(one.purl)] : [])),
    named(one.licences.join(" AND ") || "–"),
    one.path ? shown(one.path) : "–",
    named(one.sha256 || "–", 16),
  ]);
  const headers = ["component", "version", "bom-ref, purl", "licence", "file", "sha256"];
  at("sbom").append(h("p", {}, "From ", named(sbom.file), ", which is about these very bytes."), table("SBOM", headers, rows, 2000));
}

/** @param {Page} page */
function showLedger(page) {
  const made = page.made;
  if (!made) return at("ledger-part").remove();
  const saved = made.saved.map((one) => [one.pass, signed(one.bytes), exact(one.files)]);
  const edits = made.edits.map((one) => [one.pass, one.reason, signed(one.bytes), folded(counted(one.files.length, "file"), () => paths(one.files))]);
  const left = made.left.map((one) => [named(one.reason), exact(one.bytes), folded(counted(one.files.length, "file"), () => paths(one.files))]);
  at("ledger").append(
    table("What each pass saved", ["pass", "#bytes saved", "#files"], saved),
    h("h3", {}, "By reason"),
    table("What was saved, by reason", ["pass", "reason", "#bytes saved", "files"], edits),
    h("h3", {}, "What was left as it was"),
    left.length ? table("What was left as it was", ["why", "#bytes", "files"], left) : h("p", {}, "Nothing that a pass would have changed."),
  );
}

/** @param {number} saved */
const signed = (saved) => (saved < 0 ? `${exact(-saved)} added` : exact(saved));

/** @param {Page} page @param {(path: string) => Node} shown */
function showNative(page, shown) {
  const native = page.files.filter((file) => file[5]?.elf).sort((one, other) => other[1] - one[1]);
  if (!native.length) return at("native-part").remove();
  const rows = native.map((file) => {
    const elf = /** @type {Elf} */ (file[5]?.elf);
    const others = Object.entries(elf.symbols).filter(([family]) => family !== "GLIBC").map(([, version]) => version);
    return [
      shown(file[0]),
      elf.machine,
      named(elf.symbols.GLIBC?.replace("GLIBC_", "") ?? "–"),
      named(others.join(", ") || "–"),
      named(elf.needed.join(", ") || "–"),
      elf.stripped ? "yes" : "no",
      exact(file[1]),
    ];
  });
  const headers = ["file", "machine", "glibc needed", "other versions needed", "libraries needed", "stripped", "#unzipped"];
  at("native").append(table("Native code", headers, rows));
}
