import { clock, ticking, value } from "/assets/format.js";

const TONES = { QUEUED: "", SENDING: "warn", CONFIRMED: "good", FAILED: "bad", CANCELLED: "", EXPIRED: "bad" };

export default {
  mixins: [ticking],
  props: { operations: Array, steps: Object, operates: Boolean },
  emits: ["cancel", "open"],
  data: () => ({ tones: TONES }),
  template: `
    <ul class="lines operations" v-if="operations?.length">
      <li v-for="operation in operations" :key="operation.id" :data-operation="operation.id">
        <details @toggle="(e) => e.target.open && $emit('open', operation.id)">
          <summary>
            <span class="tag" :class="tones[operation.status]">{{ operation.status.toLowerCase() }}</span>
            <b>{{ operation.operation }}</b>
            <span class="mono">{{ asked(operation) }}</span>
            <span class="muted brief">{{ said(operation) }}</span>
            <span class="muted number when" :title="at(operation.requested_at)">{{ ago(operation.requested_at) }}</span>
          </summary>
          <div class="inside">
            <p>{{ operation.last_action }}</p>
            <dl>
              <dt>Attempts</dt><dd class="number">{{ operation.attempts }} of {{ operation.max_attempts }}</dd>
              <template v-if="operation.code"><dt>Code</dt><dd class="mono">{{ operation.code }}</dd></template>
              <template v-if="operation.diagnostic"><dt>Diagnostic</dt><dd>{{ operation.diagnostic }}</dd></template>
              <template v-if="operation.requested_by"><dt>Asked for by</dt><dd>{{ operation.requested_by }}</dd></template>
              <template v-if="operation.forecast_at">
                <dt>Device expected</dt><dd class="number" :title="at(operation.forecast_at)">{{ ago(operation.forecast_at) }}</dd>
              </template>
              <template v-for="answered in operation.values" :key="answered.path">
                <dt class="mono">{{ answered.path }}</dt><dd class="mono">{{ text(answered) }}</dd>
              </template>
            </dl>
            <ol v-if="steps[operation.id]?.length">
              <li v-for="(step, index) in steps[operation.id]" :key="index">
                <span class="muted number" :title="at(step.time)">{{ time(step.time) }}</span> {{ step.action }}
              </li>
            </ol>
          </div>
        </details>
        <button v-if="operates && operation.status === 'QUEUED'" type="button" class="button quiet small"
                @click="$emit('cancel', operation.id)">Cancel</button>
      </li>
    </ul>
    <div class="empty" v-else-if="operations">
      <strong>Nothing was asked of this device</strong>
      <span>What is asked for waits until it listens.</span>
    </div>
    <div class="empty" v-else>Loading…</div>`,
  methods: {
    time: clock,
    text: (answered) => value(answered.value, answered.type),
    asked({ request }) {
      const given = request.values ?? [];
      const paths = request.path ? [request.path] : (request.paths ?? given.map((one) => one.path));
      const written = given.length === 1 ? ` = ${given[0].value}` : "";
      return paths.slice(0, 3).join(" ") + (paths.length > 3 ? " …" : "") + written;
    },
    said(operation) {
      if (operation.code) return [operation.code, operation.diagnostic].filter(Boolean).join(" ");
      return operation.attempts > 0 ? `attempt ${operation.attempts} of ${operation.max_attempts}` : "";
    },
  },
};
