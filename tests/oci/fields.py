#!/usr/bin/python3
"""Every field of the specification's JSON schemas has a row in fields.tbl, and every row has its field.

usage: fields.py [--docs FILE]    compare the table with the schemas, the tests that it names and the page docs/oci.md
  --docs FILE                     write the table into that page, between its two markers

A row: the field's path, what becomes of it (honoured, ignored, refused), the tests that show it (unit:SUITE.NAME for
tests/unit/oci, oci:NAME for tests/oci), and a note. `[]` are the elements of an array, `*` the members of a map; a path that ends in `.**`
stands for everything below. Rows with `1.1` after the path are of a newer specification than the schemas.
"""
import json
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import harness  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
TABLE = HERE / "fields.tbl"
PAGE = harness.TOP / "docs/oci.md"
SCHEMAS = pathlib.Path("/usr/share/gocode/src/github.com/opencontainers/runtime-spec/schema")
MARKERS = ("<!-- fields -->\n", "<!-- end of fields -->\n")
STATES = ("honoured", "ignored", "refused")


class Schemas:
    """The schema files, and the paths of the fields that they describe."""

    def __init__(self, directory):
        self.files = {path.name: json.loads(path.read_text()) for path in directory.glob("*.json")}

    def resolve(self, reference, name):
        file, _, pointer = reference.partition("#")
        name = file or name
        node = self.files[name]
        for key in pointer.strip("/").split("/"):
            node = node[key] if key else node
        return node, name

    def walk(self, node, name, path, out):
        if "$ref" in node:
            node, name = self.resolve(node["$ref"], name)
            return self.walk(node, name, path, out)
        for key in ("allOf", "anyOf", "oneOf"):
            for part in node.get(key, []):
                self.walk(part, name, path, out)
        if path and not any(key in node for key in ("allOf", "anyOf", "oneOf")):
            out.add(path)
        if "items" in node:
            self.walk(node["items"], name, path + "[]", out)
        for key, child in node.get("properties", {}).items():
            self.walk(child, name, path + "." + key if path else key, out)
        for child in list(node.get("patternProperties", {}).values()) + [node.get("additionalProperties")]:
            if isinstance(child, dict):
                self.walk(child, name, path + ".*", out)
        return out

    def fields(self, file):
        """Without the elements of arrays and maps themselves, which their array or map stands for."""
        return {path for path in self.walk(self.files[file], file, "", set()) if not path.endswith(("[]", ".*"))}


class Row:
    def __init__(self, number, line):
        words = line.split(None, 1)
        self.path, rest = words[0], words[1] if len(words) > 1 else ""
        self.newer = rest.startswith("1.1 ")
        rest = rest[4:] if self.newer else rest
        self.state, _, rest = rest.strip().partition(" ")
        self.proofs = []
        while re.match(r"\s*(unit|oci):", rest):
            word, _, rest = rest.strip().partition(" ")
            self.proofs.append(word)
        self.note = rest.strip()
        self.number = number


def load():
    rows = []
    for number, line in enumerate(TABLE.read_text().splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            rows.append(Row(number, line))
    return rows


def known_tests():
    names = set()
    for path in (harness.TOP / "tests/unit/oci").glob("*_test.c"):
        for suite, name in re.findall(r"^Test\((\w+), (\w+)", path.read_text(), re.M):
            names.add("unit:%s.%s" % (suite, name))
    for path in HERE.glob("*.py"):
        for name in re.findall(r"^def (\w+)\(", path.read_text(), re.M):
            names.add("oci:" + name)
    return names


def check_rows(rows):
    tests, wrong, seen = known_tests(), [], set()
    for row in rows:
        where = "fields.tbl:%d: %s" % (row.number, row.path)
        if row.path in seen:
            wrong.append("%s: there is a row already" % where)
        seen.add(row.path)
        if row.state not in STATES:
            wrong.append("%s: %r is none of %s" % (where, row.state, ", ".join(STATES)))
        if row.state in ("honoured", "refused") and not row.proofs:
            wrong.append("%s: no test shows that it is %s" % (where, row.state))
        if row.state == "ignored" and not row.note:
            wrong.append("%s: why may it be ignored?" % where)
        wrong += ["%s: there is no test %s" % (where, proof) for proof in row.proofs if proof not in tests]
    return wrong


def below(path, row):
    return row.path.endswith(".**") and (path == row.path[:-3] or path.startswith((row.path[:-2], row.path[:-3] + "[")))


def check_schemas(rows, fields):
    paths = {row.path for row in rows}
    trees = [row for row in rows if row.path.endswith(".**")]
    wrong = ["no row for %s" % field for field in sorted(fields)
             if field not in paths and not any(below(field, row) for row in trees)]
    for row in rows:
        there = row.path in fields or any(below(field, row) for field in fields)
        if row.newer and there:
            wrong.append("fields.tbl:%d: %s is in the schemas by now" % (row.number, row.path))
        if not row.newer and not there:
            wrong.append("fields.tbl:%d: the schemas have no %s" % (row.number, row.path))
    return wrong


def markdown(rows):
    out = ["| field | | how |\n|---|---|---|\n"]
    for row in rows:
        newer = " (1.1)" if row.newer else ""
        out.append("| `%s`%s | %s | %s |\n" % (row.path, newer, row.state, row.note))
    return "".join(out)


def parts(text):
    before, _, rest = text.partition(MARKERS[0])
    table, _, after = rest.partition(MARKERS[1])
    return before, table, after


def write_page(path, rows):
    before, _, after = parts(path.read_text())
    path.write_text(before + MARKERS[0] + markdown(rows) + MARKERS[1] + after)


def main():
    rows = load()
    if len(sys.argv) == 3 and sys.argv[1] == "--docs":
        write_page(pathlib.Path(sys.argv[2]), rows)
        return 0
    failed = 0

    def report(name, wrong):
        nonlocal failed
        failed += bool(wrong)
        harness.report("FAIL" if wrong else "PASS", name, *(("%d wrong" % len(wrong), wrong[:40]) if wrong else ()))

    report("rows", check_rows(rows))
    if not SCHEMAS.is_dir():
        harness.report("SKIP", "schemas", "needs the package golang-github-opencontainers-specs-dev")
    else:
        schemas = Schemas(SCHEMAS)
        fields = schemas.fields("config-schema.json")
        report("schemas", ["the schemas are not read"] if len(fields) < 150 else check_schemas(rows, fields))
        # The comparison notices what is missing on either side.
        less = rows[:5] + rows[6:]
        more = rows + [Row(0, "linux.noSuchField honoured unit:config.hooks")]
        report("comparison", [] if len(check_schemas(less, fields)) == 1 and len(check_schemas(more, fields)) == 1 else
               ["a row taken out or added makes no difference"])
    report("page", [] if parts(PAGE.read_text())[1] == markdown(rows) else
           ["docs/oci.md does not hold the table: tests/oci/fields.py --docs docs/oci.md"])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
