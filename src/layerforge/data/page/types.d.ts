// The shapes that the page's program works with. `tsc --checkJs` holds the program against them.

/** Bytes. */
type Bytes = number;

interface Share {
  name: string;
  files: number;
  unzipped: Bytes;
  zipped: Bytes;
}

interface Package extends Share {
  version: string;
  origin: string;
  licence: string;
  /** bom-ref in the SBOM. */
  ref: string;
}

interface Elf {
  machine: string;
  bits: number;
  soname: string;
  needed: string[];
  runpath: string[];
  stripped: boolean;
  /** Newest symbol version by family. */
  symbols: Record<string, string>;
}

interface More {
  link?: string;
  elf?: Elf;
  trouble?: string;
  pyc?: string;
}

/** Path, unzipped and zipped bytes, number of the kind, number of the package, and more where there is any. */
type FileRow = [string, Bytes, Bytes, number, number, More?];

interface Finding {
  rule: string;
  severity: "error" | "warning";
  path: string;
  /** Lines. */
  message: string[];
  hint: string;
  /** Whether it was found when the layer was built. */
  ran: boolean;
}

interface Rule {
  id: string;
  title: string;
  what: string;
  why: string;
  mend: string;
}

interface Edits {
  pass: string;
  reason: string;
  bytes: Bytes;
  files: string[];
}

interface Made {
  by: string;
  engine: string;
  interpreter: string;
  compression: string;
  bytecode: string;
  docstrings: string;
  columns: string;
  requires: string[];
  /** What is not in the layer on purpose. */
  left_out: { name: string; version: string; why: "asked" | "runtime" | "only needed by it" }[];
  /** Variables that a function with the layer has to have. */
  env: Record<string, string>;
  budget: { unzipped: Bytes | null; zipped: Bytes | null };
  saved: { pass: string; bytes: Bytes; files: number }[];
  edits: Edits[];
  left: { reason: string; bytes: Bytes; files: string[] }[];
}

interface Ran {
  engine: string;
  skipped: string;
  figures: {
    init_ms: number | null;
    peak_memory: Bytes | null;
    import_seconds: number | null;
    import_cpu_seconds: number | null;
  };
}

interface Component {
  ref: string;
  name: string;
  version: string;
  purl: string;
  licences: string[];
  sha256: string;
  path: string;
  depth: number;
}

interface Import {
  name: string;
  self_us: number;
  total_us: number;
  bytes: Bytes;
  children: Import[];
}

/** A name, and for each layer the microseconds that it takes alone. */
type StartRow = [string, ...number[]];

/** Where a start's time goes, in the layer that this one was held against, if there is one, and then in this one. */
interface Start {
  layers: string[];
  modules: number[];
  by_package: StartRow[];
  by_module: StartRow[];
}

/** A value for each run. */
interface Runs {
  layer: string;
  memory_mb: number;
  init_ms: number[];
  first_invoke_ms: number[];
  second_invoke_ms: number[];
  peak_memory: Bytes[];
  dollars_per_million: number | null;
}

interface Delta {
  before: number;
  after: number;
  change: number;
}

interface Part {
  name: string;
  before: string;
  after: string;
  unzipped: Delta;
  zipped: Delta;
  files: Delta;
}

/** What differs from an older layer. */
interface Changes {
  zip_bytes: Delta;
  unzipped_bytes: Delta;
  files: Delta;
  same_bytes: boolean;
  same_content: boolean;
  init_ms: Delta | null;
  /** Size of the function that was measured. */
  init_memory_mb: number | null;
  init_in_turns: boolean | null;
  init_overlap: boolean | null;
  packages: Part[];
  kinds: Part[];
  changed_files: { path: string; was: string; status: string; unzipped: Delta; zipped: Delta }[];
  findings: { new: Finding[]; gone: Finding[] };
  /** How the layers were made, where that differs. */
  made: { name: string; before: string; after: string }[];
}

/** What would help. No two save the same bytes. */
interface Advice {
  kind: string;
  message: string;
  how: string;
  bytes: Bytes;
  zipped: Bytes | null;
  files: number;
  ms: number | null;
}

interface Page {
  name: string;
  python: string;
  arch: string;
  os: string;
  zip_bytes: Bytes;
  unzipped_bytes: Bytes;
  /** Bytes of the zip that belong to no file: its headers and its directory. */
  overhead_bytes: Bytes;
  sha256: string;
  content_sha256: string;
  unzipped_limit: Bytes;
  upload_limit: Bytes;
  kinds: string[];
  kind_sums: Share[];
  packages: Package[];
  files: FileRow[];
  findings: Finding[];
  rules: Record<string, Rule>;
  notes: string[];
  made: Made | null;
  ran: Ran | null;
  sbom: { file: string; components: Component[] } | null;
  coldstart: { imports: Import[]; runs: Runs[]; start: Start | null } | null;
  advice: Advice[];
  changes: Changes | null;
}

/** Something that a chart shows as an area, and a list as a row. */
interface Area {
  id: string;
  name: string;
  parent: Area | null;
  children: Area[];
  /** By measure. The size of an area with children is at least theirs. */
  sizes: number[];
  /** Files in it. */
  count: number;
  /** Number of the colour; -1 for what is made of others. */
  tone: number;
  /** Sizes of the files in it by the number of their colour. */
  tones: Map<number, number[]>;
  /** Whether it stands for a package or a kind rather than a folder. */
  group: boolean;
  file?: FileRow;
  module?: Import;
}

/** An area of an icicle: how deep it hangs, and where it begins and ends. */
interface Bar {
  area: Area;
  level: number;
  from: number;
  to: number;
}

/** A way to draw areas. */
interface Chart {
  /** Draws an area and what is in it. */
  show(here: Area, measure: number): void;
  /** Makes an area stand out, or none. */
  mark(area: Area | null): void;
}

interface ExplorerOptions {
  chart: (place: HTMLElement, onPick: (area: Area) => void) => Chart;
  /** Name of the whole, for people who cannot see the chart. */
  label: string;
  headers: string[];
  cells: (area: Area, measure: number) => string[];
  /** A size in words. */
  told: (size: number, measure: number) => string;
  /** What is shown of an area that has nothing in it. */
  details: (area: Area) => [string, string][];
}

interface Explorer {
  show(root: Area, measure: number, flat?: Area[]): void;
  /** Zooms to the area around this one, and selects it. */
  select(area: Area): void;
}

declare const echarts: { init(place: HTMLElement, theme?: unknown, options?: object): any };
