// How values and times are written, the same on every page.

const UNITS = [
  [60, 1, "s"],
  [3600, 60, "min"],
  [86400, 3600, "h"],
  [Infinity, 86400, "d"],
];

/** "12 s ago", "in 4 min", "now"; both in milliseconds. */
export function relative(then, now) {
  const seconds = (now - then) / 1000;
  const size = Math.abs(seconds);
  if (size < 1.5) return "now";
  const [, divisor, unit] = UNITS.find(([limit]) => size < limit);
  const text = `${Math.floor(size / divisor)} ${unit}`;
  return seconds < 0 ? `in ${text}` : `${text} ago`;
}

/** Local date and time to the second, with the zone. */
export function absolute(iso) {
  return new Date(iso).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
}

export function clock(iso) {
  return new Date(iso).toLocaleTimeString(undefined, { hour12: false });
}

/** 900 -> "15 min", 86400 -> "1 d". */
export function duration(seconds) {
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]])
    if (seconds >= size && seconds % size === 0) return `${seconds / size} ${unit}`;
  return `${seconds} s`;
}

/** A LwM2M value as people read it. `type` is the data type of its model, or null. */
export function value(raw, type) {
  if (raw === null || raw === undefined) return "";
  if (type === "time" && typeof raw === "number")
    return new Date(raw * 1000).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
  if (type === "opaque") return `${Math.floor((String(raw).replace(/=+$/, "").length * 3) / 4)} bytes`;
  if (typeof raw === "boolean") return raw ? "true" : "false";
  if (typeof raw === "number" && !Number.isInteger(raw)) return String(Number(raw.toPrecision(7)));
  return String(raw);
}

/** A clock for Vue components: `now` in milliseconds of the server's clock, each second. */
export const ticking = {
  props: { clock: Number },
  data: () => ({ now: Date.now(), skew: 0 }),
  watch: {
    clock: {
      immediate: true,
      handler(server) {
        if (server) this.skew = server * 1000 - Date.now();
        this.now = Date.now() + this.skew;
      },
    },
  },
  mounted() {
    this.ticker = setInterval(() => (this.now = Date.now() + this.skew), 1000);
  },
  beforeUnmount() {
    clearInterval(this.ticker);
  },
  methods: {
    ago(iso) {
      return iso ? relative(new Date(iso).getTime(), this.now) : "never";
    },
    at(iso) {
      return iso ? absolute(iso) : "";
    },
  },
};
