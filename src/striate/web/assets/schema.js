// What the JSON schema says of a key: its values, whether it is a flag or a number, its words.

const PARTS = {stages: "Stage", stem: "Stem", head: "Head", pool: "Pool"};

export function reader(schema) {
  const resolve = node => node.$ref ? schema.$defs[node.$ref.split("/").at(-1)] : node;
  const keysOf = part => (part === null ? schema : schema.$defs[PARTS[part]]).properties;

  // Of a key's schema: {values, flag, number, whole, optional, text, fallback}.
  function kind(node) {
    const ways = (node.anyOf ?? [node]).map(resolve);
    const real = ways.filter(way => way.type !== "null");
    return {
      values: real.flatMap(way => way.enum ?? (way.const === undefined ? [] : [way.const])),
      flag: real.some(way => way.type === "boolean"),
      number: real.some(way => way.type === "integer" || way.type === "number"),
      whole: real.some(way => way.type === "integer"),
      list: real.some(way => way.type === "array"),
      table: real.some(way => way.type === "object"),
      optional: real.length < ways.length,
      text: node.description ?? "",
      fallback: node.default,
    };
  }

  return {
    keys: part => Object.keys(keysOf(part)),
    of: (part, key) => {
      const node = keysOf(part)[key];
      return node === undefined ? null : kind(node);
    },
    // What each block takes is the library's to say; that a key is there, the schema says.
    parts: PARTS,
  };
}
