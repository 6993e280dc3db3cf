import { duration, ticking } from "/assets/format.js";

export default {
  mixins: [ticking],
  props: { name: String, endpoint: Object },
  template: `
    <div class="facts-head">
      <nav class="crumbs" aria-label="Breadcrumb"><a href="/">Fleet</a><span aria-hidden="true">/</span></nav>
      <div class="facts-title">
        <h1>{{ name }}</h1>
        <span v-if="endpoint" class="badge" :class="endpoint.status" role="status">{{ endpoint.status }}</span>
        <span v-if="endpoint?.overdue" class="badge overdue">overdue</span>
        <span v-if="endpoint" class="muted number" :title="at(endpoint.last_seen_at)">
          last seen {{ ago(endpoint.last_seen_at) }}
        </span>
        <span class="tag" v-for="tag in endpoint?.tags ?? []" :key="tag">{{ tag }}</span>
      </div>
      <dl class="facts panel" v-if="endpoint">
        <div v-for="[label, text, title, mono] in facts" :key="label">
          <dt>{{ label }}</dt>
          <dd :title="title" :class="{ mono }">{{ text }}</dd>
        </div>
      </dl>
      <p class="notice" v-for="warning in endpoint?.registration_warnings ?? []" :key="warning">{{ warning }}</p>
    </div>`,
  computed: {
    facts() {
      const e = this.endpoint;
      const facts = [];
      const add = (label, text, title = "", mono = false) => {
        if (text !== null && text !== undefined && text !== "") facts.push([label, text, title, mono]);
      };
      const { host, port } = e.address ?? {};
      add("Address", host && (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`), "", true);
      add("LwM2M", e.lwm2m_version);
      add("Binding", e.binding);
      add("Queue mode", e.queue_mode === null ? null : e.queue_mode ? "yes" : "no");
      if (e.queue_mode && e.awake_window_s) add("Listens for", duration(e.awake_window_s), "After each of its messages");
      if (e.queue_mode && e.answers_asleep_within_s)
        add("Answers asleep", `within ${duration(e.answers_asleep_within_s)}`, "Requests are sent while it sleeps too");
      if (e.status === "online" && e.queue_mode && e.awake_until)
        add("Sleeps", this.ago(e.awake_until), this.at(e.awake_until));
      if (e.next_expected_at)
        add("Expected", this.ago(e.next_expected_at), `${this.at(e.next_expected_at)}; by ${this.at(e.next_expected_by)} nine times of ten`);
      add("Lifetime", e.lifetime_s ? duration(e.lifetime_s) : null, e.lifetime_s ? `${e.lifetime_s} s` : "");
      if (e.registered) {
        add("Registered", this.ago(e.registered_at), this.at(e.registered_at));
        add("Expires", e.expires_at ? this.ago(e.expires_at) : null, this.at(e.expires_at));
      } else add("Registered", "not now");
      add("First seen", this.ago(e.first_seen_at), this.at(e.first_seen_at));
      add("Identity", e.identity, "Authenticated by DTLS", true);
      add("Gateway", e.gateway);
      add("Registration", e.registration_id, "", true);
      add("Root path", e.root_path === "/" ? null : e.root_path, "", true);
      return facts;
    },
  },
};
