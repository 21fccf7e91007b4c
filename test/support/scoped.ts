import type { TestContext } from 'node:test';

const scopes = new WeakMap<TestContext, AsyncDisposable[]>();

/**
 * Disposes of a resource when the test is over: the last one that was made first, whatever the
 * outcome. (`await using` says the same, in a syntax that Node 22 cannot parse.)
 */
export function scoped<Resource extends AsyncDisposable>(test: TestContext, resource: Resource): Resource {
  let resources = scopes.get(test);
  if (resources === undefined) {
    resources = [];
    scopes.set(test, resources);
    test.after(() => disposeAll(scopes.get(test) ?? []));
  }
  resources.push(resource);
  return resource;
}

async function disposeAll(resources: AsyncDisposable[]): Promise<void> {
  const errors: unknown[] = [];
  for (const resource of resources.reverse()) {
    try {
      await resource[Symbol.asyncDispose]();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateError(errors, 'several resources could not be disposed of');
}
