// node check.cjs prisma|asyncapi|jsonschema FILE [INSTANCES]: exit 0 when the file is valid, 1 with the reason.
// prisma prints the models and enums it has understood; jsonschema judges each instance of a JSON list.

const fs = require("node:fs");

const [kind, file, instances] = process.argv.slice(2);
const text = fs.readFileSync(file, "utf8");

function refuse(reason) {
  process.stderr.write(`${reason}\n`);
  process.exit(1);
}

function judge(validate, value) {
  return validate(value) ? null : JSON.stringify(validate.errors.slice(0, 5));
}

const checks = {
  prisma() {
    const prisma = require("@prisma/prisma-schema-wasm");
    const params = JSON.stringify({ prismaSchema: [["schema.prisma", text]], noColor: true });
    prisma.validate(params);
    const { models, enums } = JSON.parse(prisma.get_dmmf(params)).datamodel;
    return { models, enums };
  },
  asyncapi() {
    const Ajv = require("ajv");
    const specification = require("@asyncapi/specs/schemas/3.0.0.json");
    // the specification carries copies of schemas that the validator has itself
    delete specification.definitions["http://json-schema.org/draft-07/schema"];
    delete specification.definitions["http://json-schema.org/draft-04/schema"];
    const ajv = new Ajv({ strict: false, logger: false });
    require("ajv-formats")(ajv);
    const reason = judge(ajv.compile(specification), JSON.parse(text));
    if (reason) refuse(reason);
    return {};
  },
  jsonschema() {
    const Ajv = require("ajv/dist/2020");
    const ajv = new Ajv({ strict: true, strictRequired: true, allowUnionTypes: true });
    require("ajv-formats")(ajv);
    const validate = ajv.compile(JSON.parse(text));
    const values = instances ? JSON.parse(fs.readFileSync(instances, "utf8")) : [];
    return values.map((value) => validate(value));
  },
};

try {
  process.stdout.write(JSON.stringify(checks[kind]()));
} catch (error) {
  refuse(error.message ?? String(error));
}
