import { ticking, value } from "/assets/format.js";

export default {
  mixins: [ticking],
  props: { objects: Array, selected: String },
  emits: ["choose"],
  data: () => ({ flashes: {}, seen: null, all: {} }),
  watch: {
    objects: {
      immediate: true,
      handler(objects) {
        if (!objects) return;
        const seen = {};
        for (const object of objects)
          for (const instance of object.instances)
            for (const { path, value, time } of instance.resources) {
              seen[path] = `${time} ${value}`;
              if (this.seen && this.seen[path] !== seen[path]) this.flashes[path] = (this.flashes[path] ?? 0) + 1;
            }
        this.seen = seen;
      },
    },
  },
  template: `
    <div class="objects">
      <div class="panel empty" v-if="!objects">Loading…</div>
      <div class="panel empty" v-else-if="!objects.length">
        <strong>No objects known</strong>
        <span>A device lists its objects when it registers. This one has not registered yet.</span>
      </div>
      <section v-else v-for="object in objects" :key="object.id" class="panel object" :data-object="object.id">
        <header>
          <h2>{{ object.name ?? "Unknown object" }}</h2>
          <span class="tag mono">{{ object.id }}</span>
          <span class="tag" v-if="object.version">v{{ object.version }}</span>
          <span class="tag warn" v-if="!object.known" title="Values are kept as they come; they get names once a model of this object is there.">no model</span>
          <span class="spacer"></span>
          <button type="button" class="button quiet small" v-if="silent(object)" :aria-expanded="String(!!all[object.id])"
                  @click="all[object.id] = !all[object.id]">
            {{ all[object.id] ? "Hide" : "Show" }} {{ silent(object) }} without a value
          </button>
        </header>
        <p class="muted nothing" v-if="!object.instances.length">No instances.</p>
        <template v-for="instance in object.instances" :key="instance.id">
          <h3 v-if="object.instances.length > 1">Instance {{ instance.id }}</h3>
          <table class="resources" v-if="shown(object, instance).length" :aria-label="(object.name ?? object.id) + ' ' + instance.id">
            <tbody>
              <tr v-for="resource in shown(object, instance)" :key="resource.path" :class="{ selected: resource.path === selected }">
                <th scope="row">{{ resource.name ?? "Resource " + resource.id }} <span class="mono id">{{ resource.path }}</span></th>
                <td class="value" :data-path="resource.path">
                  <button type="button" v-if="resource.chartable" :key="flashes[resource.path] ?? 0" :class="{ flash: flashes[resource.path] }" :aria-pressed="String(resource.path === selected)"
                          title="Show the history" @click="$emit('choose', resource.path)">
                    <span class="reading">{{ text(resource) }}</span><span class="units" v-if="resource.units">{{ resource.units }}</span>
                  </button>
                  <span v-else-if="resource.value !== null" class="reading" :key="flashes[resource.path] ?? 0" :class="{ flash: flashes[resource.path] }" :title="String(resource.value)">{{ text(resource) }}<span class="units" v-if="resource.units"> {{ resource.units }}</span></span>
                  <span v-else class="muted">–</span>
                </td>
                <td class="age muted number" :title="at(resource.time)">{{ resource.time ? ago(resource.time) : "" }}</td>
              </tr>
            </tbody>
          </table>
        </template>
      </section>
    </div>`,
  methods: {
    text: (resource) => value(resource.value, resource.type),
    silent: (object) =>
      object.instances.reduce((sum, { resources }) => sum + resources.filter(({ value }) => value === null).length, 0),
    shown(object, { resources }) {
      return this.all[object.id] ? resources : resources.filter(({ value }) => value !== null);
    },
  },
};
