import { ticking } from "/assets/format.js";

const TONES = { RUNNING: "", PAUSED: "warn", HALTED: "bad", STOPPED: "", FINISHED: "good" };

export default {
  mixins: [ticking],
  props: { rollout: Object },
  data: () => ({ tones: TONES }),
  template: `
    <div class="rollout" v-if="rollout">
      <p class="stands">
        <span class="tag" :class="tones[rollout.status]">{{ rollout.status.toLowerCase() }}</span>
        <span>{{ rollout.last_action }}</span>
      </p>
      <ul class="chips">
        <li v-for="[status, count] in counted" :key="status" class="tag number" :data-devices="status">{{ status.toLowerCase() }} {{ count }}</li>
      </ul>
      <table class="plain" aria-label="Groups">
        <thead><tr><th scope="col">Group</th><th scope="col">Stands</th><th scope="col">Succeeded</th><th scope="col">Failed</th><th scope="col">Devices</th></tr></thead>
        <tbody>
          <tr v-for="group in rollout.groups" :key="group.number">
            <td class="number">{{ group.number }}</td><td>{{ group.status }}</td>
            <td class="number">{{ group.succeeded }} of {{ group.needed }} needed</td>
            <td class="number">{{ group.failed }}</td><td class="number">{{ group.size }}</td>
          </tr>
        </tbody>
      </table>
      <ol class="lines">
        <li v-for="(step, index) in [...rollout.history].reverse()" :key="index">
          <span class="tag" :class="tones[step.status]">{{ step.status.toLowerCase() }}</span>
          <span class="sentence">{{ step.action }}</span>
          <span class="muted number when" :title="at(step.time)">{{ ago(step.time) }}</span>
        </li>
      </ol>
    </div>
    <div class="empty" v-else>Loading…</div>`,
  computed: {
    counted() {
      return Object.entries(this.rollout.by_status).filter(([, count]) => count > 0);
    },
  },
};
