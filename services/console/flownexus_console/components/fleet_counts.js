const TILES = [
  ["", "total", "endpoints"],
  ["online", "online", "online"],
  ["asleep", "asleep", "asleep"],
  ["offline", "offline", "offline"],
  ["overdue", "overdue", "overdue"],
];

export default {
  props: { counts: Object, readings: Number, status: String },
  emits: ["choose"],
  data: () => ({ tiles: TILES }),
  template: `
    <div class="counts">
      <button v-for="[status_, field, label] in tiles" :key="field" type="button" class="panel count"
              :aria-pressed="String(status === status_)" @click="$emit('choose', status_)">
        <b :data-count="field">{{ counts ? counts[field].toLocaleString() : "–" }}</b>
        <span><i v-if="status_" class="dot" :class="status_"></i>{{ label }}</span>
      </button>
      <div class="panel count rate">
        <b>{{ readings === null || readings === undefined ? "–" : readings.toLocaleString() }}</b>
        <span>readings in the last hour</span>
      </div>
    </div>`,
};
