/* SPDX-License-Identifier: Apache-2.0 */
/* Broken, huge and deep texts are refused in reasonable time, and without a crash. */
#include <errno.h>
#include <time.h>

#include "spec_text.h"
#include "unit.h"

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int parse(const char *json, size_t len, struct err *err)
{
	_cleanup_spec_ struct spec *spec = NULL;
	int r = spec_parse(json, len, &spec, err);

	CHECK_INT(r < 0, spec == NULL);
	return r;
}

/* Parses buf with its quotes replaced, and checks the error and the time. */
static void check_refused(const struct buf *buf, const char *json_pointer, const char *msg)
{
	_cleanup_free_ char *json = json_text(buf->data);
	double start = now();
	struct err err = {0};

	CHECK_INT(parse(json, buf->len, &err), -EINVAL);
	CHECK_STR(err.json_pointer, json_pointer);
	CHECK_STR(err.msg, msg);
	CHECK(now() - start < 10);
}

static void repeat(struct buf *buf, const char *text, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_add_str(buf, text);
}

static void test_truncated(void)
{
	_cleanup_free_ char *json = json_text(full_config);
	size_t len = strlen(json) - 2; /* the last brace and its newline */

	for (size_t i = 0; i <= len; i++) {
		/* An exact copy, so that a sanitizer detects a read beyond the end. */
		_cleanup_free_ char *part = mem_alloc(i + 1);
		struct err err = {0};

		memcpy(part, json, i);
		part = mem_resize(part, i == 0 ? 1 : i);
		CHECK_INT(parse(part, i, &err), -EINVAL);
		CHECK(strncmp(err.msg, "line ", 5) == 0);
	}
}

static void test_deep(void)
{
	_cleanup_buf_ struct buf arrays = {0}, objects = {0}, allowed = {0};
	_cleanup_free_ char *json = NULL;
	struct err err = {0};

	repeat(&arrays, "[", 100000);
	check_refused(&arrays, "", "line 1, column 65: nested too deeply (64 levels at most)");
	repeat(&objects, "{'a':", 100000);
	check_refused(&objects, "", "line 1, column 321: nested too deeply (64 levels at most)");
	buf_add_str(&allowed, "{'ociVersion':'1.0.0','root':{'path':'r'},'x':");
	repeat(&allowed, "[", 63);
	repeat(&allowed, "]", 63);
	buf_add_str(&allowed, "}");
	json = json_text(allowed.data);
	CHECK_INT(parse(json, allowed.len, &err), 0);
}

static void test_large(void)
{
	_cleanup_buf_ struct buf string = {0}, values = {0}, number = {0};

	buf_add_str(&string, "{'ociVersion':'");
	repeat(&string, "0123456789", 10000000);
	check_refused(&string, "", "the text has 100000015 bytes, 16777216 at most are allowed");
	buf_add_str(&values, "[");
	repeat(&values, "0,", 2000000);
	check_refused(&values, "", "line 1, column 2097152: too many values (1048576 at most)");
	buf_add_str(&number, "{'process':{'oomScoreAdj':");
	repeat(&number, "1234567890", 100000);
	buf_add_str(&number, "},'ociVersion':'1.0.0','root':{'path':'r'}}");
	check_refused(&number, "/process/oomScoreAdj",
		      "must be from -1000 to 1000, not '"
		      "123456789012345678901234567890"
		      "123456789012345678901234567890...'");
}

static void test_many_members(void)
{
	_cleanup_buf_ struct buf buf = {0}, env = {0};
	_cleanup_free_ char *json = NULL;
	struct err err = {0};

	buf_add_str(&buf, "{'annotations':{");
	for (int i = 0; i < 100000; i++)
		buf_format(&buf, "'key%d':'',", i);
	buf_add_str(&buf, "'key77777':'x'},'ociVersion':'1.0.0','root':{'path':'r'}}");
	check_refused(&buf, "/annotations/key77777", "key given twice");
	buf_add_str(&env, "{'ociVersion':'1.0.0','root':{'path':'r'},'process':{'cwd':'/','env':[");
	for (int i = 0; i < 100000; i++)
		buf_format(&env, "'A%d=x',", i % 50000);
	buf_add_str(&env, "'Z=']},'linux':{'devices':[{'type':'p','path':'/d'}");
	for (int i = 0; i < 100000; i++)
		buf_format(&env, ",{'type':'p','path':'/d%d'}", i);
	buf_add_str(&env, "]}}");
	json = json_text(env.data);
	CHECK_INT(parse(json, env.len, &err), 0);
}

/* The values of a section must not be mixed with those of a second, shorter section of the same name. */
static void test_sections_twice(void)
{
	_cleanup_buf_ struct buf buf = {0};

	buf_add_str(&buf,
		    "{'ociVersion':'1.2.0','root':{'path':'r'},'annotations':{'a':'','b':'','c':''},"
		    "'process':{'cwd':'/','user':{'additionalGids':[1,2,3,4,5,6,7,8],'additionalGids':[9]}},"
		    "'annotations':{'a':''}}");
	check_refused(&buf, "/process/user/additionalGids", "key given twice");
}

static void count(void *context, const struct err *finding)
{
	*(int *)context += finding->json_pointer[0] == '/';
}

static void test_many_findings(void)
{
	_cleanup_buf_ struct buf buf = {0};
	_cleanup_free_ char *json = NULL;
	struct spec *spec = NULL;
	int calls = 0;

	buf_add_str(&buf, "{'mounts':[0");
	repeat(&buf, ",0", 100000);
	buf_add_str(&buf, "]}");
	json = json_text(buf.data);
	CHECK_INT(spec_parse_all(json, buf.len, count, &calls, &spec), 1000);
	CHECK_INT(calls, 1000);
	CHECK(spec == NULL);
}

/* The end of the JSON value at text. */
static const char *value_end(const char *text)
{
	int depth = 0;

	do {
		if (*text == '"') {
			for (text++; *text != '"'; text++)
				text += *text == '\\';
		} else if (strchr("{[", *text) != NULL) {
			depth++;
		} else if (strchr("}]", *text) != NULL) {
			depth--;
		} else if (depth == 0) {
			return text + strcspn(text, ",}] \n");
		}
		text++;
	} while (depth > 0);
	return text;
}

/* Replaces each value of the full example by each of these. */
static void mutate(const char *json, const char *at)
{
	static const char *const values[] = {"null",          "true",  "7",          "-1",       "1.5",
					     "\"\"",          "\"x\"", "[]",         "[[]]",     "[null]",
					     "[\"x\",\"x\"]", "{}",    "{\"x\":{}}", "{\"\":0}", "1e400"};
	const char *end = value_end(at);

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		_cleanup_buf_ struct buf buf = {0};
		struct spec *spec = NULL;
		struct err err = {0};
		int calls = 0;

		buf_add(&buf, json, (size_t)(at - json));
		buf_add_str(&buf, values[i]);
		buf_add_str(&buf, end);
		if (parse(buf.data, buf.len, &err) == 0)
			continue;
		if (!CHECK(at == json || err.json_pointer[0] == '/'))
			fprintf(stderr, "\t%s for %s\n", err.msg, buf.data);
		CHECK(err.msg[0] != '\0');
		CHECK(spec_parse_all(buf.data, buf.len, count, &calls, &spec) > 0 && spec == NULL);
	}
}

static void test_mutations(void)
{
	_cleanup_free_ char *json = json_text(full_config);
	bool is_string = false;

	mutate(json, json);
	for (const char *c = json + 1; *c != '\0'; c++) {
		if (*c == '"')
			is_string = !is_string;
		if (is_string || (*c != ':' && *c != '[' && *c != ','))
			continue;
		c += strspn(c + 1, " \n");
		/* A comma before a key, or an empty array. */
		if (c[1] == ']' || (c[1] == '"' && value_end(c + 1)[0] == ':'))
			continue;
		mutate(json, c + 1);
	}
}

int main(void)
{
	test_truncated();
	test_deep();
	test_large();
	test_many_members();
	test_sections_twice();
	test_many_findings();
	test_mutations();
	UNIT_MAIN_END;
}
