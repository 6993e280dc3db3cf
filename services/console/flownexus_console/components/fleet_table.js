import { duration, ticking } from "/assets/format.js";

export default {
  mixins: [ticking],
  props: { rows: Array, sort: String, filtered: Boolean, loading: Boolean },
  emits: ["sort", "clear"],
  template: `
    <div>
      <table class="fleet" aria-label="Endpoints" v-if="rows.length">
        <thead>
          <tr>
            <th scope="col" :aria-sort="sort === 'name' ? 'ascending' : null">
              <button type="button" @click="$emit('sort', 'name')" title="Sort by name">Endpoint</button>
            </th>
            <th scope="col">Status</th>
            <th scope="col" :aria-sort="sort === '-last_seen_at' ? 'descending' : null">
              <button type="button" @click="$emit('sort', '-last_seen_at')" title="Sort by last seen">Last seen</button>
            </th>
            <th scope="col" class="wide">Expected</th>
            <th scope="col" class="wide">LwM2M</th>
            <th scope="col" class="wide">Queue mode</th>
            <th scope="col" class="wide">Lifetime</th>
            <th scope="col">Address</th>
          </tr>
        </thead>
        <tbody>
          <tr v-for="row in rows" :key="row.name">
            <td class="name"><a :href="'/endpoints/' + encodeURIComponent(row.name)">{{ row.name }}</a> <span class="tag" v-for="tag in row.tags ?? []" :key="tag">{{ tag }}</span></td>
            <td class="status"><span class="badge" :class="row.status">{{ row.status }}</span> <span class="badge overdue" v-if="row.overdue" title="It was due and was not heard">overdue</span></td>
            <td class="seen"><span :title="at(row.last_seen_at)">{{ ago(row.last_seen_at) }}</span></td>
            <td class="wide expected"><span :title="at(row.next_expected_at)">{{ row.next_expected_at ? ago(row.next_expected_at) : "–" }}</span></td>
            <td class="wide version number">{{ row.lwm2m_version ?? "–" }}</td>
            <td class="wide queue">{{ row.queue_mode ? "yes" : "no" }}</td>
            <td class="wide expiry number">{{ row.lifetime_s ? duration(row.lifetime_s) : "–" }}</td>
            <td class="address mono muted">{{ row.address ? address(row.address) : "–" }}</td>
          </tr>
        </tbody>
      </table>
      <div class="empty" v-else-if="loading">Loading…</div>
      <div class="empty" v-else-if="filtered">
        <strong>No endpoint matches</strong>
        <span>Look for another part of the name, or another status.</span>
        <button type="button" class="button" @click="$emit('clear')">Show all</button>
      </div>
      <div class="empty" v-else>
        <strong>No device has registered yet</strong>
        <span>Point an LwM2M client at this machine's gateway: <code>coap://&lt;this machine&gt;:5683</code></span>
        <span>or try it with simulated devices: <code>flownexus up --devices 25</code></span>
      </div>
    </div>`,
  methods: {
    duration,
    address: ({ host, port }) => (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`),
  },
};
