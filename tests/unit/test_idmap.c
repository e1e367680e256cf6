/* SPDX-License-Identifier: Apache-2.0 */
/* The value of the options "idmap=" and "ridmap=", with expected maps that were computed by hand. */
#include "../../src/plan/idmap.h"
#include "unit.h"

/* The container's maps: uid 0-9 are 1000-1009, uid 10-19 are 50000-50009; gid 0-99 are 2000-2099. */
static struct spec_id_range container_uids[] = {{0, 1000, 10}, {10, 50000, 10}};
static struct spec_id_range container_gids[] = {{0, 2000, 100}};

static const struct {
	const char *value, *maps;
} rows[] = {
	/* podman-run(1): first ids of the file system, then those of the host. */
	{"uids=0-1-10#10-11-10;gids=0-100-10", "0:1:10 10:11:10 / 0:100:10"},
	{"gids=7-8-9;uids=1-2-3", "1:2:3 / 7:8:9"},
	{"uids=0-4294967295-1;gids=4294967295-0-1", "0:4294967295:1 / 4294967295:0:1"},
	/* What is missing is the container's. */
	{"uids=5-6-7", "5:6:7 / 0:2000:100"},
	{"gids=5-6-7", "0:1000:10 10:50000:10 / 5:6:7"},
	/* "@": the second id is one of the container. */
	{"uids=@500-3-1;gids=@500-99-1", "500:1003:1 / 500:2099:1"},
	{"uids=@500-12-8;gids=0-0-1", "500:50002:8 / 0:0:1"},
	{"uids=@500-8-4;gids=0-0-1", "500:1008:2 502:50000:2 / 0:0:1"},
	{"uids=@0-0-20#700-3-1;gids=@0-0-1#@9-1-2", "0:1000:10 10:50000:10 700:3:1 / 0:2000:1 9:2001:2"},
	{"uids=@0-18-3;gids=0-0-1", "!mapped"},
	{"uids=@0-20-1;gids=0-0-1", "!mapped"},
	{"uids=0-0-1;gids=@0-100-1", "!mapped"},
	/* Anything else. */
	{"", "!form"},
	{"uids=", "!form"},
	{"uids", "!form"},
	{"uids=0-0", "!form"},
	{"uids=0-0-0", "!form"},
	{"uids=0-0-1-1", "!form"},
	{"uids=0-0-1;", "!form"},
	{";uids=0-0-1", "!form"},
	{"uids=0-0-1;uids=0-0-1", "!form"},
	{"uids=0-0-1;gid=0-0-1", "!form"},
	{"uids=0-0-1#", "!form"},
	{"uids=#0-0-1", "!form"},
	{"uids=0-0-1##0-0-1", "!form"},
	{"uids=@;gids=0-0-1", "!form"},
	{"uids=@@0-0-1", "!form"},
	{"uids=-1-0-1", "!form"},
	{"uids=+1-0-1", "!form"},
	{"uids= 1-0-1", "!form"},
	{"uids=1-0-1 ", "!form"},
	{"uids=0x1-0-1", "!form"},
	{"uids=4294967296-0-1", "!form"},
	{"uids=4294967295-0-2", "!form"},
	{"uids=0-4294967295-2", "!form"},
	{"uids=0-0-4294967296", "!form"},
	{"uids=99999999999999999999-0-1", "!form"},
};

static void describe(const struct spec_id_maps *maps, struct buf *out)
{
	for (size_t i = 0; i < maps->count; i++)
		buf_format(out, "%u:%u:%u ", maps->v[i].container_id, maps->v[i].host_id, maps->v[i].size);
}

static void check_row(const char *value, const struct idmap_maps *container, const char *expected)
{
	_cleanup_buf_ struct buf actual = {0};
	struct arena arena = {0};
	struct idmap_maps maps;
	struct err err = {0};
	int r = idmap_parse(&arena, value, container, &maps, &err);

	if (r < 0) {
		CHECK_INT(err.kind, ERR_CONFIG);
		buf_add_str(&actual, strstr(err.msg, "form") != NULL      ? "!form"
				     : strstr(err.msg, "missing") != NULL ? "!missing"
				     : strstr(err.msg, "mapped") != NULL  ? "!mapped"
									  : err.msg);
	} else {
		describe(&maps.uid, &actual);
		buf_add_str(&actual, "/ ");
		describe(&maps.gid, &actual);
		actual.data[--actual.len] = '\0';
	}
	if (!CHECK_STR(actual.data, expected))
		fprintf(stderr, "\tof '%s'\n", value);
	arena_done(&arena);
}

int main(void)
{
	const struct idmap_maps container = {{container_uids, ARRAY_SIZE(container_uids)},
					     {container_gids, ARRAY_SIZE(container_gids)}};
	const struct idmap_maps none = {{NULL, 0}, {NULL, 0}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_row(rows[i].value, &container, rows[i].maps);
	check_row("uids=0-1-2;gids=3-4-5", &none, "0:1:2 / 3:4:5");
	check_row("uids=0-1-2", &none, "!missing");
	check_row("gids=0-1-2", &none, "!missing");
	check_row("uids=@0-0-1;gids=0-0-1", &none, "!mapped");
	UNIT_MAIN_END;
}
