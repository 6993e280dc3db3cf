import { ticking } from "/assets/format.js";

const TONES = { RUNNING: "", PAUSED: "warn", HALTED: "bad", STOPPED: "", FINISHED: "good" };

export default {
  mixins: [ticking],
  props: { rollouts: Array },
  data: () => ({ tones: TONES }),
  template: `
    <ul class="lines rollouts" v-if="rollouts?.length">
      <li v-for="rollout in rollouts" :key="rollout.id">
        <span class="tag" :class="tones[rollout.status]">{{ rollout.status.toLowerCase() }}</span>
        <a :href="'/rollouts/' + encodeURIComponent(rollout.id)">{{ rollout.name }}</a>
        <span v-if="rollout.firmware">{{ rollout.firmware.name }} {{ rollout.firmware.version }}</span>
        <progress :value="succeeded(rollout)" :max="rollout.devices || 1" :aria-label="'Updated in ' + rollout.name"></progress>
        <span class="number">{{ succeeded(rollout) }} of {{ rollout.devices }}</span>
        <span class="muted sentence">{{ rollout.last_action }}</span>
        <span class="muted number when" :title="at(rollout.requested_at)">{{ ago(rollout.finished_at ?? rollout.requested_at) }}</span>
      </li>
    </ul>
    <div class="empty" v-else-if="rollouts">
      <strong>No rollout yet</strong>
      <span>One brings an image to many devices, group by group:</span>
      <code>flownexus rollout start --help</code>
    </div>
    <div class="empty" v-else>Loading…</div>`,
  methods: {
    succeeded: (rollout) => rollout.by_status.SUCCEEDED ?? 0,
  },
};
