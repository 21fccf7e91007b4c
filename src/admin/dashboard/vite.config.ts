import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

/**
 * Three files with fixed names, so that the server knows them and a difference in the repository is a
 * difference in the sources. Nothing is fetched from anywhere.
 */
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: './',
  clearScreen: false,
  logLevel: 'warn',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: fileURLToPath(new URL('../static', import.meta.url)),
    emptyOutDir: true,
    target: 'es2023',
    // Those that know light-dark().
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    assetsInlineLimit: 0,
    modulePreload: false,
    reportCompressedSize: false,
    rolldownOptions: {
      // How long a plugin takes on a busy machine is no news.
      checks: { pluginTimings: false },
      output: { entryFileNames: 'dashboard.js', assetFileNames: 'dashboard.[ext]' },
    },
  },
});
