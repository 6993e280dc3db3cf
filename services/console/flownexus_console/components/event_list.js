import { clock, ticking, value } from "/assets/format.js";

export default {
  mixins: [ticking],
  props: { stored: Array },
  template: `
    <section class="panel" aria-label="Events">
      <header><h2>Recent events</h2></header>
      <ul class="lines events" v-if="stored?.length">
        <li v-for="event in stored" :key="event.id">
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
      <div class="empty" v-else-if="stored">
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
