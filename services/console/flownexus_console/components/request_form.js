export default {
  props: { id: String, kinds: Array, deeds: Array, paths: Array },
  emits: ["send"],
  data: () => ({ kind: "", path: "", value: "" }),
  created() {
    this.kind = this.kinds[0] ?? "";
  },
  computed: {
    what() {
      return { read: "", execute: "Arguments" }[this.kind] ?? "Value";
    },
  },
  template: `
    <form class="fields request" @submit.prevent="send($event)">
      <label class="labelled" v-if="kinds.length">
        <span>Request</span>
        <select class="field" v-model="kind" aria-label="Request">
          <option v-for="one in kinds" :key="one" :value="one">{{ one }}</option>
        </select>
      </label>
      <label class="labelled">
        <span>Path</span>
        <input class="field mono" v-model.trim="path" :list="id" required placeholder="3/0/0"
               pattern="/?[0-9]+(/[0-9]+){0,3}" title="Numbers with / between them: object, instance, resource"
               autocomplete="off" spellcheck="false" />
      </label>
      <datalist :id="id"><option v-for="[one, name] in paths" :key="one" :value="one">{{ name }}</option></datalist>
      <label class="labelled grow" v-if="what">
        <span>{{ what }}</span>
        <input class="field" v-model="value" :required="kind !== 'execute'" autocomplete="off" spellcheck="false" />
      </label>
      <button v-for="([deed, label], index) in deeds" :key="deed" type="submit" class="button" :class="index ? '' : 'primary'"
              :value="deed">{{ label }}</button>
    </form>`,
  methods: {
    send(event) {
      this.$emit("send", { deed: event.submitter?.value ?? this.deeds[0][0], kind: this.kind, path: this.path, value: this.value });
    },
  },
};
