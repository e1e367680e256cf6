#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# usage: validate.py SCHEMA DOCUMENT
# Compares a JSON document with a JSON schema, for those keywords that share/report-schema.json uses. A schema with
# another keyword is an error, so that none is ignored. Prints the first difference and exits with 1.
import json
import sys

IGNORED = {"$schema", "$defs", "title", "description"}
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool}


class Different(Exception):
    pass


def is_type(value, name):
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if name == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])


def check_object(value, schema, root, at):
    properties = schema.get("properties", {})
    for key in schema.get("required", []):
        if key not in value:
            raise Different(f"{at}: {key} is missing")
    for key, member in value.items():
        if key in properties:
            check(member, properties[key], root, f"{at}/{key}")
        elif schema.get("additionalProperties") is False:
            raise Different(f"{at}: {key} is not in the schema")


def check(value, schema, root, at):
    for keyword, wanted in schema.items():
        if keyword in IGNORED or keyword in ("properties", "required", "additionalProperties"):
            continue
        if keyword == "$ref":
            check(value, root["$defs"][wanted.removeprefix("#/$defs/")], root, at)
        elif keyword == "type":
            if not any(is_type(value, name) for name in (wanted if isinstance(wanted, list) else [wanted])):
                raise Different(f"{at}: {value!r} is no {wanted}")
        elif keyword == "items":
            for index, item in enumerate(value):
                check(item, wanted, root, f"{at}/{index}")
        elif keyword == "enum":
            if value not in wanted:
                raise Different(f"{at}: {value!r} is none of {wanted}")
        elif keyword == "const":
            if value != wanted:
                raise Different(f"{at}: {value!r} is not {wanted!r}")
        elif keyword == "minimum":
            if is_type(value, "number") and value < wanted:
                raise Different(f"{at}: {value} is less than {wanted}")
        elif keyword == "maximum":
            if is_type(value, "number") and value > wanted:
                raise Different(f"{at}: {value} is more than {wanted}")
        else:
            raise Different(f"{at}: the schema has the unknown keyword {keyword}")
    if isinstance(value, dict):
        check_object(value, schema, root, at)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        schema = json.load(file)
    with open(sys.argv[2], encoding="utf-8") as file:
        document = json.load(file)
    try:
        check(document, schema, schema, "")
    except Different as different:
        print(f"{sys.argv[2]}: {different}")
        return 1
    return 0


sys.exit(main())
