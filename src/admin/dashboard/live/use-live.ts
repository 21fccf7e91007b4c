import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { AdminApi } from '../admin-api/admin-api.ts';
import type { TokenStore } from '../admin-api/token-store.ts';
import type { LiveStream } from './live-stream.ts';
import { useChanges } from './use-changes.ts';

/** What every page is given. */
export interface Services {
  readonly api: AdminApi;
  readonly tokens: TokenStore;
  readonly stream: LiveStream;
}

export const ServicesContext = createContext<Services | null>(null);

export function useServices(): Services {
  const services = useContext(ServicesContext);
  if (services === null) throw new Error('outside of the dashboard');
  return services;
}

/** The stream, and to be drawn again with each of its messages. */
export function useLive(): LiveStream {
  const { stream } = useServices();
  useChanges(stream);
  return stream;
}
