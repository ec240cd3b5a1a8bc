// Reads AsyncAPI documents with the official parser; prints what is wrong with them.
//
//   check_asyncapi.mjs FILE…

import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

let faults = 0;
for (const file of process.argv.slice(2)) {
  const { document, diagnostics } = await new Parser().parse(readFileSync(file, "utf8"));
  for (const { severity, message, path } of diagnostics) {
    // 0 is an error, 1 a warning; the rest are wishes.
    if (severity > 1) continue;
    console.error(`${file}: ${message} at ${path.join("/")}`);
    faults++;
  }
  if (document) console.log(`${file}: ${document.channels().all().length} channels`);
}
process.exit(faults === 0 ? 0 : 1);
