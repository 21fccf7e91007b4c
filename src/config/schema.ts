import type * as z from 'zod';
import type {
  blockSchema,
  forwardSchema,
  handlerSchema,
  headerEditsSchema,
  redirectSchema,
  respondSchema,
} from './schema/action.ts';
import type { matchSchema } from './schema/match.ts';
import type { optionsSchema, routeSchema } from './schema/options.ts';

export { optionsSchema } from './schema/options.ts';

/** Everything that a configuration may say; see docs/configuration.md. */
export type SmartProxyOptions = z.input<typeof optionsSchema>;
export type Route = z.input<typeof routeSchema>;
export type Match = z.input<typeof matchSchema>;
export type Action = Route['action'];
export type ForwardAction = z.input<typeof forwardSchema>;
export type RedirectAction = z.input<typeof redirectSchema>;
export type RespondAction = z.input<typeof respondSchema>;
export type BlockAction = z.input<typeof blockSchema>;
export type HandlerAction = z.input<typeof handlerSchema>;
export type HeaderEdits = z.input<typeof headerEditsSchema>;
export type Target = NonNullable<ForwardAction['target']>;

/** Returns `options` as they are: gives types and completion in a `smartproxy.config.ts`. */
export function defineConfig(options: SmartProxyOptions): SmartProxyOptions {
  return options;
}
