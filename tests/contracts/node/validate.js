// Reads {"openapi": TEXT, "asyncapi": TEXT} from stdin; prints what is wrong with either, as a JSON list.
import { text } from "node:stream/consumers";
import { Parser } from "@asyncapi/parser";
import { Validator } from "@seriousme/openapi-schema-validator";

const { openapi, asyncapi } = JSON.parse(await text(process.stdin));
const problems = [];

const validator = new Validator();
const { valid, errors } = await validator.validate(JSON.parse(openapi));
if (!valid) problems.push({ document: "openapi", errors });
else if (validator.version !== "3.1") problems.push({ document: "openapi", errors: `taken for ${validator.version}` });

const { document, diagnostics } = await new Parser().parse(asyncapi);
// 3.0 is what we promise: that 3.1 is out is no fault.
const faults = diagnostics.filter(({ code }) => code !== "asyncapi-latest-version");
const wrong = faults.filter(({ severity }) => severity <= 1);
if (!document || wrong.length > 0) problems.push({ document: "asyncapi", errors: faults });

console.log(JSON.stringify(problems));
