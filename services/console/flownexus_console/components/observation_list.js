import { ticking } from "/assets/format.js";

const TONES = { established: "good", refused: "bad", cancelled: "" };

export default {
  mixins: [ticking],
  props: { observations: Array },
  data: () => ({ tones: TONES }),
  template: `
    <section class="panel" aria-label="Observations">
      <header><h2>Observations</h2><span class="tag number" v-if="observations?.length">{{ observations.length }}</span></header>
      <ul class="lines" v-if="observations?.length">
        <li v-for="(observation, index) in observations" :key="index">
          <span class="tag" :class="tones[observation.state]">{{ observation.state }}</span>
          <span class="mono paths">{{ observation.paths.join("  ") }}</span>
          <span class="tag" v-if="observation.composite">composite</span>
          <span class="muted reason" v-if="observation.state !== 'established' && (observation.code || observation.diagnostic)">
            {{ [observation.code, observation.diagnostic].filter(Boolean).join(" ") }}
          </span>
          <span class="tag attributes" :class="refused(observation) ? 'bad' : ''" v-if="written(observation)"
            :title="refused(observation) ? 'Not taken by the device' : 'Attributes written for the profile'">
            {{ written(observation) }}
          </span>
          <span class="muted reason" v-if="refused(observation)">
            {{ [observation.attributes_code, observation.attributes_diagnostic].filter(Boolean).join(" ") }}
          </span>
          <span class="muted number when" :title="at(observation.time)">{{ observation.time ? ago(observation.time) : "" }}</span>
        </li>
      </ul>
      <div class="empty" v-else-if="observations">
        <strong>Nothing is observed</strong>
        <span>An observation profile tells which resources are observed on which endpoints.</span>
      </div>
      <div class="empty" v-else>Loading…</div>
    </section>`,
  methods: {
    written: ({ attributes }) => Object.entries(attributes ?? {}).map(([name, value]) => `${name}=${value}`).join(" "),
    refused: (observation) => Object.keys(observation.attributes ?? {}).length > 0
      && !observation.attributes_code?.startsWith("2."),
  },
};
