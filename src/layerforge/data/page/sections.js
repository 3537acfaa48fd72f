// The parts of the page that are text and tables.

/** Characters of a line of a message. */
const LONGEST_LINE = 500;

/** @param {Page} page */
function showHead(page) {
  at("name").append(named(page.name));
  const left = page.unzipped_limit - page.unzipped_bytes;
  const over = page.zip_bytes > page.upload_limit;
  const facts = {
    "for": `Python ${page.python} on ${page.arch} (${page.os})`,
    "unzipped": `${exact(page.unzipped_bytes)} bytes (${bytes(page.unzipped_bytes)})`,
    "zip": `${exact(page.zip_bytes)} bytes (${bytes(page.zip_bytes)})${over ? ", more than a direct upload takes" : ""}`,
    "files": exact(page.files.length),
    "sha256": page.sha256,
    "content_sha256": page.content_sha256,
    ...madeFacts(page),
    ...ranFacts(page.ran),
  };
  at("facts").append(...terms(facts));
  at("room").append(
    h("meter", { min: 0, max: page.unzipped_limit, high: page.unzipped_limit * 0.9, value: page.unzipped_bytes, "aria-labelledby": "left" }),
    h("p", { id: "left" }, ...room(page, left)),
  );
}

/** @param {Page} page @param {number} left */
function room(page, left) {
  const words = left < 0 ? "are too many" : "are left for the function and its other layers";
  const limit = `Lambda allows ${exact(page.unzipped_limit)} (${mebibytes(page.unzipped_limit)}) for a function and all its layers.`;
  return [h("strong", { id: "left-bytes" }, exact(Math.abs(left))), ` bytes (${mebibytes(Math.abs(left))}) ${words}. ${limit}`];
}

/** Lambda's 250 MB are these. @param {Bytes} size */
const mebibytes = (size) => `${exact(size / 2 ** 20, size % 2 ** 20 ? 1 : 0)} MiB`;

/** @param {Record<string, string>} facts */
const terms = (facts) => Object.entries(facts).map(([term, text]) => h("div", {}, h("dt", {}, term), h("dd", {}, named(text))));

/** @param {Page} page @returns {Record<string, string>} */
function madeFacts(page) {
  const made = page.made;
  if (!made) return { "made by": "unknown: no manifest of these bytes lies beside the zip" };
  const code = made.interpreter ? `, compiled by ${made.interpreter}` : "";
  return {
    "made by": `layerforge ${made.by}, engine ${made.engine}, compression ${made.compression}`,
    "bytecode": `${made.bytecode}, docstrings ${made.docstrings}${code}`,
    "requires": made.requires.join(", "),
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

/** What would help most, as measured of these very files. @param {Page} page */
function showAdvice(page) {
  if (!page.advice.length) return at("advice-part").remove();
  const item = (/** @type {Page["advice"][0]} */ one) => h("li", {}, ...prose(one.message), h("p", { class: "mend" }, "→ ", ...prose(one.how)));
  at("advice").append(h("ol", {}, ...page.advice.map(item)));
}

/** What is another than in an older layer. @param {Page} page @param {(path: string) => Node} shown */
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
  const left = made.left.map((one) => [named(one.reason), folded(counted(one.files.length, "file"), () => paths(one.files))]);
  at("ledger").append(
    table("What each pass saved", ["pass", "#bytes saved", "#files"], saved),
    h("h3", {}, "By reason"),
    table("What was saved, by reason", ["pass", "reason", "#bytes saved", "files"], edits),
    h("h3", {}, "What was left as it was"),
    left.length ? table("What was left as it was", ["why", "files"], left) : h("p", {}, "Nothing that a pass would have changed."),
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
