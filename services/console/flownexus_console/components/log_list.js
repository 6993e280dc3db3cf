import { ticking, clock } from "/assets/format.js";

const TONES = { error: "bad", critical: "bad", fatal: "bad", warning: "warn", warn: "warn" };

export default {
  mixins: [ticking],
  props: { lines: Array, searched: Boolean },
  template: `
    <ul class="lines log-lines" v-if="lines?.length" tabindex="0" aria-label="Log lines, the newest first">
      <li v-for="line in lines" :key="line.id">
        <span class="number muted" :title="at(line.time)">{{ time(line.time) }}</span>
        <span class="tag" :class="tone(line.level)">{{ line.level }}</span>
        <span class="mono said">{{ line.text }}</span>
      </li>
    </ul>
    <div class="empty" v-else-if="lines && searched">No line has this text in it.</div>
    <div class="empty" v-else-if="lines">
      <strong>No log lines</strong>
      <span>What the device writes to its own log and reports shows up here.</span>
    </div>
    <div class="empty" v-else>Loading…</div>`,
  methods: {
    time: clock,
    tone: (level) => TONES[level.toLowerCase()],
  },
};
