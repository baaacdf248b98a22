// Writes the types of the page's payload from its JSON Schema; with --check, only says whether they are up to date.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { compile } from 'json-schema-to-typescript';
import { format, resolveConfig } from 'prettier';

const SCHEMA = new URL('../../src/convscope/report/payload.schema.json', import.meta.url);
const TYPES = fileURLToPath(new URL('../src/payload/generated.ts', import.meta.url));

// Rewrites the schema for json-schema-to-typescript, which reads a tuple only as `items`, and drops descriptions and titles.
function simplified(value) {
  if (Array.isArray(value)) return value.map(simplified);
  if (value === null || typeof value !== 'object') return value;
  const { prefixItems, description, title, ...rest } = value;
  const inner = Object.fromEntries(Object.entries(rest).map(([key, part]) => [key, simplified(part)]));
  return prefixItems ? { ...inner, items: simplified(prefixItems), additionalItems: false } : inner;
}

const schema = simplified(JSON.parse(readFileSync(SCHEMA, 'utf-8')));
const written = await compile(schema, 'Payload', {
  additionalProperties: false,
  bannerComment: '// Written by `npm run types` from payload.schema.json.',
  format: false,
  unreachableDefinitions: true,
});
const noComments = written.replace(/^\s*\/\*\*[\s\S]*?\*\/\n/gm, '');
const text = await format(noComments, { ...(await resolveConfig(TYPES)), filepath: TYPES });
if (!process.argv.includes('--check')) writeFileSync(TYPES, text);
else if (readFileSync(TYPES, 'utf-8') !== text) {
  console.error('web/src/payload/generated.ts is out of date; write it again with: npm run types');
  process.exit(1);
}
