import { ticking, value } from "/assets/format.js";

const TONES = { "in-sync": "good", pending: "", drifted: "warn", refused: "bad", absent: "" };

export default {
  mixins: [ticking],
  props: { standing: Array, operates: Boolean },
  emits: ["remove"],
  data: () => ({ tones: TONES }),
  template: `
    <ul class="lines desired" v-if="standing?.length">
      <li v-for="one in standing" :key="one.path + ' ' + one.attribute" :data-desired="one.path">
        <span class="tag" :class="tones[one.state]" :title="at(one.since)">{{ one.state }}</span>
        <span class="mono">{{ one.path }}{{ one.attribute ? " " + one.attribute : "" }}</span>
        <span class="mono">{{ text(one.desired, one) }}</span>
        <span class="muted" v-if="differs(one)">the device has <span class="mono">{{ text(one.reported, one) }}</span></span>
        <span class="muted reason" v-if="one.code || one.reason">{{ [one.code, one.reason].filter(Boolean).join(" ") }}</span>
        <span class="tag" v-if="one.profile" title="The profile that it is of">{{ one.profile }}</span>
        <button v-else-if="operates && !one.attribute" type="button" class="button quiet small when"
                :aria-label="'Remove ' + one.path" @click="$emit('remove', one.path)">Remove</button>
      </li>
    </ul>
    <div class="empty" v-else-if="standing">
      <strong>Nothing is to be kept as it should be</strong>
      <span>A value that is kept is written again wherever the device loses it.</span>
    </div>
    <div class="empty" v-else>Loading…</div>`,
  methods: {
    text: (raw, one) => value(raw, one.type),
    differs: (one) => one.state !== "in-sync" && one.reported !== null,
  },
};
