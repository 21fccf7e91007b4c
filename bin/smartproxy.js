#!/usr/bin/env node
// Any Node can parse this, so that an old one says what is wrong instead of a syntax error.
'use strict';

var fs = require('fs');
var path = require('path');

var oldest = [22, 18];
var version = process.versions.node.split('.').map(Number);

if (version[0] < oldest[0] || (version[0] === oldest[0] && version[1] < oldest[1])) {
  process.stderr.write(
    'smartproxy needs Node ' +
      oldest.join('.') +
      ' or later, and this is Node ' +
      process.versions.node +
      '.\n',
  );
  process.exitCode = 2;
} else {
  // A clone runs its sources; a package has only what was built from them.
  var source = path.join(__dirname, '..', 'src', 'cli', 'main.ts');
  require(fs.existsSync(source) ? source : path.join(__dirname, '..', 'dist', 'cli', 'main.js'));
}
