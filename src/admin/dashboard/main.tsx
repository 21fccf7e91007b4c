import { render } from 'preact';
import { AdminApi } from './admin-api/admin-api.ts';
import { TokenStore } from './admin-api/token-store.ts';
import { App } from './app.tsx';
import { LiveStream } from './live/live-stream.ts';
import { restWhileHidden } from './live/rest-while-hidden.ts';
import { ServicesContext } from './live/use-live.ts';
import { applyTheme } from './parts/theme.ts';

applyTheme();
const tokens = new TokenStore(sessionStorage);
const api = new AdminApi(tokens);
const stream = new LiveStream(api);
stream.start();
restWhileHidden(stream);
render(
  <ServicesContext.Provider value={{ api, tokens, stream }}>
    <App />
  </ServicesContext.Provider>,
  document.getElementById('dashboard') as HTMLElement,
);
