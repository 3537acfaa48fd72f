// The trees that charts and lists show.

const UNZIPPED = 0;
const ZIPPED = 1;

/** Ids that no other area of the page has. */
const nextId = ((last) => () => `area-${(last += 1)}`)(0);

/** @param {string} name @param {Area | null} parent @param {number} tone @returns {Area} */
const area = (name, parent, tone = -1) => ({ id: nextId(), name, parent, children: [], sizes: [0, 0], count: 0, tone, tones: new Map(), group: false });

/** The colour of an area: its own, else that of which it has most. @param {Area} one @param {number} measure */
function toneOf(one, measure) {
  if (one.tone >= 0) return one.tone;
  const most = [...one.tones].reduce((best, next) => (next[1][measure] > best[1][measure] ? next : best), [-1, [0, 0]]);
  return /** @type {number} */ (most[0]);
}

/**
 * The tree of some files. Each is counted once, and so is what the archive itself takes.
 * @param {string} name
 * @param {FileRow[]} files
 * @param {(file: FileRow) => string[]} groups  Names of the groups that a file stands in, outermost first.
 * @param {{name: string, size: Bytes, tone: number}} structure
 */
function fileTree(name, files, groups, structure) {
  const root = area(name, null);
  /** @type {Map<Area, Map<string, Area>>} */
  const known = new Map();
  for (const file of files) {
    const parts = file[0].split("/").filter(Boolean);
    const leaf = area(parts.pop() ?? "", null, file[3]);
    leaf.file = file;
    const group = groups(file).reduce((outer, name) => inner(known, outer, name, true), root);
    adopt(parts.reduce((outer, name) => inner(known, outer, name, false), group), leaf);
    add(leaf, [file[1], file[2]], 1);
  }
  if (structure.size > 0) {
    const rest = area(structure.name, null, structure.tone);
    adopt(root, rest);
    add(rest, [0, structure.size], 0);
  }
  root.children.forEach(joinChains);
  return root;
}

/** The group or folder of that name in another. @param {Map<Area, Map<string, Area>>} known @param {Area} outer @param {string} name @param {boolean} group */
function inner(known, outer, name, group) {
  const inside = known.get(outer) ?? new Map();
  known.set(outer, inside);
  const found = inside.get(name);
  if (found) return found;
  const made = { ...area(name, null), group };
  adopt(outer, made);
  inside.set(name, made);
  return made;
}

/** @param {Area} parent @param {Area} child */
function adopt(parent, child) {
  child.parent = parent;
  parent.children.push(child);
}

/** Adds to an area and all around it. @param {Area} from @param {number[]} sizes @param {number} count */
function add(from, sizes, count) {
  for (let one = /** @type {Area | null} */ (from); one; one = one.parent) {
    one.sizes = one.sizes.map((size, measure) => size + sizes[measure]);
    one.count += count;
    const kept = one.tones.get(from.tone) ?? [0, 0];
    one.tones.set(from.tone, kept.map((size, measure) => size + sizes[measure]));
  }
}

/** A folder that holds nothing but a folder is shown as one: `python/numpy`. A group keeps its name. @param {Area} folder */
function joinChains(folder) {
  while (folder.children.length === 1 && folder.children[0].children.length && !folder.children[0].group) {
    const only = folder.children[0];
    if (!folder.group) folder.name += `/${only.name}`;
    folder.children = only.children;
    folder.children.forEach((child) => (child.parent = folder));
  }
  folder.children.forEach(joinChains);
}

/** The tree of imports: its sizes are microseconds and bytes, with all that a module imports. @param {Import[]} imports */
function importTree(imports) {
  const root = area("all imports", null);
  /** @param {Import} module @param {Area} parent */
  const grow = (module, parent) => {
    const made = area(module.name, null, module.bytes ? 0 : 1);
    made.module = module;
    adopt(parent, made);
    module.children.forEach((child) => grow(child, made));
    made.sizes = [module.total_us, module.bytes + total(made.children, 1)];
    made.count = 1 + made.children.reduce((sum, child) => sum + child.count, 0);
  };
  imports.forEach((module) => grow(module, root));
  root.sizes = [total(root.children, 0), total(root.children, 1)];
  root.count = root.children.reduce((sum, child) => sum + child.count, 0);
  return root;
}

/** @param {Area[]} areas @param {number} measure */
const total = (areas, measure) => areas.reduce((sum, one) => sum + one.sizes[measure], 0);

/** @param {number} measure @returns {(one: Area, other: Area) => Area} */
const larger = (measure) => (one, other) => (other.sizes[measure] > one.sizes[measure] ? other : one);

/** The areas in one, the largest first. @param {Area} parent @param {number} measure */
const largest = (parent, measure) =>
  [...parent.children].sort((one, other) => other.sizes[measure] - one.sizes[measure] || (one.name < other.name ? -1 : 1));

/**
 * What of an area to draw: the largest folder in it is opened, then the next, until there are that many areas or what is
 * left is too small to be seen. An area that is all there is shows what is in it, however small. Gives what is drawn in
 * each opened folder, the largest first.
 * @param {Area} here @param {number} measure @param {number} most @param {{drawn: number, opened: number}} smallest  Parts of `here`.
 * @returns {Map<Area, Area[]>}
 */
function opened(here, measure, most, smallest) {
  const whole = here.sizes[measure];
  /** @param {Area} one @returns {boolean} */
  const alone = (one) => one === here || (one.parent?.children.length === 1 && alone(one.parent));
  const drawn = new Map();
  const waiting = [here];
  for (let room = most; room > 0 && waiting.length; ) {
    const next = waiting.reduce(larger(measure));
    waiting.splice(waiting.indexOf(next), 1);
    const all = alone(next);
    const inside = largest(next, measure).filter((one) => all || one.sizes[measure] >= smallest.drawn * whole).slice(0, room);
    if (inside.length) drawn.set(next, inside);
    room -= inside.length;
    waiting.push(...inside.filter((one) => one.children.length && one.sizes[measure] >= smallest.opened * whole));
  }
  return drawn;
}

/** What is not drawn of an opened folder, as one area. @param {Area} folder @param {Area[]} drawn @returns {Area[]} */
function remainder(folder, drawn) {
  const hidden = folder.children.length - drawn.length;
  if (!hidden) return [];
  const rest = { ...area(`${exact(hidden)} smaller in ${folder.name}`, folder), id: `${folder.id}-rest` };
  rest.sizes = folder.sizes.map((size, measure) => size - total(drawn, measure));
  rest.tones = tonesOf(folder.children.filter((one) => !drawn.includes(one)));
  rest.count = folder.count - drawn.reduce((sum, one) => sum + one.count, 0);
  return [rest];
}

/** @param {Area[]} areas @returns {Map<number, number[]>} */
function tonesOf(areas) {
  const found = new Map();
  for (const one of areas) {
    for (const [tone, sizes] of one.tones) {
      found.set(tone, sizes.map((size, measure) => size + (found.get(tone)?.[measure] ?? 0)));
    }
  }
  return found;
}

/** From the whole to an area. @param {Area | null} area @returns {Area[]} */
const lineage = (area) => (area ? [...lineage(area.parent), area] : []);

/** Every area that has a file. @param {Area} area @returns {Area[]} */
const leaves = (area) => (area.children.length ? area.children.flatMap(leaves) : area.file ? [area] : []);

/** The area in `here` that `inside` is in, or is. @param {Area} here @param {Area} inside */
function towards(here, inside) {
  const line = lineage(inside);
  return line[line.indexOf(here) + 1] ?? here;
}
