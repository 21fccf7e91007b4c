/** What a browser shows of the demo: what it sees of the proxy, and a WebSocket to try. Needs nothing from elsewhere. */
export const demoPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>SmartProxy demo</title>
<style>
  :root { color-scheme: light dark; font: 17px/1.5 system-ui, sans-serif }
  body { max-width: 34rem; margin: 12vh auto; padding: 0 1rem }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem }
  dt { opacity: .7 } dd { margin: 0; overflow-wrap: anywhere }
  form { display: flex; gap: .5rem } input { flex: 1; font: inherit; padding: .3rem .5rem }
  button { font: inherit; padding: .3rem .9rem }
  output { display: block; min-height: 1.5em; margin-top: .75rem }
</style>
<h1>It works</h1>
<p>SmartProxy ended the TLS of this connection and brought your request to a server that speaks HTTP/1.1 in clear text.</p>
<dl>
  <dt>Your browser speaks</dt><dd id="protocol"></dd>
  <dt>The server was told</dt><dd id="told"></dd>
  <dt>WebSocket</dt><dd id="state">connecting</dd>
</dl>
<form><input id="text" aria-label="Message" value="hello" autocomplete="off"><button>Send</button></form>
<output id="answer">waiting</output>
<script type="module">
const show = (id, text) => { document.getElementById(id).textContent = text; };
const [navigation] = performance.getEntriesByType('navigation');
show('protocol', navigation.nextHopProtocol);
show('told', await (await fetch('/headers')).text());
const socket = new WebSocket(location.origin.replace('http', 'ws') + '/echo');
const send = () => socket.send(document.getElementById('text').value);
socket.onopen = () => { show('state', 'open'); send(); };
socket.onclose = ({ code }) => show('state', 'closed with ' + code);
socket.onmessage = ({ data }) => show('answer', 'The echo says: ' + data);
document.forms[0].onsubmit = (event) => { event.preventDefault(); send(); };
</script>
`;
