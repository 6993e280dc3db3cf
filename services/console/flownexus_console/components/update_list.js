import { ticking } from "/assets/format.js";

const TONES = { SUCCEEDED: "good", FAILED: "bad", EXPIRED: "bad", CANCELLED: "", CANCELLING: "warn" };

export default {
  mixins: [ticking],
  props: { updates: Array, operates: Boolean },
  emits: ["cancel"],
  data: () => ({ tones: TONES }),
  template: `
    <ul class="lines updates" v-if="updates?.length">
      <li v-for="update in updates" :key="update.id" :data-update="update.endpoint">
        <span class="tag" :class="tones[update.status]">{{ update.status.toLowerCase() }}</span>
        <a :href="'/endpoints/' + encodeURIComponent(update.endpoint)">{{ update.endpoint }}</a>
        <span>{{ update.name }} {{ update.version }}</span>
        <progress v-if="!update.finished_at" :value="update.transferred" :max="update.size || 1"
                  :aria-label="'Transferred to ' + update.endpoint"></progress>
        <span class="muted sentence">{{ update.last_action }}
          <template v-if="update.waiting_for"> Waiting for {{ update.waiting_for }}.</template></span>
        <span class="muted number when" :title="at(update.requested_at)">{{ ago(update.finished_at ?? update.requested_at) }}</span>
        <button v-if="operates && !update.finished_at && update.status !== 'CANCELLING'" type="button" class="button quiet small"
                :aria-label="'Cancel the update of ' + update.endpoint" @click="$emit('cancel', update.id)">Cancel</button>
      </li>
    </ul>
    <div class="empty" v-else-if="updates">
      <strong>No device is being updated</strong>
      <span>A device is given an image here as soon as there is one; a rollout updates many.</span>
    </div>
    <div class="empty" v-else>Loading…</div>`,
};
