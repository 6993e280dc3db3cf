import { clock, ticking, value } from "/assets/format.js";

export default {
  mixins: [ticking],
  props: { stored: Array },
  data: () => ({ pointed: false, focused: false, shown: null }),
  computed: {
    held() {
      return this.pointed || this.focused;
    },
  },
  watch: {
    stored: {
      immediate: true,
      handler(stored) {
        if (!this.held) this.shown = stored;
      },
    },
    held(held) {
      if (!held) this.shown = this.stored;
    },
  },
  template: `
    <section class="panel" aria-label="Events" @mouseenter="pointed = true" @mouseleave="pointed = false"
             @focusin="focused = true" @focusout="focused = false">
      <header>
        <h2>Recent events</h2>
        <span class="tag" v-if="held && shown !== stored" title="The list stands still while you point at it">on hold</span>
      </header>
      <ul class="lines events" v-if="shown?.length">
        <li v-for="event in shown" :key="event.id">
          <details>
            <summary>
              <span class="number muted" :title="at(event.time)">{{ time(event.time) }}</span>
              <b>{{ event.event_type ?? "event" }}</b>
              <span class="muted brief">{{ brief(event) }}</span>
              <span class="muted number when">{{ ago(event.time) }}</span>
            </summary>
            <table class="resources">
              <tbody>
                <tr v-for="resource in event.resources" :key="resource.path + resource.time">
                  <th scope="row">{{ resource.name ?? "Resource" }} <span class="mono id">{{ resource.path }}</span></th>
                  <td class="value">{{ text(resource) }}<span class="units" v-if="resource.units"> {{ resource.units }}</span></td>
                  <td class="age muted number" :title="at(resource.time)">{{ resource.time ? time(resource.time) : "" }}</td>
                </tr>
              </tbody>
            </table>
          </details>
        </li>
      </ul>
      <div class="empty" v-else-if="shown">
        <strong>No events yet</strong>
        <span>Values that a device sends together, and its registrations, are kept as events.</span>
      </div>
      <div class="empty" v-else>Loading…</div>
    </section>`,
  methods: {
    time: clock,
    text: (resource) => value(resource.value, resource.type),
    brief(event) {
      return event.resources
        .slice(0, 3)
        .map((resource) => `${resource.name ?? resource.path} ${value(resource.value, resource.type)}${resource.units ? " " + resource.units : ""}`)
        .join(" · ");
    },
  },
};
